import { hostLock } from './host_locks.js';
import { LockedError, lock, type Release } from './lock.js';
import type { FolderId } from './stand_in_files.js';

/** The claimed folder, and its owner as `RUN TASK`. Notes of older versions have no owner. */
export interface RootClaim {
  readonly root: string;
  readonly id: FolderId;
  readonly by?: string;
}

/** The claims that this process holds or is taking, by root and owner. */
const claims = new Map<string, Promise<Release>>();

/**
 * Keeps the stand-ins of other chroots out of a root until {@link unclaimRoot} or the end of this process. Two chroots
 * on the same root would restore each other's files. Claiming again for the same chroot changes nothing.
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
      `${root} is already the root of another chroot, ${whose}, which has replaced files in it\n  help: start after its release, e.g. needs: [${task}.released], or use one chroot for the tasks of both`,
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

/** A lock name that no recipe can use. */
function nameOf({ device, inode }: FolderId): string {
  return `@root-${device}-${inode}`;
}
