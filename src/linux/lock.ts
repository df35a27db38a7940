import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, stat, statSync, unlinkSync, utimes, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import lockfile from 'proper-lockfile';
import { draftEnding } from './atomic_write.js';
import { removeMountPoint } from './mounts.js';
import { hostPolicy } from './policy.js';
import { ownIdentity, type ProcessIdentity, startTimeOf, stateOf } from './process_identity.js';

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

/** What a lock says of who holds it. */
export interface LockOwner extends ProcessIdentity {
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
 * cannot be asked, when it has not renewed the lock for `hostPolicy.lockStaleMs`.
 *
 * A lock is a folder with one file in it, which says whose it is, under a name that nobody else ever uses. Both come
 * into being by one rename, which the kernel refuses while another file is in the folder; and the lock is given back,
 * or taken from a dead owner, by removing that file. So nobody can remove a lock but the one he has looked at.
 * @throws LockedError when the patience is over; the signal's reason when it aborts; Error where a lock cannot be
 * made, or that of a dead process not be removed.
 */
export async function lock(path: string, purpose: string, patience: Patience = { ms: 0 }): Promise<Release> {
  const until = performance.now() + patience.ms;
  const { signal } = patience;
  let told = false;
  for (let delay = 1; ; delay = Math.min(delay * 2, 100)) {
    breakIfDead(path);
    const release = await tryLock(path, purpose);
    if (release !== undefined) return release;
    signal?.throwIfAborted();
    if (performance.now() >= until) throw new LockedError(path, ownerOf(path));
    if (!told) patience.onWait?.(ownerOf(path));
    told = true;
    await sleep(delay + Math.random() * delay, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** Runs something while holding a lock that others hold for moments only. */
export async function withLock<T>(path: string, purpose: string, action: () => T | Promise<T>): Promise<T> {
  const release = await lock(path, purpose, { ms: hostPolicy.lockWaitMs });
  try {
    return await action();
  } finally {
    await release();
  }
}

/**
 * What dead processes left of locks in a folder: the locks they held, and drafts. One that is alive where it cannot be
 * seen from here makes its draft again.
 */
export function deadLocksIn(folder: string, prefix = ''): string[] {
  return namesIn(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(folder, name))
    .filter((path) => {
      const [, pid, started] = /\.lock\.(\d+)-(\d+)-\d+\.new$/.exec(path) ?? [];
      if (pid !== undefined) return startTimeOf(Number(pid)) !== started;
      // Format 1 kept the owner beside the lock.
      if (path.endsWith('.owner')) return statSync(path.replace(/owner$/, 'lock'), { throwIfNoEntry: false }) === undefined;
      const of = path.slice(0, -'.lock'.length);
      const hold = path.endsWith('.lock') ? holdOn(of) : undefined;
      return path.endsWith('.lock') && (hold === undefined || isOver(of, hold));
    });
}

/** Removes what {@link deadLocksIn} finds. */
export function removeDeadLocks(folder: string, prefix = ''): void {
  for (const path of deadLocksIn(folder, prefix)) {
    if (!path.endsWith('.lock')) rmSync(path, { recursive: true, force: true });
    else {
      // Looked at again: somebody may have taken it meanwhile. Without a hold it is only an empty folder.
      breakIfDead(path.slice(0, -'.lock'.length));
      removeMountPoint(path);
    }
  }
}

/** Who holds a lock, as far as is known. */
export function ownerOf(path: string): LockOwner | undefined {
  return holdOn(path)?.owner;
}

/** Whether a lock is held by somebody who lives, as far as can be told. */
export function isHeld(path: string): boolean {
  const hold = holdOn(path);
  return hold !== undefined && !isOver(path, hold);
}

/** The file by which a lock is held, and what it says. */
interface Hold {
  readonly file: string;
  /** Undefined where it cannot be read: only a power cut leaves that. */
  readonly owner: LockOwner | undefined;
}

function holdOn(path: string): Hold | undefined {
  const folder = lockFolder(path);
  const [name] = namesIn(folder);
  if (name !== undefined) return { file: join(folder, name), owner: ownerIn(join(folder, name)) };
  // Format 1: an empty folder, its inode in a file beside it.
  const owner = ownerIn(`${path}.owner`) as (LockOwner & { readonly inode?: number }) | undefined;
  const inode = statSync(folder, { throwIfNoEntry: false })?.ino;
  return owner === undefined || inode === undefined || owner.inode !== inode ? undefined : { file: `${path}.owner`, owner };
}

function ownerIn(file: string): LockOwner | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LockOwner;
  } catch (error) {
    // Any other error says nothing about who holds it.
    if (error instanceof SyntaxError || ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/**
 * Whether a hold is nobody's: its owner has died, or could not be asked and has not renewed the lock for long, or is this
 * process, which could not remove it when it gave the lock back.
 */
function isOver(path: string, { file, owner }: Hold): boolean {
  if (owner === undefined) return true;
  const state = stateOf(owner);
  const isOurs = owner.pid === process.pid && state === 'alive' && !file.endsWith('.owner');
  return state === 'dead' || (state === 'unknown' && !isFresh(path)) || (isOurs && !held.has(file));
}

/** The files by which this process holds locks. */
const held = new Set<string>();

/** A time that lies ahead is of a clock that was set back since. */
function isFresh(path: string): boolean {
  const renewed = statSync(lockFolder(path), { throwIfNoEntry: false })?.mtimeMs;
  return renewed !== undefined && Math.abs(Date.now() - renewed) < hostPolicy.lockStaleMs;
}

/** Takes a lock away from an owner that is over. @throws Error where that cannot be done, e.g. on a read-only file system. */
function breakIfDead(path: string): void {
  const hold = holdOn(path);
  if (hold === undefined || !isOver(path, hold)) return;
  try {
    letGo(path, hold.file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const whose = hold.owner === undefined ? '' : ` of process ${hold.owner.pid} (${hold.owner.purpose}), which has died,`;
    throw Object.assign(new Error(`the lock ${lockFolder(path)}${whose} cannot be removed: ${(error as Error).message}`, { cause: error }), { code });
  }
}

/** Removes the file by which a lock is held, and its folder. Whoever is quicker has removed it, and may have taken the lock. */
function letGo(path: string, file: string | undefined): void {
  for (const remove of [() => (file === undefined ? undefined : unlinkSync(file)), () => rmdirSync(lockFolder(path))]) {
    try {
      remove();
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}

async function tryLock(path: string, purpose: string): Promise<Release | undefined> {
  // One that lives and was only stopped for a while is not thrown out, however old its lock looks.
  if (holdOn(path) !== undefined) return undefined;
  let own: string | undefined;
  const make = () => {
    own = takeHold(path, purpose);
  };
  const remove = () => {
    if (own === undefined) return;
    held.delete(own);
    letGo(path, own);
  };
  try {
    const release = await lockfile.lock(path, {
      realpath: false,
      stale: hostPolicy.lockStaleMs,
      lockfilePath: lockFolder(path),
      // The library's default throws out of a timer. A lock lost to a suspended machine is no reason to die in mid-run.
      onCompromised: () => {},
      fs: { stat, utimes, mkdir: answering(make), rmdir: answering(remove), rmdirSync: remove },
    });
    return async () => {
      // Released twice, or taken away while the machine slept. The library then leaves what is there to us.
      await release().catch(() => {});
      remove();
    };
  } catch (error) {
    remove();
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
    throw error;
  }
}

/** Makes a lock and says whose it is, in one step. @returns the file by which it is held. @throws EEXIST where somebody holds it. */
function takeHold(path: string, purpose: string): string {
  const identity = ownIdentity();
  taken += 1;
  const name = `${identity.pid}-${identity.started}-${taken}`;
  const draft = `${lockFolder(path)}.${name}${draftEnding}`;
  const owner: LockOwner = { ...identity, purpose, since: new Date().toISOString() };
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    mkdirSync(draft, { mode: 0o700 });
    writeFileSync(join(draft, name), JSON.stringify(owner));
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
  try {
    renameSync(draft, lockFolder(path));
    held.add(join(lockFolder(path), name));
    return join(lockFolder(path), name);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    // Somebody else's lock is there; or the draft was taken for one of a dead process: it is made again.
    if (['ENOTEMPTY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw Object.assign(new Error('locked'), { code: 'EEXIST' });
    throw error;
  }
}

/** How many locks this process has begun to take: no two of its drafts share a name. */
let taken = 0;

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

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

function lockFolder(path: string): string {
  return `${path}.lock`;
}
