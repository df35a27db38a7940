import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { shareFrom } from '../faults/options.js';
import { repository } from '../support/program.js';
import { type Part, parts } from './case.js';

/** What the command line asks for. */
export interface Options {
  readonly parts: readonly Part[];
  /** Only cases whose `PART NAME` matches. */
  readonly match: RegExp | undefined;
  readonly seed: number;
  /** Which part of how many, e.g. the first of three. */
  readonly share: readonly [part: number, of: number] | undefined;
  /** No case begins after this many minutes. */
  readonly minutes: number;
  readonly workers: number;
  readonly program: string;
  readonly write: boolean;
  /** Whether cases that pass are shown too. */
  readonly verbose: boolean;
}

/** Reads the command line. @throws Error with what is wrong. */
export function optionsFrom(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      part: text,
      match: text,
      seed: text,
      share: text,
      minutes: text,
      workers: text,
      program: text,
      write: { type: 'boolean' },
      verbose: { type: 'boolean' },
    },
  });
  return {
    parts: values.part?.split(',').map(partNamed) ?? parts,
    match: values.match === undefined ? undefined : new RegExp(values.match),
    seed: Number(values.seed ?? Math.floor(Math.random() * 1_000_000)),
    share: values.share === undefined ? undefined : shareFrom(values.share),
    minutes: Number(values.minutes ?? Number.POSITIVE_INFINITY),
    workers: Number(values.workers ?? 2),
    program: resolve(values.program ?? `${repository}/bin/chrootfile`),
    write: values.write ?? false,
    verbose: values.verbose ?? false,
  };
}

function partNamed(name: string): Part {
  const found = parts.find((part) => part === name);
  if (found === undefined) throw new Error(`--part ${name}: unknown part; there are ${parts.join(', ')}`);
  return found;
}
