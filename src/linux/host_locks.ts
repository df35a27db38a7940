import { join } from 'node:path';
import { lock, type Patience, type Release, removeDeadLocks } from './lock.js';
import { shortName } from './short_name.js';

/** The folder of locks that recipes name. All runs of the host share it, whatever their state folder. */
const hostLocks = '/run';
const hostLockPrefix = 'chrootfile-lock-';

/** The path of a lock that all runs of the host share. */
export function hostLock(name: string): string {
  return join(hostLocks, hostLockPrefix + shortName(name));
}

/** Runs an action while holding the named host locks. Waits for them without a time limit. */
export async function withHostLocks<T>(names: readonly string[], purpose: string, patience: Omit<Patience, 'ms'>, action: () => Promise<T>): Promise<T> {
  const held: Release[] = [];
  try {
    // Lock in a fixed order, so that two runs that need the same locks never wait for each other.
    for (const name of [...names].sort()) held.push(await lock(hostLock(name), purpose, { ...patience, ms: Number.POSITIVE_INFINITY }));
    return await action();
  } finally {
    for (const release of held.reverse()) await release();
  }
}

/** Removes locks that recipes name and whose owners died. */
export function removeDeadHostLocks(): void {
  removeDeadLocks(hostLocks, hostLockPrefix);
}
