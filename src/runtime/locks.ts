import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, type Stats, stat, statSync, utimes, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import lockfile from 'proper-lockfile';
import { policy } from './policy.js';
import { ownIdentity, type ProcessIdentity, stateOf } from './process.js';

/** Somebody else holds a lock. */
export class LockedError extends Error {
  constructor(
    readonly path: string,
    readonly owner: LockOwner | undefined,
  ) {
    const who = owner === undefined ? 'another process' : `process ${owner.pid} (${owner.purpose}, since ${owner.since})`;
    super(`${path} is locked by ${who}`);
    this.name = 'LockedError';
  }
}

/** What the owner file beside a lock says. */
export interface LockOwner extends ProcessIdentity {
  /** The inode of the lock's folder: an owner file may be older than the lock. */
  readonly inode: number;
  readonly purpose: string;
  readonly since: string;
}

/** Gives a lock back. Safe to call twice. */
export type Release = () => Promise<void>;

/** How long to wait for a lock that somebody holds. */
export interface Patience {
  readonly ms: number;
  readonly signal?: AbortSignal;
  /** Is told once who holds it. */
  readonly onWait?: (owner: LockOwner | undefined) => void;
}

/**
 * Takes the lock of a path, for all processes of the host. An owner that died is thrown out at once; one that
 * cannot be asked, when it has not renewed the lock for `policy.lockStaleMs`.
 * @throws LockedError when the patience is over; the signal's reason when it aborts.
 */
export async function lock(path: string, purpose: string, patience: Patience = { ms: 0 }): Promise<Release> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const until = Date.now() + patience.ms;
  let told = false;
  for (let delay = 1; ; delay = Math.min(delay * 2, 100)) {
    const release = await tryLock(path, purpose);
    if (release !== undefined) return release;
    if (breakIfDead(path)) continue;
    if (Date.now() >= until) throw new LockedError(path, ownerOf(path));
    patience.signal?.throwIfAborted();
    if (!told) patience.onWait?.(ownerOf(path));
    told = true;
    await sleep(delay + Math.random() * delay);
  }
}

/** Runs something while holding a lock that others hold for moments only. */
export async function withLock<T>(path: string, purpose: string, action: () => T | Promise<T>): Promise<T> {
  const release = await lock(path, purpose, { ms: policy.lockWaitMs });
  try {
    return await action();
  } finally {
    await release();
  }
}

/** Where the locks that recipes name are kept: one folder for all runs of the host, wherever their state is. */
const hostLocks = '/run';
const hostLockPrefix = 'chrootfile-lock-';

/** Runs something while holding locks of the host that a recipe names, however long others hold them. */
export async function withHostLocks<T>(names: readonly string[], purpose: string, patience: Omit<Patience, 'ms'>, action: () => Promise<T>): Promise<T> {
  const held: Release[] = [];
  try {
    // Always in one order: two that want the same two never wait for each other.
    for (const name of [...names].sort())
      held.push(await lock(join(hostLocks, `${hostLockPrefix}${name}`), purpose, { ...patience, ms: Number.POSITIVE_INFINITY }));
    return await action();
  } finally {
    for (const release of held.reverse()) await release();
  }
}

/** Removes locks of the host whose owners died. */
export function removeDeadHostLocks(): void {
  for (const file of readdirSync(hostLocks)) {
    const [, name] = /^(chrootfile-lock-.*)\.owner$/.exec(file) ?? [];
    const path = join(hostLocks, name ?? '');
    const owner = name === undefined ? undefined : ownerOf(path);
    if (owner === undefined || stateOf(owner) !== 'dead' || !breakIfDead(path)) continue;
    const now = ownerOf(path);
    if (now !== undefined && stateOf(now) === 'dead') rmSync(ownerFile(path), { force: true });
  }
}

/** Who holds a lock, as far as is known. */
export function ownerOf(path: string): LockOwner | undefined {
  try {
    return JSON.parse(readFileSync(ownerFile(path), 'utf8')) as LockOwner;
  } catch {
    return undefined;
  }
}

/** Whether a lock is held by somebody who lives, as far as can be told. */
export function isHeld(path: string): boolean {
  const folder = statSync(lockFolder(path), { throwIfNoEntry: false });
  const owner = ownerOf(path);
  if (folder === undefined) return false;
  if (owner === undefined || owner.inode !== folder.ino || stateOf(owner) === 'unknown') return isFresh(folder);
  return stateOf(owner) === 'alive';
}

async function tryLock(path: string, purpose: string): Promise<Release | undefined> {
  const holder = ownerOf(path);
  // One that lives and was only stopped for a while is not thrown out, however old its lock looks; a dead one not here.
  if (holder !== undefined && holder.inode === inodeOf(lockFolder(path)) && stateOf(holder) !== 'unknown') return undefined;
  let own: number | undefined;
  const make = () => {
    own = makeOwned(path, purpose);
  };
  const remove = () => (own === undefined ? removeStale(path) : removeOwned(path, own));
  try {
    const release = await lockfile.lock(path, {
      realpath: false,
      stale: policy.lockStaleMs,
      lockfilePath: lockFolder(path),
      // The library's default throws out of a timer. A lock lost to a suspended machine is no reason to die in mid-run.
      onCompromised: () => {},
      fs: { stat, utimes, mkdir: answering(make), rmdir: answering(remove), rmdirSync: remove },
    });
    // Released twice, or taken away while the machine slept: nothing is left to give back.
    return () => release().catch(() => {});
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
    throw error;
  }
}

/**
 * Makes the lock's folder and says at once whose it is: who is killed between the two is waited for by everybody,
 * until the lock is stale.
 * @returns the folder's inode.
 */
function makeOwned(path: string, purpose: string): number {
  mkdirSync(lockFolder(path));
  try {
    const inode = statSync(lockFolder(path)).ino;
    const owner: LockOwner = { ...ownIdentity(), inode, purpose, since: new Date().toISOString() };
    writeFileSync(ownerFile(path), JSON.stringify(owner));
    return inode;
  } catch (error) {
    rmdirSync(lockFolder(path));
    throw error;
  }
}

/** Removes a lock of one's own, not what somebody else has taken since. @param inode of its folder. */
function removeOwned(path: string, inode: number): void {
  const owner = ownerOf(path);
  // An inode is used again: it alone does not tell.
  if (inodeOf(lockFolder(path)) !== inode || (owner !== undefined && owner.pid !== process.pid)) return;
  rmSync(ownerFile(path), { force: true });
  rmdirSync(lockFolder(path));
}

/** Removes a lock that was not renewed. @throws Error, as the library does, where somebody was quicker and holds it now. */
function removeStale(path: string): void {
  const folder = statSync(lockFolder(path), { throwIfNoEntry: false });
  if (folder === undefined) return;
  if (isFresh(folder)) throw Object.assign(new Error(`${path} is locked`), { code: 'ELOCKED' });
  if (ownerOf(path)?.inode === folder.ino) rmSync(ownerFile(path), { force: true });
  rmdirSync(lockFolder(path));
}

function isFresh({ mtimeMs }: Stats): boolean {
  return Date.now() - mtimeMs < policy.lockStaleMs;
}

/** In the form in which the library calls the file system. */
function answering(action: () => void) {
  return (_: string, done: (error: unknown) => void) => {
    let problem: unknown = null;
    try {
      action();
    } catch (error) {
      problem = error;
    }
    done(problem);
  };
}

/** Removes the lock of a dead owner. The folder's inode tells whether it is still that owner's. */
function breakIfDead(path: string): boolean {
  const inode = inodeOf(lockFolder(path));
  const owner = ownerOf(path);
  if (inode === undefined || owner?.inode !== inode || stateOf(owner) !== 'dead') return inode === undefined;
  const grave = `${lockFolder(path)}.${process.pid}`;
  try {
    renameSync(lockFolder(path), grave);
  } catch {
    return true;
  }
  const now = ownerOf(path);
  if (inodeOf(grave) !== inode || now === undefined || stateOf(now) !== 'dead') {
    // Somebody else broke it first and holds it now, perhaps with the same inode: give it back.
    renameSync(grave, lockFolder(path));
    return false;
  }
  rmSync(grave, { recursive: true });
  return true;
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function lockFolder(path: string): string {
  return `${path}.lock`;
}

function ownerFile(path: string): string {
  return `${path}.owner`;
}
