import { setTimeout as sleep } from 'node:timers/promises';
import type { Ec2 } from './client.js';
import { codeOf, inCall, isNotFound, isPassingLimit, isRefusal, isThrottling } from './errors.js';
import { ec2Policy } from './policy.js';

/** What to wait for, and how to check it. */
export interface Wait<T> {
  readonly ec2: Ec2;
  /** The type of the resource in metrics: `volume`. */
  readonly thing: string;
  /** A description: `volume vol-1 to be available`. */
  readonly what: string;
  /** The describe call, for messages. */
  readonly call: string;
  /** Checks once; undefined when the resource is not visible (yet). */
  readonly look: (signal: AbortSignal) => Promise<T | undefined>;
  /** The state in the answer to the previous call, which saves the first check. */
  readonly answered?: T | undefined;
  /** Whether the resource is in the desired state. Throws when it never will be. */
  readonly done: (seen: T) => boolean;
  /** Whether to wait until the resource is gone. */
  readonly gone?: boolean;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly progress?: ((seen: T) => void) | undefined;
  /** The completed fraction, from 0 to 1, when EC2 reports one. */
  readonly fraction?: (seen: T) => number;
}

/**
 * Waits for a resource of EC2. Checks at once, unless the answer to the previous call already contains the state, then
 * at growing intervals.
 * @throws Error when the limit expires, the state will never be reached, or EC2 refuses the check.
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
  for (let current = answered; ; current = undefined) {
    let seen: T | undefined;
    try {
      seen = current ?? (await unlessAborted(signal, look(signal)));
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
    const usual = pauseAfter(waited, seen === undefined ? undefined : fraction?.(seen));
    const next = ec2.isInstant ? Math.min(usual, Math.max(waited, ec2Policy.pollEmbeddedMs)) : usual;
    await pause(Math.min(next, limitMs), signal);
  }
}

/** Waits. @throws the signal's reason when it aborts, for example when a task times out or is cancelled. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** The time until the next check: short at first, then proportional to the time so far, or based on the progress that EC2 reports. */
function pauseAfter(waitedMs: number, done = 0): number {
  const wanted = done > 0 ? ((waitedMs * (1 - done)) / done) * ec2Policy.pollOfRest : Math.max(ec2Policy.pollSteadyMs, waitedMs * ec2Policy.pollOfWaited);
  return Math.min(Math.max(wanted, ec2Policy.pollFirstMs), ec2Policy.pollMostMs);
}

/** Whether an error is temporary: throttling and server errors. An internal error of the embedded EC2 is a failing disk, which persists. */
function isPassing(error: unknown, { cloud }: Ec2): boolean {
  if (cloud.provider === 'local' && codeOf(error) === 'InternalError') return false;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 500;
  return status >= 500 || isThrottling(error);
}

/**
 * Does something with a new resource, which EC2 may not know everywhere yet.
 * @throws Error when EC2 still does not know it after that time; every other error at once.
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

/** Reports what a task waits for, and how many percent of it are done when that is known. */
export type Progress = (text: string, percent?: number) => void;

/**
 * Does something as soon as EC2's limits allow it. Waits for limits that are temporary.
 * @throws the signal's reason when it aborts, for example when the task times out; every other error at once.
 */
export async function onceAllowed<T>(signal: AbortSignal, progress: Progress, action: () => Promise<T>): Promise<T> {
  for (let delay: number = ec2Policy.limitFirstMs; ; delay = Math.min(delay * 2, ec2Policy.limitMostMs)) {
    try {
      return await action();
    } catch (error) {
      if (!isPassingLimit(error)) throw error;
      const ms = delay * (0.75 + Math.random() / 2);
      progress(`EC2 has reached a limit (${codeOf(error)}), retrying in ${Math.ceil(ms / 1000)} s`);
      await pause(ms, signal);
    }
  }
}

/** The result of a promise, unless a signal aborts first: a request may be retried for minutes. */
async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  // Handle its failure first, because nobody may be waiting for it any more.
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
 * How long EC2 may still miss a resource requested at a time. At most the limit for eventual consistency, even if the
 * clocks differ.
 * @param askedAt an ISO time; an invalid one counts as long ago.
 */
export function unknownForMs({ consistent }: Ec2, askedAt: string): number {
  const since = Date.now() - Date.parse(askedAt);
  return consistent || Number.isNaN(since) ? 0 : Math.min(Math.max(ec2Policy.eventualConsistencyMs - since, 0), ec2Policy.eventualConsistencyMs);
}

/**
 * Removes a resource. "Not found" counts as removed once EC2 must know the resource: a new one may not be visible yet.
 * @param madeAt when it was requested, as an ISO time.
 */
export async function remove(ec2: Ec2, call: string, madeAt: string, signal: AbortSignal, action: () => Promise<unknown>): Promise<void> {
  const visibleBy = performance.now() + unknownForMs(ec2, madeAt);
  for (;;) {
    try {
      await action();
      return;
    } catch (error) {
      if (!isNotFound(error)) throw inCall(call, error);
      if (performance.now() >= visibleBy) return;
      await pause(ec2Policy.pollFirstMs * 4, signal);
    }
  }
}
