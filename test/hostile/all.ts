import { actCases } from './acts.js';
import type { Case } from './case.js';
import { debianCases } from './debian.js';
import { diskCases } from './images_disks.js';
import { pathCases } from './images_paths.js';
import { rpmCases } from './rpm.js';

/** All cases, in the order of the page. */
export const cases: readonly Case[] = [...pathCases, ...diskCases, ...actCases, ...debianCases, ...rpmCases];

/** What a case is called on the command line. */
export function titleOf({ part, name }: Case): string {
  return `${part} ${name}`;
}

/** A case that must exist. */
export function caseTitled(title: string): Case {
  const found = cases.find((one) => titleOf(one) === title);
  if (found === undefined) throw new Error(`internal error: no case "${title}"`);
  return found;
}
