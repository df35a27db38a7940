import { hasLocalDisks } from '../dsl/recipe/cloud.js';
import type { Cloud } from '../dsl/recipe/types.js';
import { shellWord } from '../linux/shell_quote.js';

/**
 * The command to do something in the region of a note by hand. The AWS CLI does not reach the embedded EC2, so there the
 * command is the program's own undo, followed by what it does.
 * @param again the program's own command. @param command e.g. `delete-volume`. @param options its arguments; a comment, from `#` on, stays unquoted.
 */
export function ec2ByHand(
  { cloud, again }: { readonly cloud: Cloud; readonly again: string },
  { region }: { readonly region?: string },
  command: string,
  ...options: readonly string[]
): string {
  const own = [command, ...(region === undefined ? [] : ['--region', region]), ...options].map((word) =>
    word.startsWith('#') ? `  ${word}` : shellWord(word),
  );
  if (cloud.provider === 'local') return `${again}   # ${own.join(' ')}`;
  const { profile, endpoint } = cloud;
  const global = [...(profile === undefined ? [] : ['--profile', profile]), ...(endpoint === undefined ? [] : ['--endpoint-url', endpoint])];
  return ['aws', ...global.map(shellWord), 'ec2', ...own].join(' ');
}

/** The same for what the EC2 of the volumes has. */
export function diskByHand(at: Parameters<typeof ec2ByHand>[0], ...more: Skip<Parameters<typeof ec2ByHand>>): string {
  return ec2ByHand(hasLocalDisks(at.cloud) ? { ...at, cloud: { provider: 'local' } } : at, ...more);
}

type Skip<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never;
