import { chmodSync, constants, copyFileSync, lchownSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface CopyOptions {
  /** Mode of files; that of each source unless said. */
  readonly fileMode?: number;
  /** Owner of everything; that of this process unless said. */
  readonly owner?: { readonly user: number; readonly group: number };
  readonly signal: AbortSignal;
}

/**
 * Copies a file, a link or a folder with all in it. What is at the target is replaced and never written through;
 * a folder that is there already is filled.
 * @throws Error for devices, sockets and named pipes.
 */
export function copyTree(from: string, to: string, options: CopyOptions): void {
  options.signal.throwIfAborted();
  const source = lstatSync(from);
  const there = lstatSync(to, { throwIfNoEntry: false });
  if (there !== undefined && !(source.isDirectory() && there.isDirectory())) {
    if (there.isDirectory()) throw new Error(`${to} is a folder, and ${from} is none`);
    rmSync(to);
  }
  if (source.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to);
  } else if (source.isDirectory()) {
    if (!there?.isDirectory()) mkdirSync(to, { mode: source.mode & 0o7777 });
    for (const name of readdirSync(from)) copyTree(join(from, name), join(to, name), options);
  } else if (source.isFile()) {
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    chmodSync(to, options.fileMode ?? source.mode & 0o7777);
  } else {
    throw new Error(`${from} is neither a file, a link nor a folder`);
  }
  // Last, and again the mode: a change of owner takes set-user-id away.
  if (options.owner === undefined) return;
  lchownSync(to, options.owner.user, options.owner.group);
  if (source.isFile()) chmodSync(to, options.fileMode ?? source.mode & 0o7777);
}
