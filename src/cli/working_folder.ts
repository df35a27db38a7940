import { ExitError, exits } from './exit_codes.js';

/**
 * Changes to the folders that `-C FOLDER` names, in their order, as make and git do.
 * @returns the other words.
 * @throws ExitError when a folder is missing or cannot be entered.
 */
export function enterFolders(words: readonly string[]): string[] {
  const end = words.indexOf('--');
  const left: string[] = [];
  let isFolder = false;
  for (const word of end < 0 ? words : words.slice(0, end)) {
    if (isFolder) enter(word);
    else if (/^-C./.test(word)) enter(word.slice(2));
    else if (word !== '-C') left.push(word);
    isFolder = !isFolder && word === '-C';
  }
  if (isFolder) throw new ExitError(exits.invalid, 'option -C needs a folder\n  help: e.g. chrootfile -C images run');
  return end < 0 ? left : [...left, ...words.slice(end)];
}

function enter(folder: string): void {
  try {
    process.chdir(folder);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = { ENOENT: 'there is no such folder', ENOTDIR: 'it is not a folder', EACCES: 'permission denied' }[code ?? ''] ?? message;
    throw new ExitError(exits.invalid, `cannot enter ${folder}: ${why}\n  help: -C names the folder to start in`);
  }
}
