import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, writeWhole } from '../../linux/atomic_write.js';

/**
 * The format of what is kept on disk: the state folder as a whole, and each journal, carry its number. This version
 * reads it and the one before.
 *
 * 1: without a number; a lock's owner beside it; no tag `chrootfile:state`.
 * 2: locks in one piece, journals that end in a whole line, the head of each run in `run.json` too.
 */
export const currentFormat = 2;

/** What was written by a newer version: nothing is guessed of it. */
export class FormatError extends Error {
  constructor(what: string, format: unknown) {
    super(
      `${what} has format ${JSON.stringify(format)}, and this version of chrootfile reads ${currentFormat - 1} and ${currentFormat}\n  help: use the version that wrote it, or another folder with --state`,
    );
    this.name = 'FormatError';
  }
}

/** @throws FormatError where this version does not know a format. @param format undefined where none is written down. */
export function checkFormat(what: string, format: unknown): void {
  const number = format ?? 1;
  if (typeof number !== 'number' || number < currentFormat - 1 || number > currentFormat) throw new FormatError(what, format);
}

/** @throws FormatError where a state folder was written by a newer version. */
export function checkState(state: string): void {
  const file = fileOf(state);
  if (!existsSync(file)) return;
  const text = readFileSync(file, 'utf8').trim();
  checkFormat(state, /^[0-9]+$/.test(text) ? Number(text) : text);
}

/** Makes a state folder where there is none, and writes down that it has this version's format from now on. */
export function claimState(state: string): void {
  checkState(state);
  makeFolder(state);
  const file = fileOf(state);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== content) writeWhole(file, content);
}

const content = `${currentFormat}\n`;

function fileOf(state: string): string {
  return join(state, 'format');
}
