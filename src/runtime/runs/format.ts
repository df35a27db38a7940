import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, writeWhole } from '../../linux/atomic_write.js';

/**
 * The format of the files on disk. The state folder and each journal contain this number. This version reads this
 * format and the previous one.
 *
 * 1: no format number; the owner of a lock in a separate file; no tag `chrootfile:state`.
 * 2: each lock is one folder with its owner; a journal ends in a whole line; the head of each run is also in
 * `run.json`.
 */
export const currentFormat = 2;

/** Refuses files of a newer version, whose meaning is unknown. */
export class FormatError extends Error {
  constructor(what: string, format: unknown) {
    super(
      `${what} has format ${JSON.stringify(format)}, but this version of chrootfile reads formats ${currentFormat - 1} and ${currentFormat}\n  help: use the version that wrote it, or choose another folder with --state`,
    );
    this.name = 'FormatError';
  }
}

/** @throws FormatError for an unknown format. @param format undefined when the file contains no number. */
export function checkFormat(what: string, format: unknown): void {
  const number = format ?? 1;
  if (typeof number !== 'number' || number < currentFormat - 1 || number > currentFormat) throw new FormatError(what, format);
}

/** @throws FormatError when a newer version wrote the state folder. */
export function checkState(state: string): void {
  const file = fileOf(state);
  if (!existsSync(file)) return;
  const text = readFileSync(file, 'utf8').trim();
  checkFormat(state, /^[0-9]+$/.test(text) ? Number(text) : text);
}

/** Creates a state folder if it is missing, and marks it with this version's format. */
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
