import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MissingInside, openInside, type Place } from './rooted_path.js';

/**
 * A file of an image that a file of the build host replaces while the image is built, as recorded in the note of its
 * chroot. The image's own file is kept in the same folder, under the name {@link keptName}.
 */
export interface StandIn {
  /** Its path inside the image. */
  readonly file: string;
  /** Whether there is a file to restore: the image's own, or one that the build created. */
  readonly had: boolean;
  readonly folder: FolderId;
  /** Whether it is chrootfile's script that prevents services from starting, and not a file of the host. */
  readonly isPolicy?: true;
  /** The file that was put in place, and its content. Absent until then, and in notes of older versions. */
  readonly put?: Put;
}

export interface Put {
  /** Device, inode and time of birth. File systems reuse the inode numbers of removed files. */
  readonly id: string;
  /** Size and hash of its content. */
  readonly sum: string;
}

/** Identifies a folder. At undo, another folder, or a link to a host folder, may be at the same path. */
export interface FolderId {
  readonly device: number;
  readonly inode: number;
}

/** Whether the same folder is still at a path. */
export function isThere(path: string, { device, inode }: FolderId): boolean {
  const seen = statSync(path, { throwIfNoEntry: false });
  return seen !== undefined && seen.dev === device && seen.ino === inode;
}

export function idOf(folder: string): FolderId {
  const { dev: device, ino: inode } = statSync(folder);
  return { device, inode };
}

/** The name of the image's own file while it is replaced. */
export function keptName(file: string): string {
  return `.${basename(file)}.chrootfile-kept`;
}

export interface Content {
  readonly bytes: Buffer;
  readonly mode: number;
}

/** The content of a stand-in; undefined when the host no longer has the file. */
export function contentOf({ file, isPolicy }: StandIn): Content | undefined {
  if (isPolicy) return { bytes: Buffer.from(policyText), mode: 0o755 };
  const seen = statSync(file, { throwIfNoEntry: false });
  return seen?.isFile() ? { bytes: readFileSync(file), mode: seen.mode & 0o777 } : undefined;
}

/** Paths through the open folder, so that swapping folders in the image does not redirect them. */
export interface Places {
  readonly path: string;
  /** Where the replaced file is kept meanwhile. */
  readonly kept: string;
  /** Where a file is prepared before it is renamed to its path. While it exists, a missing path does not mean that the build removed the file. */
  readonly draft: string;
  /** The folder's path inside the image, without links. */
  readonly inside: string;
}

/**
 * Runs an action with the paths of a stand-in, whose folder is kept open meanwhile.
 * @throws Error when it is no longer the same folder: a link in its place may lead anywhere.
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
    throw error instanceof MissingInside ? new Error(`${dirname(file)} in the image has been replaced`) : error;
  } finally {
    place?.close();
  }
}

/** Writes a stand-in under a temporary name, to be renamed to its path. */
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

/** The checksum of a stand-in as it is now. A file that has become large is not read. */
export function sumOfFile(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(fd);
    return size > maxBytes ? `${size}:not read` : sumOf(readFileSync(fd));
  } finally {
    closeSync(fd);
  }
}

/** A limit, because a script may write into a stand-in without end. */
const maxBytes = 2 ** 24;

export function rewrite(path: string, bytes: Buffer): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    ftruncateSync(fd);
    writeFileSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
}

/** Removes a file, a link (not its target) or a folder with its contents. */
export function removeAll(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
