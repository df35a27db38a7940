import { accessSync, constants } from 'node:fs';
import { basename, join } from 'node:path';
import { mounts } from './mounts.js';
import { shellWord } from './shell_quote.js';
import { fileId, isThere, keptName, lookAt, type StandIn, withPlaces } from './stand_in_files.js';
import type { StandInNote } from './stand_ins.js';

/**
 * The commands that remove the remaining stand-ins from an image by hand.
 * @param ownMounts where the run mounted something. These mounts no longer exist when the user begins.
 */
export function standInsByHand({ root, id, replaced }: StandInNote, ownMounts: readonly string[]): string[] {
  const mount = mounts().findLast(({ path }) => root === path || root.startsWith(path === '/' ? path : `${path}/`));
  if (mount === undefined || !isThere(root, id)) return [];
  const isMounted = !ownMounts.includes(mount.path);
  const base = isMounted ? root : join('/mnt', root.slice(mount.path.length));
  const lines = replaced.flatMap((standIn) => linesFor(root, standIn, (path) => shellWord(base + path.slice(root.length))));
  if (lines.length === 0) return [];
  if (!isMounted) return [`mount -- ${shellWord(mount.source)} /mnt`, ...lines, 'umount /mnt'];
  return [...(isReadOnly(root) ? [`mount -o remount,rw -- ${shellWord(mount.path)}`] : []), ...lines];
}

/** @param at returns a path as a quoted word of the shell. */
function linesFor(root: string, standIn: StandIn, at: (path: string) => string): string[] {
  const { file, had, put } = standIn;
  try {
    return withPlaces(root, standIn, ({ path, kept, inside }) => {
      const [pathWord, keptWord] = [basename(file), keptName(file)].map((name) => at(join(root, inside, name))) as [string, string];
      const seen = lookAt(path);
      const isOurs = seen !== undefined && (put === undefined ? !had : fileId(seen) === put.id);
      const isKept = lookAt(kept) !== undefined;
      if (isKept && seen !== undefined && !isOurs && put !== undefined) return [`rm -r -- ${keptWord}`];
      return [...(isOurs ? [`rm -f -- ${pathWord}`] : []), ...(isKept ? [`mv -T -- ${keptWord} ${pathWord}`] : [])];
    });
  } catch {
    // The files are wherever their folder is now.
    const test = had ? `-name ${shellWord(keptName(file))}` : `-inum ${put?.id.split(':')[1]}`;
    return had || put !== undefined ? [`find ${at(root)} -xdev ${test}`] : [];
  }
}

function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}
