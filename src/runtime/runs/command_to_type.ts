import { shellWord } from '../../linux/shell_quote.js';

/** The state folder of root, unless another one is named. */
export const systemState = '/var/lib/chrootfile';

/** A command of chrootfile that a person can paste: it names the state folder, unless root finds that by itself. */
export function commandToType(state: string, words: string): string {
  return `chrootfile ${words}${state === systemState ? '' : ` --state ${shellWord(state)}`}`;
}
