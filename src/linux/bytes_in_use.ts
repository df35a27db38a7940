import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { byLink, partitionsOf } from './block_devices.js';
import { writableOn } from './quiet_disk.js';

/** About how many bytes of an attached volume are in use, if its disk is a file or its file systems are mounted; otherwise 0. */
export function bytesInUse(volume: string): number {
  const device = byLink(volume);
  if (device === undefined) return 0;
  const file = join('/sys/class/block', basename(device), 'loop/backing_file');
  const disk = existsSync(file) ? statSync(readFileSync(file, 'utf8').trim(), { throwIfNoEntry: false }) : undefined;
  // What was written a moment ago is in the file systems, and not yet in the file.
  const mounted = writableOn([...partitionsOf(device).values(), device]).map(({ path }) => usedIn(path));
  return Math.max(
    (disk?.blocks ?? 0) * 512,
    mounted.reduce((sum, bytes) => sum + bytes, 0),
  );
}

/** Source: statfs(2). */
function usedIn(path: string): number {
  const { blocks, bfree, bsize } = statfsSync(path);
  return (blocks - bfree) * bsize;
}
