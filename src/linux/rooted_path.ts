import { chmodSync, closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

// The kernel's limit. Source: path_resolution(7).
const maxLinks = 40;

/** Maximum size in bytes of a text file read from an image. A password file of 10,000 users is smaller. */
const maxTextBytes = 1 << 20;

/** O_PATH, which Node does not define: opens only the name, so that pipes do not block and devices are not touched. Source: open(2). */
const nameOnly = 0o10000000;
const folderOnly = nameOnly | constants.O_DIRECTORY;

/** A folder on the path is missing in the image. */
export class MissingInside extends Error {
  /**
   * @param inside the whole path inside the image, as if the missing part were a folder. Undefined when the rest
   * contains `..`, because it may lead through a link.
   */
  constructor(
    message: string,
    readonly inside: string | undefined,
  ) {
    super(message);
  }
}

/** A path inside an image. Its folder is kept open until it is closed. */
export interface Place {
  /** A host path through the open folder, so that swapping folders in the image does not redirect it. Only its last part may be a link, or missing. */
  readonly at: string;
  /** Its path inside the image, without links. */
  readonly inside: string;
  close(): void;
}

/**
 * Resolves a path inside an image. Opens each folder relative to its parent. Links are read and followed here, inside
 * the image, never by the kernel. So no link leads out of the image, not even one that is swapped in meanwhile.
 * @param options `last`: whether to follow a link at the end of the path or to keep it. `make`: create missing
 * folders, including the last part.
 * @throws MissingInside when a folder of the path is missing; Error when a part is not a folder, and for cycles of
 * links.
 */
export function openInside(root: string, path: string, { last = 'follow', make = false }: { last?: 'follow' | 'keep'; make?: boolean } = {}): Place {
  const waiting = partsOf(path);
  const folders = [openSync(root, folderOnly)];
  const names: string[] = [];
  let name = '.';
  try {
    for (let links = 0, part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      if (part === '..') {
        leave(folders, names, 1);
        continue;
      }
      const at = `/proc/self/fd/${folders.at(-1)}/${part}`;
      const isLast = waiting.length === 0;
      const target = isLast && last === 'keep' ? undefined : linkAt(at);
      if (target !== undefined) {
        links += 1;
        if (links > maxLinks) throw new Error(`${path}: too many levels of links`);
        if (target.startsWith('/')) leave(folders, names, names.length);
        waiting.unshift(...partsOf(target));
        continue;
      }
      if (isLast && !make) {
        name = part;
        break;
      }
      folders.push(folderAt(at, make, path, join('/', ...names, part), waiting));
      names.push(part);
    }
  } catch (error) {
    folders.forEach(closeSync);
    throw error;
  }
  const folder = folders.pop() as number;
  folders.forEach(closeSync);
  return { at: `/proc/self/fd/${folder}/${name}`, inside: join('/', ...names, name), close: () => closeSync(folder) };
}

/** The host path of a path inside an image, resolved by {@link openInside}. At that moment no part of it is a link. */
export function insideRoot(root: string, path: string, last: 'follow' | 'keep' = 'follow'): string {
  return hostPathOf(root, openInside(root, path, { last }));
}

/** Creates a folder and its parents inside an image, readable by everybody. @returns its path on the host. */
export function makeInside(root: string, path: string): string {
  return hostPathOf(root, openInside(root, path, { make: true }));
}

/**
 * Reads a text file of an image; undefined when it is missing. Anything else at the path (a device, a named pipe, a
 * link out of the image) is never opened. Does not block this process.
 * @param limit maximum size in bytes.
 * @throws Error when it is not a regular file, is too large, or cannot be read.
 */
export async function readInside(root: string, path: string, limit = maxTextBytes): Promise<string | undefined> {
  const found = nameAt(root, path);
  if (found === undefined) return undefined;
  try {
    if (!fstatSync(found).isFile()) throw new Error(`${path} in the image is not a regular file`);
    const file = await open(`/proc/self/fd/${found}`, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const text = Buffer.allocUnsafe(limit + 1);
      let length = 0;
      for (let read = -1; read !== 0 && length < text.length; length += read) ({ bytesRead: read } = await file.read(text, length));
      if (length > limit) throw new Error(`${path} in the image is larger than ${limit} bytes`);
      return text.toString('utf8', 0, length);
    } finally {
      await file.close();
    }
  } finally {
    closeSync(found);
  }
}

/** The numeric id of a user or group of an image, given its name or id. */
export async function idInside(root: string, file: 'passwd' | 'group', name: string): Promise<number> {
  if (/^[0-9]+$/.test(name)) return Number(name);
  if (name === 'root') return 0;
  const lines = (await readInside(root, `/etc/${file}`))?.split('\n') ?? [];
  const id = lines.find((line) => line.startsWith(`${name}:`))?.split(':')[2];
  if (id === undefined || !/^[0-9]+$/.test(id)) throw new Error(`the image has no ${file === 'passwd' ? 'user' : 'group'} "${name}"`);
  return Number(id);
}

/** Opens only the name at a path, whatever it is. */
function nameAt(root: string, path: string): number | undefined {
  try {
    const place = openInside(root, path);
    try {
      return openSync(place.at, nameOnly | constants.O_NOFOLLOW);
    } finally {
      place.close();
    }
  } catch (error) {
    if (error instanceof MissingInside || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function folderAt(at: string, make: boolean, path: string, inside: string, rest: readonly string[]): number {
  if (make && made(at)) {
    const folder = openSync(at, folderOnly | constants.O_NOFOLLOW);
    try {
      // Independent of the umask of this process.
      chmodSync(`/proc/self/fd/${folder}`, 0o755);
    } catch (error) {
      closeSync(folder);
      throw error;
    }
    return folder;
  }
  try {
    return openSync(at, folderOnly | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new MissingInside(`${path}: ${inside} is missing in the image`, rest.includes('..') ? undefined : join(inside, ...rest));
    if (code === 'ENOTDIR' || code === 'ELOOP') throw new Error(`${path}: ${inside} is not a folder in the image`);
    throw error;
  }
}

/** Creates a folder; returns false when something already exists there. */
function made(at: string): boolean {
  try {
    mkdirSync(at);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** The target of a link; undefined when it is not a link. */
function linkAt(at: string): string | undefined {
  try {
    return readlinkSync(at);
  } catch (error) {
    if (['EINVAL', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Goes up, at most to the root. */
function leave(folders: number[], names: string[], count: number): void {
  for (const _ of names.splice(names.length - Math.min(count, names.length))) closeSync(folders.pop() as number);
}

function hostPathOf(root: string, place: Place): string {
  place.close();
  return place.inside === '/' ? root : join(root, place.inside);
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
