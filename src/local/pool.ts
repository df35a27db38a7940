import { existsSync, mkdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { RunCommand } from './disks.js';

/** File systems that share blocks between files, with the command that makes one in a file. */
const makers = {
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q'],
} as const;

export type PoolType = keyof typeof makers;
export const poolTypes = Object.keys(makers) as PoolType[];

/** The file with the file system that the state is kept on, where there is one. */
function poolFile(root: string): string {
  return `${root}.img`;
}

/** Whether the state of the embedded EC2 is on a pool. */
export function hasPool(root: string): boolean {
  return existsSync(poolFile(root));
}

/**
 * Puts the state on a file system of its own in a sparse file, so that volumes and snapshots share their blocks and
 * are made at once. What is there already moves along.
 * @throws Error when the file system cannot be made or mounted, or shares no blocks; nothing is changed then.
 */
export async function makePool(run: RunCommand, root: string, type: PoolType, bytes: number): Promise<void> {
  const draft = `${poolFile(root)}.new`;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  rmSync(draft, { force: true });
  try {
    writeFileSync(draft, '', { mode: 0o600, flag: 'wx' });
    truncateSync(draft, bytes);
    await run([...makers[type], draft]);
    await run(['unshare', '--mount', '--', '/bin/sh', '-ec', moveScript, 'move', draft, root]);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  renameSync(draft, poolFile(root));
  renameSync(root, `${root}.old`);
  await openPool(run, root);
  rmSync(`${root}.old`, { recursive: true, force: true });
}

/** In a mount namespace that ends with it: whatever happens, no mount is left. */
const moveScript = `mount -o loop -- "$1" /mnt
echo shared > /mnt/try
cp --reflink=always /mnt/try /mnt/try2
rm /mnt/try /mnt/try2
chmod 700 /mnt
cp -a --sparse=always -- "$2/." /mnt/`;

/**
 * Mounts the pool where it is not mounted yet, as after a start of the machine; without a pool nothing happens.
 * To be called by one process at a time. mount takes the loop device that another mount namespace uses already,
 * and the kernel lets go of it with the last of them.
 */
export async function openPool(run: RunCommand, root: string): Promise<void> {
  if (!hasPool(root) || isMounted(root)) return;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  // With discard, what is deleted on the pool takes no room on the host.
  await run(['mount', '-o', 'loop,noatime,discard', '--', poolFile(root), root]);
}

/** Removes all state, and the pool with it. */
export async function removePool(run: RunCommand, root: string): Promise<void> {
  if (hasPool(root) && isMounted(root)) await run(['umount', '--', root]);
  for (const path of [poolFile(root), `${poolFile(root)}.new`, root, `${root}.old`]) rmSync(path, { recursive: true, force: true });
}

function isMounted(root: string): boolean {
  return existsSync(root) && statSync(root).dev !== statSync(dirname(root)).dev;
}
