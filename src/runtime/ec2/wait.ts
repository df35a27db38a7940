import { setTimeout as sleep } from 'node:timers/promises';
import { policy } from '../policy.js';
import { codeOf, type Ec2, inCall, isNotFound, isRefusal, isThrottling } from './client.js';

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
  const started = performance.now();
  try {
    return await watch(wait);
  } finally {
    wait.ec2.usage.waited(wait.thing, performance.now() - started);
  }
}

async function watch<T>({ what, call, look, answered, done, gone = false, limitMs, signal, progress, fraction }: Wait<T>): Promise<T | undefined> {
  const started = Date.now();
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
      else if (isRefusal(error) || (codeOf(error) !== undefined && !isPassing(error))) throw inCall(call, error);
      else last = ` (${(error as Error).message})`;
    }
    const waited = Date.now() - started;
    if (seen !== undefined) lastSeen = Date.now();
    if (seen === undefined && last === '') {
      if (gone) return undefined;
      if (Date.now() - lastSeen > policy.eventualConsistencyMs) throw new Error(`waited for ${what}: it does not exist`);
    } else if (seen !== undefined) {
      if (done(seen)) return seen;
      progress?.(seen);
    }
    if (waited > limitMs) throw new Error(`waited ${Math.round(waited / 1000)} s for ${what}, in vain${last}`);
    const pause = pauseAfter(waited, seen === undefined ? undefined : fraction?.(seen));
    await sleep(Math.min(pause, limitMs), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** When to look again: often at first, later in proportion to what it took so far, and by EC2's own word where it has one. */
function pauseAfter(waitedMs: number, done = 0): number {
  const wanted = done > 0 ? ((waitedMs * (1 - done)) / done) * policy.pollOfRest : Math.max(policy.pollSteadyMs, waitedMs * policy.pollOfWaited);
  return Math.min(Math.max(wanted, policy.pollFirstMs), policy.pollMostMs);
}

/** Faults that pass by themselves: throttling and faults of the server. */
function isPassing(error: unknown): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 500;
  return status >= 500 || isThrottling(error);
}

/**
 * Does something to a thing that was just made: EC2 may not know it everywhere yet.
 * @throws Error when EC2 does not know it for longer than that takes, and for every other error at once.
 */
export async function onceKnown<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  const until = Date.now() + policy.eventualConsistencyMs;
  for (let delay: number = policy.pollFirstMs; ; delay = Math.min(delay * policy.pollBackoff, policy.pollMostMs)) {
    try {
      // To its end also when the run is cancelled: what is taken back must not be still in the making.
      return await action();
    } catch (error) {
      if (!isNotFound(error) || Date.now() > until) throw error;
      await sleep(delay, undefined, { signal });
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
 * Removes a thing. That it is not there counts when EC2 must know it by now: something just made may not show yet.
 * @param madeAt when it was asked for, as an ISO time.
 */
export async function remove(ec2: Ec2, call: string, madeAt: string, signal: AbortSignal, action: () => Promise<unknown>): Promise<void> {
  const known = Date.parse(madeAt) + (ec2.consistent ? 0 : policy.eventualConsistencyMs);
  for (;;) {
    try {
      await action();
      return;
    } catch (error) {
      if (!isNotFound(error)) throw inCall(call, error);
      // Also where it is not known when that was.
      if (!(Date.now() < known)) return;
      await sleep(policy.pollFirstMs * 4, undefined, { signal });
    }
  }
}
