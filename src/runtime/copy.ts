import { constants, lstatSync } from 'node:fs';
import { chmod, copyFile, lchown, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface CopyOptions {
  /** Mode of files; that of each source unless said. */
  readonly fileMode?: number;
  /** Owner of everything, or `keep` for that of each source; that of this process unless said. */
  readonly owner?: { readonly user: number; readonly group: number } | 'keep';
  readonly signal: AbortSignal;
}

/**
 * Copies a file, a link or a folder with all in it. What is at the target is replaced and never written through;
 * a folder that is there already is filled.
 * @throws Error for devices, sockets and named pipes.
 */
export async function copyTree(from: string, to: string, options: CopyOptions): Promise<void> {
  options.signal.throwIfAborted();
  const source = await lstat(from);
  const there = lstatSync(to, { throwIfNoEntry: false });
  if (there !== undefined && !(source.isDirectory() && there.isDirectory())) {
    if (there.isDirectory()) throw new Error(`${to} is a folder, and ${from} is none`);
    await rm(to);
  }
  if (source.isSymbolicLink()) {
    await symlink(await readlink(from), to);
  } else if (source.isDirectory()) {
    if (there === undefined) await mkdir(to);
    for (const name of await readdir(from)) await copyTree(join(from, name), join(to, name), options);
  } else if (source.isFile()) {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } else {
    throw new Error(`${from} is neither a file, a link nor a folder`);
  }
  // A folder that was there stays what it is.
  if (source.isDirectory() && there !== undefined) return;
  if (options.owner !== undefined) {
    const { user, group } = options.owner === 'keep' ? { user: source.uid, group: source.gid } : options.owner;
    await lchown(to, user, group);
  }
  // Last: a change of owner takes set-user-id away.
  const mode = source.isFile() ? (options.fileMode ?? source.mode) : source.mode;
  if (!source.isSymbolicLink()) await chmod(to, mode & 0o7777);
}
