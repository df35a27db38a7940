import { setTimeout as sleep } from 'node:timers/promises';
import type { Ec2 } from './client.js';
import { codeOf, inCall, isNotFound, isPassingLimit, isRefusal, isThrottling } from './errors.js';
import { ec2Policy } from './policy.js';

/** What is waited for, and how it looks. */
export interface Wait<T> {
  readonly ec2: Ec2;
  /** What kind of thing it is, for the report: `volume`. */
  readonly thing: string;
  /** In words: `volume vol-1 to be available`. */
  readonly what: string;
  /** The call that looks, for messages. */
  readonly call: string;
  /** Looks once; undefined when the thing cannot be seen (yet). */
  readonly look: (signal: AbortSignal) => Promise<T | undefined>;
  /** How it looked in the answer to the call before: not asked again at once. */
  readonly answered?: T | undefined;
  /** Whether it is as it should be. Throws when it never will be. */
  readonly done: (seen: T) => boolean;
  /** Whether it being gone is what is waited for. */
  readonly gone?: boolean;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly progress?: ((seen: T) => void) | undefined;
  /** How much of it is done, from 0 to 1, where EC2 tells. */
  readonly fraction?: (seen: T) => number;
}

/**
 * Waits for something at EC2: looks at once, unless the answer that made it says how it is, then after short delays that grow.
 * @throws Error when it takes longer than the limit, when it will never be, or when EC2 refuses to tell.
 */
export async function waitFor<T>(wait: Wait<T>): Promise<T | undefined> {
  const { metrics } = wait.ec2;
  const started = performance.now();
  metrics.waitsFor.add(wait.what);
  try {
    return await watch(wait);
  } finally {
    metrics.waitsFor.delete(wait.what);
    metrics.waited(wait.thing, performance.now() - started);
  }
}

async function watch<T>({ ec2, what, call, look, answered, done, gone = false, limitMs, signal, progress, fraction }: Wait<T>): Promise<T | undefined> {
  const started = performance.now();
  let lastSeen = started;
  let last = '';
  for (let told = answered; ; told = undefined) {
    let seen: T | undefined;
    try {
      seen = told ?? (await unlessAborted(signal, look(signal)));
      last = '';
    } catch (error) {
      signal.throwIfAborted();
      if (isNotFound(error)) seen = undefined;
      else if (isRefusal(error) || (codeOf(error) !== undefined && !isPassing(error, ec2))) throw inCall(call, error);
      else last = ` (${(error as Error).message})`;
    }
    const waited = performance.now() - started;
    if (seen !== undefined) lastSeen = performance.now();
    if (seen === undefined && last === '') {
      if (gone) return undefined;
      if (performance.now() - lastSeen > ec2Policy.eventualConsistencyMs) throw new Error(`waited for ${what}: it does not exist`);
    } else if (seen !== undefined) {
      if (done(seen)) return seen;
      progress?.(seen);
    }
    if (waited > limitMs) throw new Error(`timed out after ${Math.round(waited / 1000)} s waiting for ${what}${last}`);
    const next = pauseAfter(waited, seen === undefined ? undefined : fraction?.(seen));
    await pause(Math.min(next, limitMs), signal);
  }
}

/** Waits. @throws the signal's reason when it aborts: the limit of a task, a cancel. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** When to look again: often at first, later in proportion to what it took so far, and by EC2's own word where it has one. */
function pauseAfter(waitedMs: number, done = 0): number {
  const wanted = done > 0 ? ((waitedMs * (1 - done)) / done) * ec2Policy.pollOfRest : Math.max(ec2Policy.pollSteadyMs, waitedMs * ec2Policy.pollOfWaited);
  return Math.min(Math.max(wanted, ec2Policy.pollFirstMs), ec2Policy.pollMostMs);
}

/** Faults that pass by themselves: throttling and faults of the server. On this machine it is a disk that fails, at every try. */
function isPassing(error: unknown, { cloud }: Ec2): boolean {
  if (cloud.provider === 'local' && codeOf(error) === 'InternalError') return false;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 500;
  return status >= 500 || isThrottling(error);
}

/**
 * Does something to a thing that was just made: EC2 may not know it everywhere yet.
 * @throws Error when EC2 does not know it for longer than that takes, and for every other error at once.
 */
export async function onceKnown<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  const started = performance.now();
  for (let delay: number = ec2Policy.pollFirstMs; ; delay = Math.min(delay * ec2Policy.pollBackoff, ec2Policy.pollMostMs)) {
    try {
      // Finishes even when the run is cancelled: undo must not meet a resource that is still being created.
      return await action();
    } catch (error) {
      if (!isNotFound(error) || performance.now() - started > ec2Policy.eventualConsistencyMs) throw error;
      await pause(delay, signal);
    }
  }
}

/** Says what is waited for. */
export type Progress = (text: string) => void;

/**
 * Does something as soon as EC2's limits allow it: those that pass when other work ends are waited out.
 * @throws the signal's reason when it aborts, as by the timeout of the task; every other error at once.
 */
export async function onceAllowed<T>(signal: AbortSignal, progress: Progress, action: () => Promise<T>): Promise<T> {
  for (let delay: number = ec2Policy.limitFirstMs; ; delay = Math.min(delay * 2, ec2Policy.limitMostMs)) {
    try {
      return await action();
    } catch (error) {
      if (!isPassingLimit(error)) throw error;
      const ms = delay * (0.75 + Math.random() / 2);
      progress(`EC2 has reached a limit (${codeOf(error)}), trying again in ${Math.ceil(ms / 1000)} s`);
      await pause(ms, signal);
    }
  }
}

/** What a promise gives, unless the wait for it is ended: a request may be tried again for minutes. */
async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  // Before anything else: nobody may be left to hear of its failure.
  promise.catch(() => {});
  signal.throwIfAborted();
  let end = () => {};
  const aborted = new Promise<never>((_, fail) => {
    end = () => fail(signal.reason);
    signal.addEventListener('abort', end);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/**
 * How long it may still take until EC2 shows everywhere what was asked for at a time. Never longer than that takes in all,
 * whatever the clocks of then and now say.
 * @param askedAt an ISO time; one that cannot be read is long ago.
 */
export function unknownForMs({ consistent }: Ec2, askedAt: string): number {
  const since = Date.now() - Date.parse(askedAt);
  return consistent || Number.isNaN(since) ? 0 : Math.min(Math.max(ec2Policy.eventualConsistencyMs - since, 0), ec2Policy.eventualConsistencyMs);
}

/**
 * Removes a thing. That it is not there counts when EC2 must know it by now: something just made may not show yet.
 * @param madeAt when it was asked for, as an ISO time.
 */
export async function remove(ec2: Ec2, call: string, madeAt: string, signal: AbortSignal, action: () => Promise<unknown>): Promise<void> {
  const known = performance.now() + unknownForMs(ec2, madeAt);
  for (;;) {
    try {
      await action();
      return;
    } catch (error) {
      if (!isNotFound(error)) throw inCall(call, error);
      if (performance.now() >= known) return;
      await pause(ec2Policy.pollFirstMs * 4, signal);
    }
  }
}
