import { closeSync, existsSync, fsyncSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startTimeOf } from './process_identity.js';

/** How drafts of {@link writeWhole} end: it identifies the drafts of killed processes. */
export const draftEnding = '.new';

/**
 * Writes all bytes of a text. write(2) may take a part of them without an error, as on a tmpfs that fills up; the rest
 * then fails.
 * @param position where in the file; at its current position (or its end, where it was opened to append) by default.
 */
export function writeAll(fd: number, text: string, position?: number): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(fd, bytes, written, bytes.length - written, position === undefined ? null : position + written);
  }
}

/** Writes a file so that it is there whole or not at all, also after a power cut: the file first, then its folder. */
export function writeWhole(file: string, text: string): void {
  const draft = `${file}.${process.pid}-${startTimeOf(process.pid)}${draftEnding}`;
  try {
    const fd = openSync(draft, 'w', 0o600);
    try {
      writeAll(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, file);
  } catch (error) {
    removeFile(draft);
    throw error;
  }
  syncFolder(dirname(file));
}

/** Makes a folder, and those above it, for its owner's eyes only, so that they are there after a power cut. */
export function makeFolder(folder: string): void {
  const topmost = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (topmost === undefined) return;
  for (let made = folder; made.length >= topmost.length; made = dirname(made)) syncFolder(dirname(made));
}

/** Removes a file or a link, which may not be there. Unlike with rmSync of Node 24, an error has its code (EROFS, EIO). */
export function removeFile(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) throw error;
  }
}

/** Removes a file, which may not be there, so that it stays removed after a power cut. */
export function removeForGood(file: string): void {
  removeFile(file);
  if (existsSync(dirname(file))) syncFolder(dirname(file));
}

/** Has the names in a folder, new and removed ones, written to disk. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Has the content of a file and its name written to disk, without keeping this process from other work. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  syncFolder(dirname(file));
}

/** Removes the drafts in a folder: those of processes that have died, or, where nobody else may be writing there, `all`. */
export function removeDrafts(folder: string, which: 'dead' | 'all'): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    // Format 1 named the process by its number alone.
    const [, pid, started] = /\.(\d+)(?:-(\d+))?\.new$/.exec(name) ?? [];
    const now = pid === undefined ? undefined : startTimeOf(Number(pid));
    const isAlive = now !== undefined && (started === undefined || now === started);
    if (pid !== undefined && (which === 'all' || !isAlive)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
