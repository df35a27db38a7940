import { setTimeout as sleep } from 'node:timers/promises';
import { policy } from '../policy.js';
import { codeOf, inCall, isNotFound, isRefusal } from './client.js';

/** What is waited for, and how it looks. */
export interface Wait<T> {
  /** In words: `volume vol-1 to be available`. */
  readonly what: string;
  /** The call that looks, for messages. */
  readonly call: string;
  /** Looks once; undefined when the thing cannot be seen (yet). */
  readonly look: () => Promise<T | undefined>;
  /** Whether it is as it should be. Throws when it never will be. */
  readonly done: (seen: T) => boolean;
  /** Whether it being gone is what is waited for. */
  readonly gone?: boolean;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly progress?: ((seen: T) => void) | undefined;
}

/**
 * Waits for something at EC2: looks at once, then after short delays that grow.
 * @throws Error when it takes longer than the limit, when it will never be, or when EC2 refuses to tell.
 */
export async function waitFor<T>({ what, call, look, done, gone = false, limitMs, signal, progress }: Wait<T>): Promise<T | undefined> {
  const started = Date.now();
  let last = '';
  for (let delay: number = policy.pollFirstMs; ; delay = Math.min(delay * policy.pollBackoff, policy.pollMostMs)) {
    signal.throwIfAborted();
    let seen: T | undefined;
    try {
      seen = await look();
      last = '';
    } catch (error) {
      if (isNotFound(error)) seen = undefined;
      else if (isRefusal(error) || (codeOf(error) !== undefined && !isPassing(error))) throw inCall(call, error);
      else last = ` (${(error as Error).message})`;
    }
    const waited = Date.now() - started;
    if (seen === undefined && last === '') {
      if (gone) return undefined;
      if (waited > policy.eventualConsistencyMs) throw new Error(`waited for ${what}: it does not exist`);
    } else if (seen !== undefined) {
      if (done(seen)) return seen;
      progress?.(seen);
    }
    if (waited > limitMs) throw new Error(`waited ${Math.round(waited / 1000)} s for ${what}, in vain${last}`);
    await sleep(Math.min(delay, limitMs), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Faults that pass by themselves: throttling and faults of the server. */
function isPassing(error: unknown): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 500;
  return status >= 500 || /Throttl|RequestLimitExceeded|TooManyRequests/.test(codeOf(error) ?? '');
}
