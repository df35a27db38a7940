import { existsSync, lstatSync, mkdirSync, renameSync, rmdirSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeFile, syncFile, syncFolder } from '../linux/atomic_write.js';
import type { RunCommand } from './loop_devices.js';

/** File systems that share blocks between files, with the command that creates one in a file. */
const makers = {
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q'],
} as const;

export type PoolType = keyof typeof makers;

/** The file that contains the pool's file system, if there is a pool. */
function poolFile(root: string): string {
  return `${root}.img`;
}

/** The pool while it is being created. If it is found later, it is removed. */
function draftFile(root: string): string {
  return `${root}.img.new`;
}

/** Whether the state of the embedded EC2 is in a pool. */
export function hasPool(root: string): boolean {
  return existsSync(poolFile(root));
}

/**
 * Creates a file system in a sparse file and copies the state onto it, for {@link takePool}. There, volumes and
 * snapshots share their blocks and are created instantly. Only one process may call this, while nothing uses the
 * state.
 * @throws Error when it cannot be created or mounted, or cannot share blocks. Nothing is changed then.
 */
export async function draftPool(run: RunCommand, root: string, type: PoolType, bytes: number): Promise<void> {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  if (isMounted(root) || lstatSync(root).isSymbolicLink()) throw new Error(`${root} is a mount point or a link`);
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
 * Activates a draft as the pool: moves the state aside, mounts the pool in its place, and removes the old state. If
 * this is interrupted, the next {@link openPool} finishes or undoes it.
 */
export async function takePool(run: RunCommand, root: string): Promise<void> {
  await syncFile(draftFile(root));
  renameSync(root, oldFolder(root));
  try {
    renameSync(draftFile(root), poolFile(root));
    syncFolder(dirname(root));
    await openPool(run, root);
  } catch (error) {
    // Once it is mounted, the pool is in use. The next open removes what is left of the old state.
    if (isMounted(root)) throw error;
    removeFile(poolFile(root));
    moveBack(root);
    throw error;
  }
}

/** The state from before there was a pool, until it is removed. */
function oldFolder(root: string): string {
  return `${root}.old`;
}

function moveBack(root: string): void {
  if (!existsSync(oldFolder(root))) return;
  if (existsSync(root)) rmdirSync(root);
  renameSync(oldFolder(root), root);
}

/** The state is copied before it is removed. A sparse file may promise more space than the host has. */
async function mustHaveRoom(run: RunCommand, root: string): Promise<void> {
  const used = Number((await run(['du', '--summarize', '--block-size=1', '--', root])).split('\t')[0]);
  const { bavail, bsize } = statfsSync(root);
  const free = bavail * bsize;
  if (used > free) throw new Error(`${Math.ceil(used / miB)} MiB must be copied, but only ${Math.floor(free / miB)} MiB are free`);
}

const miB = 2 ** 20;

/** Runs in its own namespaces, so that no mount is left in any case. Write errors appear at the sync. */
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
 * Mounts the pool if it is not mounted, for example after a reboot. Does nothing without a pool. Removes leftovers of
 * a killed {@link draftPool}. Only one process may call this at a time. mount reuses the loop device of other mount
 * namespaces, and the kernel detaches it after the last of them.
 */
export async function openPool(run: RunCommand, root: string): Promise<void> {
  removeFile(draftFile(root));
  if (!hasPool(root)) return moveBack(root);
  if (!isMounted(root)) {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    // With discard, deleted files of the pool occupy no space on the host.
    await run(['mount', '-o', 'loop,noatime,discard', '--', poolFile(root), root]);
  }
  rmSync(oldFolder(root), { recursive: true, force: true });
}

/** Removes all state, including the pool. Only one process may call this at a time, while nothing uses the state. */
export async function removePool(run: RunCommand, root: string): Promise<void> {
  if (hasPool(root) && isMounted(root)) await run(['umount', '--', root]);
  for (const path of [poolFile(root), root, oldFolder(root)]) rmSync(path, { recursive: true, force: true });
}

function isMounted(root: string): boolean {
  return existsSync(root) && statSync(root).dev !== statSync(dirname(root)).dev;
}
