import { join } from 'node:path';
import { lock, type Patience, type Release, removeDeadLocks } from './lock.js';
import { shortName } from './short_name.js';

/** Where the locks that recipes name are kept: one folder for all runs of the host, wherever their state is. */
const hostLocks = '/run';
const hostLockPrefix = 'chrootfile-lock-';

/** Where a lock is kept that all runs of the host share, wherever their state is. */
export function hostLock(name: string): string {
  return join(hostLocks, hostLockPrefix + shortName(name));
}

/** Runs something while holding locks of the host that a recipe names, however long others hold them. */
export async function withHostLocks<T>(names: readonly string[], purpose: string, patience: Omit<Patience, 'ms'>, action: () => Promise<T>): Promise<T> {
  const held: Release[] = [];
  try {
    // Always in one order: two that want the same two never wait for each other.
    for (const name of [...names].sort()) held.push(await lock(hostLock(name), purpose, { ...patience, ms: Number.POSITIVE_INFINITY }));
    return await action();
  } finally {
    for (const release of held.reverse()) await release();
  }
}

/** Removes the locks that recipes name whose owners died. */
export function removeDeadHostLocks(): void {
  removeDeadLocks(hostLocks, hostLockPrefix);
}
