import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, stat, statSync, unlinkSync, utimes, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import lockfile from 'proper-lockfile';
import { draftEnding } from './atomic_write.js';
import { removeMountPoint } from './mounts.js';
import { hostPolicy } from './policy.js';
import { ownIdentity, type ProcessIdentity, startTimeOf, stateOf } from './process_identity.js';

/** Another process holds a lock. */
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

/** The owner of a lock, as recorded in it. */
export interface LockOwner extends ProcessIdentity {
  readonly purpose: string;
  readonly since: string;
}

/** Releases a lock. Safe to call twice. */
export type Release = () => Promise<void>;

/** How long to wait for a lock that another process holds. */
export interface Patience {
  readonly ms: number;
  readonly signal?: AbortSignal;
  /** Called once with the owner of the lock, when it must wait. */
  readonly onWait?: (owner: LockOwner | undefined) => void;
}

/**
 * Takes the lock of a path, exclusive on this host. A lock whose owner died is broken at once. If nobody can tell
 * whether the owner lives, the lock is broken when it has not been renewed for `hostPolicy.lockStaleMs`.
 *
 * A lock is a folder that contains one file, which names the owner and has a unique name. One rename creates both, and
 * the kernel refuses it while the folder contains another file. Removing that file releases the lock or takes it from
 * a dead owner. So a process can only remove the lock that it has inspected.
 * @throws LockedError when the time is over; the signal's reason when it aborts; Error when a lock cannot be created
 * or the lock of a dead process cannot be removed.
 */
export async function lock(path: string, purpose: string, patience: Patience = { ms: 0 }): Promise<Release> {
  const until = performance.now() + patience.ms;
  const { signal } = patience;
  let hasReported = false;
  for (let delay = 1; ; delay = Math.min(delay * 2, 100)) {
    breakIfDead(path);
    const release = await tryLock(path, purpose);
    if (release !== undefined) return release;
    signal?.throwIfAborted();
    if (performance.now() >= until) throw new LockedError(path, ownerOf(path));
    if (!hasReported) patience.onWait?.(ownerOf(path));
    hasReported = true;
    await sleep(delay + Math.random() * delay, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** Runs an action while holding a lock that is only ever held briefly. */
export async function withLock<T>(path: string, purpose: string, action: () => T | Promise<T>): Promise<T> {
  const release = await lock(path, purpose, { ms: hostPolicy.lockWaitMs });
  try {
    return await action();
  } finally {
    await release();
  }
}

/**
 * Leftovers of dead processes in a folder of locks: locks they held, and drafts. A living process in another pid
 * namespace may lose its draft; it creates it again.
 */
export function deadLocksIn(folder: string, prefix = ''): string[] {
  return namesIn(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(folder, name))
    .filter((path) => {
      const [, pid, started] = /\.lock\.(\d+)-(\d+)-\d+\.new$/.exec(path) ?? [];
      if (pid !== undefined) return startTimeOf(Number(pid)) !== started;
      // In format 1, the owner was in a separate file.
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
      // Check again, because another process may have taken the lock meanwhile. Without an owner file, only an empty
      // folder is removed.
      breakIfDead(path.slice(0, -'.lock'.length));
      removeMountPoint(path);
    }
  }
}

/** The owner of a lock, as far as it is known. */
export function ownerOf(path: string): LockOwner | undefined {
  return holdOn(path)?.owner;
}

/** Whether a living process holds a lock, as far as can be determined. */
export function isHeld(path: string): boolean {
  const hold = holdOn(path);
  return hold !== undefined && !isOver(path, hold);
}

/** The file that marks a lock as held, and its content. */
interface Hold {
  readonly file: string;
  /** Undefined when it is unreadable, which only a power cut can cause. */
  readonly owner: LockOwner | undefined;
}

function holdOn(path: string): Hold | undefined {
  const folder = lockFolder(path);
  const [name] = namesIn(folder);
  if (name !== undefined) return { file: join(folder, name), owner: ownerIn(join(folder, name)) };
  // Format 1: an empty folder, with its inode number in a separate file.
  const owner = ownerIn(`${path}.owner`) as (LockOwner & { readonly inode?: number }) | undefined;
  const inode = statSync(folder, { throwIfNoEntry: false })?.ino;
  return owner === undefined || inode === undefined || owner.inode !== inode ? undefined : { file: `${path}.owner`, owner };
}

function ownerIn(file: string): LockOwner | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LockOwner;
  } catch (error) {
    // Any other error does not show whether somebody holds the lock.
    if (error instanceof SyntaxError || ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/**
 * Whether a lock can be broken: its owner has died; or its state is unknown and it has not been renewed for long; or
 * it is this process, which failed to remove the file when it released the lock.
 */
function isOver(path: string, { file, owner }: Hold): boolean {
  if (owner === undefined) return true;
  const state = stateOf(owner);
  const isOurs = owner.pid === process.pid && state === 'alive' && !file.endsWith('.owner');
  return state === 'dead' || (state === 'unknown' && !isFresh(path)) || (isOurs && !held.has(file));
}

/** The files of the locks that this process holds. */
const held = new Set<string>();

/** A time in the future comes from a clock that has been set back since. */
function isFresh(path: string): boolean {
  const renewed = statSync(lockFolder(path), { throwIfNoEntry: false })?.mtimeMs;
  return renewed !== undefined && Math.abs(Date.now() - renewed) < hostPolicy.lockStaleMs;
}

/** Breaks a lock that nobody holds any more. @throws Error when that fails, e.g. on a read-only file system. */
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

/** Removes the file of a lock and its folder. Another process may have removed them first, and may have taken the lock. */
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
  // An owner that lives and was only suspended keeps its lock, however old the lock looks.
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
      // The default of the library throws from a timer. Losing a lock while the machine was suspended is no reason to
      // crash during a run.
      onCompromised: () => {},
      fs: { stat, utimes, mkdir: answering(make), rmdir: answering(remove), rmdirSync: remove },
    });
    return async () => {
      // The lock was released twice, or taken while the machine was suspended. The library then leaves the files in
      // place.
      await release().catch(() => {});
      remove();
    };
  } catch (error) {
    remove();
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
    throw error;
  }
}

/** Creates a lock with its owner, in one step. @returns the file of the lock. @throws EEXIST when another process holds it. */
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
    // Another process holds the lock, or took this draft for one of a dead process. In that case the draft is created
    // again.
    if (['ENOTEMPTY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw Object.assign(new Error('locked'), { code: 'EEXIST' });
    throw error;
  }
}

/** A counter that makes the names of this process's drafts unique. */
let taken = 0;

/** Wraps an action in the callback form that the library expects of a file system. */
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
