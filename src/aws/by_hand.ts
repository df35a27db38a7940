import type { Cloud } from '../dsl/recipe/types.js';
import { shellWord } from '../linux/shell_quote.js';

/**
 * What a person would type to have EC2 do something where a note says. The aws command line does not reach the embedded
 * EC2: there it is the program's own undo, with what that does.
 * @param again the program's own command. @param command e.g. `delete-volume`. @param options words after it; those of a comment, from `#` on, as they are.
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
