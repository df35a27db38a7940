import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MissingInside, openInside, type Place } from './rooted_path.js';

/**
 * A file of an image that one of the build host stands in for while the image is built, as the note of its chroot has it.
 * The image's own is set aside in the same folder meanwhile, under the name {@link keptName}.
 */
export interface StandIn {
  /** Its path inside the image. */
  readonly file: string;
  /** Whether there is one of the image's own, or one that the build made, to put back. */
  readonly had: boolean;
  readonly folder: FolderId;
  /** Whether it is ours, which says that no service may start, and no file of the host. */
  readonly isPolicy?: true;
  /** Which file was put there and what it held; absent until it is, and in notes of older versions. */
  readonly put?: Put;
}

export interface Put {
  /** Device, inode and time of birth: file systems give the inode of a file that is removed to the next one. */
  readonly id: string;
  /** Size and hash of its content. */
  readonly sum: string;
}

/** Which folder it is: at undo another one may be at the same path, or a link to one of the host. */
export interface FolderId {
  readonly device: number;
  readonly inode: number;
}

/** Whether a folder is at a path, the very one that it was. */
export function isThere(path: string, { device, inode }: FolderId): boolean {
  const seen = statSync(path, { throwIfNoEntry: false });
  return seen !== undefined && seen.dev === device && seen.ino === inode;
}

export function idOf(folder: string): FolderId {
  const { dev: device, ino: inode } = statSync(folder);
  return { device, inode };
}

/** What the image's own file is called meanwhile. */
export function keptName(file: string): string {
  return `.${basename(file)}.chrootfile-kept`;
}

export interface Content {
  readonly bytes: Buffer;
  readonly mode: number;
}

/** What is to stand in for a file; undefined where the host has none any more. */
export function contentOf({ file, isPolicy }: StandIn): Content | undefined {
  if (isPolicy) return { bytes: Buffer.from(policyText), mode: 0o755 };
  const seen = statSync(file, { throwIfNoEntry: false });
  return seen?.isFile() ? { bytes: readFileSync(file), mode: seen.mode & 0o777 } : undefined;
}

/** Paths through the open folder: what is swapped in the image meanwhile leads them nowhere else. */
export interface Places {
  readonly path: string;
  /** Where what it stands in for is meanwhile. */
  readonly kept: string;
  /** Where a file is on its way to the path: while one is there, an empty path was not emptied by the build. */
  readonly draft: string;
  /** The folder's path inside the image, without links. */
  readonly inside: string;
}

/**
 * Does something with the places of a stand-in, whose folder is held open meanwhile.
 * @throws Error when the folder is no longer the one it was: a link in its place may lead anywhere.
 */
export function withPlaces<T>(root: string, { file, folder: id }: StandIn, action: (places: Places) => T): T {
  let place: Place | undefined;
  try {
    place = openInside(root, file, { last: 'keep' });
    const folder = dirname(place.at);
    if (!isThere(folder, id)) throw new MissingInside(file, undefined);
    const at = (name: string) => join(folder, name);
    return action({ path: at(basename(file)), kept: at(keptName(file)), draft: at(`.${basename(file)}.chrootfile-new`), inside: dirname(place.inside) });
  } catch (error) {
    throw error instanceof MissingInside ? new Error(`${dirname(file)} of the image is not the folder it was`) : error;
  } finally {
    place?.close();
  }
}

/** Makes a file that is to stand in, where a rename brings it to its path. */
export function draftOf(draft: string, { bytes, mode }: Content): Put {
  removeAll(draft);
  writeFileSync(draft, bytes, { flag: 'wx', mode });
  return { id: fileId(lookAt(draft) as BigIntStats), sum: sumOf(bytes) };
}

const policyText = '#!/bin/sh\n# Services do not start while an image is built.\nexit 101\n';

export function lookAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

export function fileId({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}

export function sumOf(bytes: Buffer): string {
  return `${bytes.length}:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The content of a stand-in as it is now; one that has grown large is not read. */
export function sumOfFile(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(fd);
    return size > mostBytes ? `${size}:not read` : sumOf(readFileSync(fd));
  } finally {
    closeSync(fd);
  }
}

/** A script may write into a stand-in without end. */
const mostBytes = 2 ** 24;

export function rewrite(path: string, bytes: Buffer): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    ftruncateSync(fd);
    writeFileSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
}

/** Removes a file, a link (never what it leads to) or a folder with all in it. */
export function removeAll(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
