import { existsSync, lstatSync, mkdirSync, renameSync, rmdirSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeFile, syncFile, syncFolder } from '../linux/atomic_write.js';
import type { RunCommand } from './loop_devices.js';

/** File systems that share blocks between files, with the command that makes one in a file. */
const makers = {
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q'],
} as const;

export type PoolType = keyof typeof makers;

/** The file with the file system that the state is kept on, where there is one. */
function poolFile(root: string): string {
  return `${root}.img`;
}

/** The pool while it is made; it is removed when somebody finds it later. */
function draftFile(root: string): string {
  return `${root}.img.new`;
}

/** Whether the state of the embedded EC2 is on a pool. */
export function hasPool(root: string): boolean {
  return existsSync(poolFile(root));
}

/**
 * Makes a file system in a sparse file, with all of the state on it, for {@link takePool}. On it volumes and snapshots
 * share their blocks and are made at once. To be called by one process at a time, while nothing uses the state.
 * @throws Error when it cannot be made or mounted, or shares no blocks; nothing is changed then.
 */
export async function draftPool(run: RunCommand, root: string, type: PoolType, bytes: number): Promise<void> {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  if (isMounted(root) || lstatSync(root).isSymbolicLink()) throw new Error(`${root} is a mount or a link of its own`);
  await mustHaveRoom(run, root);
  const draft = draftFile(root);
  try {
    writeFileSync(draft, '', { mode: 0o600, flag: 'wx' });
    truncateSync(draft, bytes);
    await run([...makers[type], draft]);
    await run(['unshare', '--mount', '--pid', '--fork', '--kill-child', '--', '/bin/sh', '-ec', moveScript, 'move', draft, root]);
  } catch (error) {
    removeFile(draft);
    throw error;
  }
}

/**
 * Takes a draft for the pool: moves the state out of the way, mounts the pool there, and removes the state it holds a
 * copy of. What a kill leaves of that is ended, or taken back, by the next {@link openPool}.
 */
export async function takePool(run: RunCommand, root: string): Promise<void> {
  await syncFile(draftFile(root));
  renameSync(root, oldFolder(root));
  try {
    renameSync(draftFile(root), poolFile(root));
    syncFolder(dirname(root));
    await openPool(run, root);
  } catch (error) {
    // Once it is mounted the pool counts, and what is left to be removed is removed when it is next opened.
    if (isMounted(root)) throw error;
    removeFile(poolFile(root));
    moveBack(root);
    throw error;
  }
}

/** Where the state was before there was a pool, until it is removed. */
function oldFolder(root: string): string {
  return `${root}.old`;
}

function moveBack(root: string): void {
  if (!existsSync(oldFolder(root))) return;
  if (existsSync(root)) rmdirSync(root);
  renameSync(oldFolder(root), root);
}

/** What is there is copied before it is removed; a sparse file promises room that the host may not have. */
async function mustHaveRoom(run: RunCommand, root: string): Promise<void> {
  const used = Number((await run(['du', '--summarize', '--block-size=1', '--', root])).split('\t')[0]);
  const { bavail, bsize } = statfsSync(root);
  const free = bavail * bsize;
  if (used > free) throw new Error(`${Math.ceil(used / miB)} MiB must be copied, and ${Math.floor(free / miB)} MiB are free`);
}

const miB = 2 ** 20;

/** In namespaces that end with it: whatever happens, no mount is left. What cannot be written shows at the sync. */
const moveScript = `cd -- "$2"
mount -o loop -- "$1" /mnt
echo shared > /mnt/try
cp --reflink=always /mnt/try /mnt/try2
rm /mnt/try /mnt/try2
chmod 700 /mnt
cp -a --sparse=always . /mnt/
sync --file-system /mnt
umount /mnt`;

/**
 * Mounts the pool where it is not mounted yet, as after a start of the machine; without a pool nothing happens.
 * What a killed {@link draftPool} left is removed. To be called by one process at a time. mount takes the loop device
 * that another mount namespace uses already, and the kernel lets go of it with the last of them.
 */
export async function openPool(run: RunCommand, root: string): Promise<void> {
  removeFile(draftFile(root));
  if (!hasPool(root)) return moveBack(root);
  if (!isMounted(root)) {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    // With discard, what is deleted on the pool takes no room on the host.
    await run(['mount', '-o', 'loop,noatime,discard', '--', poolFile(root), root]);
  }
  rmSync(oldFolder(root), { recursive: true, force: true });
}

/** Removes all state, and the pool with it. To be called by one process at a time, while nothing uses it. */
export async function removePool(run: RunCommand, root: string): Promise<void> {
  if (hasPool(root) && isMounted(root)) await run(['umount', '--', root]);
  for (const path of [poolFile(root), root, oldFolder(root)]) rmSync(path, { recursive: true, force: true });
}

function isMounted(root: string): boolean {
  return existsSync(root) && statSync(root).dev !== statSync(dirname(root)).dev;
}
