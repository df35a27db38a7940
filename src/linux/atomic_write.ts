import { closeSync, existsSync, fsyncSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startTimeOf } from './process_identity.js';

/** Ending of the draft files of {@link writeWhole}. It identifies the drafts of killed processes. */
export const draftEnding = '.new';

/**
 * Writes all bytes of a text. write(2) may write only a part without an error, for example on a tmpfs that fills up.
 * The next write then fails.
 * @param position offset in the file. Defaults to the current position, or to the end of a file opened for appending.
 */
export function writeAll(fd: number, text: string, position?: number): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(fd, bytes, written, bytes.length - written, position === undefined ? null : position + written);
  }
}

/** Writes a file so that it is complete or absent, also after a power cut. Syncs the file first, then its folder. */
export function writeWhole(file: string, text: string, mode = 0o600): void {
  replaceFile(file, text, { mode, sync: true });
  syncFolder(dirname(file));
}

/** Writes a file so that readers find its old text or its new one. */
export function replaceFile(file: string, text: string, { mode = 0o600, sync = false } = {}): void {
  const draft = `${file}.${process.pid}-${startTimeOf(process.pid)}${draftEnding}`;
  try {
    const fd = openSync(draft, 'w', mode);
    try {
      writeAll(fd, text);
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, file);
  } catch (error) {
    removeFile(draft);
    throw error;
  }
}

/** Creates a folder and its parents, accessible only to the owner, so that they survive a power cut. */
export function makeFolder(folder: string): void {
  const topmost = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (topmost === undefined) return;
  for (let made = folder; made.length >= topmost.length; made = dirname(made)) syncFolder(dirname(made));
}

/** Removes a file or link if it exists. Unlike errors of rmSync in Node 24, errors have a code (EROFS, EIO). */
export function removeFile(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) throw error;
  }
}

/** Removes a file if it exists, so that it stays removed after a power cut. */
export function removeForGood(file: string): void {
  removeFile(file);
  if (existsSync(dirname(file))) syncFolder(dirname(file));
}

/** Syncs the entries of a folder to disk. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Syncs the content and name of a file to disk, without blocking this process. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  syncFolder(dirname(file));
}

/** Removes drafts in a folder: those of dead processes, or `all`, when no other process can be writing there. */
export function removeDrafts(folder: string, which: 'dead' | 'all'): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    // In format 1, the name contained only the pid of the process.
    const [, pid, started] = /\.(\d+)(?:-(\d+))?\.new$/.exec(name) ?? [];
    const now = pid === undefined ? undefined : startTimeOf(Number(pid));
    const isAlive = now !== undefined && (started === undefined || now === started);
    if (pid !== undefined && (which === 'all' || !isAlive)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
