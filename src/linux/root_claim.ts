import { hostLock } from './host_locks.js';
import { LockedError, lock, type Release } from './lock.js';
import type { FolderId } from './stand_in_files.js';

/** Which folder is claimed, and by whom: `RUN TASK`; by nobody in notes of older versions. */
export interface RootClaim {
  readonly root: string;
  readonly id: FolderId;
  readonly by?: string;
}

/** What this process holds of them, or is about to, by the root and who claims it. */
const claims = new Map<string, Promise<Release>>();

/**
 * Keeps the stand-ins of other chroots out of a root until {@link unclaimRoot}, or the end of this process: two would put
 * back each other's. Claimed once more by the same chroot, it stays so.
 * @throws Error that names the other chroot.
 */
export async function claimRoot({ root, id, by }: RootClaim): Promise<void> {
  if (by === undefined) return;
  const key = `${nameOf(id)} ${by}`;
  const claim = claims.get(key) ?? lock(hostLock(nameOf(id)), by);
  claims.set(key, claim);
  try {
    await claim;
  } catch (error) {
    if (claims.get(key) === claim) claims.delete(key);
    if (!(error instanceof LockedError)) throw error;
    const { pid, purpose = '?', since } = error.owner ?? {};
    const [run, task] = purpose.split(' ');
    const whose = `${task} of run ${run} (process ${pid}, since ${since})`;
    throw new Error(
      `${root} is the root of another chroot, ${whose}, and files of this machine stand in there already\n  help: begin once that is released, e.g. needs: [${task}.released], or let tasks of both run in one`,
      { cause: error },
    );
  }
}

export async function unclaimRoot({ id, by }: RootClaim): Promise<void> {
  const key = `${nameOf(id)} ${by}`;
  const release = await claims.get(key);
  claims.delete(key);
  await release?.();
}

/** No recipe can name such a lock. */
function nameOf({ device, inode }: FolderId): string {
  return `@root-${device}-${inode}`;
}
