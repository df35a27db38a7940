import { setMaxListeners } from 'node:events';
import type { Ec2 } from '../client.js';
import { codeOf, inCall, isLost, isNotFound, isThrottling, notSure } from '../errors.js';
import { pause } from '../waiter.js';
import type { Ebs } from './ebs.js';
import { directPolicy } from './policy.js';

/** One of the two sides of a transfer. */
export interface Side extends Ebs {
  readonly ec2: Ec2;
  /** How often a request is sent at most. */
  readonly attempts: number;
}

/** Opens EBS direct for a side of a transfer. */
export async function sideOf(ec2: Ec2): Promise<Side> {
  return { ...(await ec2.ebs()), ec2, attempts: await ec2.client.config.maxAttempts() };
}

/** How to treat some errors of a request. */
export interface Special<T> {
  /** Until when the snapshot may not be known, in the time of `performance.now`. */
  readonly unknownUntil?: number;
  /** What a refusal means if the answer to an earlier attempt was lost, which may have taken effect. */
  readonly afterLost?: () => T;
}

/**
 * Sends the requests of one transfer. When EBS throttles one of them, all wait, and fewer are sent at the same time
 * from then on; each answer allows a little more again.
 */
export class Sender {
  private allowed: number = directPolicy.blocksAtOnce;
  private sent = 0;
  private waiting: (() => void)[] = [];
  private lastThrottled = 0;
  private pausedUntil = 0;
  private pauseMs: number = directPolicy.pauseFirstMs;

  private readonly stopped = new AbortController();
  private readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.stopped.signal]);
    // Each request listens.
    setMaxListeners(0, this.signal);
  }

  /** Cancels all requests. */
  stop(reason: unknown): void {
    this.stopped.abort(reason);
  }

  /** Sends a request, and sends it again if its answer is lost or EBS cannot answer now. @param call its name, for messages. */
  async send<T>({ attempts }: Side, call: string, request: (signal: AbortSignal) => Promise<T>, { unknownUntil = 0, afterLost }: Special<T> = {}): Promise<T> {
    let lost = false;
    for (let attempt = 1, delay: number = directPolicy.pauseFirstMs; ; delay = Math.min(delay * 2, directPolicy.pauseMostMs)) {
      try {
        return await this.attempt(request);
      } catch (error) {
        this.signal.throwIfAborted();
        const unknown = isNotFound(error) && performance.now() < unknownUntil;
        const passing = unknown || isBusy(error) || isLost(error);
        if (!passing && lost && afterLost !== undefined) return afterLost();
        lost ||= isLost(error);
        if (!passing || (attempt >= attempts && !unknown)) throw lost ? notSure(inCall(call, error)) : inCall(call, error);
        if (!unknown) attempt += 1;
      }
      await pause(delay * (0.5 + Math.random() / 2), this.signal);
    }
  }

  private async attempt<T>(request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    await this.turn();
    const sentAt = performance.now();
    this.sent += 1;
    try {
      const answer = await request(this.signal);
      this.answered();
      return answer;
    } catch (error) {
      if (isBusy(error)) this.throttled(sentAt);
      throw error;
    } finally {
      this.sent -= 1;
      for (const go of this.waiting.splice(0)) go();
    }
  }

  /** Waits until a request may be sent. */
  private async turn(): Promise<void> {
    for (;;) {
      this.signal.throwIfAborted();
      const wait = this.pausedUntil - performance.now();
      // Not all at the same moment.
      if (wait > 0) await pause(wait * (1 + Math.random() / 2), this.signal);
      else if (this.sent < Math.floor(this.allowed)) return;
      else await new Promise<void>((go) => this.waiting.push(go));
    }
  }

  private answered(): void {
    this.allowed = Math.min(this.allowed + 1 / this.allowed, directPolicy.blocksAtOnce);
    this.pauseMs = directPolicy.pauseFirstMs;
  }

  /** @param sentAt a request that was sent before the last decrease is no reason for another one. */
  private throttled(sentAt: number): void {
    if (sentAt < this.lastThrottled) return;
    this.lastThrottled = performance.now();
    this.allowed = Math.max(this.allowed / 2, directPolicy.blocksAtLeast);
    this.pausedUntil = this.lastThrottled + this.pauseMs;
    this.pauseMs = Math.min(this.pauseMs * 2, directPolicy.pauseAllMostMs);
  }
}

/** The reason that EBS gives for a refusal in {@link Sender.send}, e.g. `INVALID_BLOCK_TOKEN`. */
export function reasonOf(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if ('Reason' in at) return String(at.Reason);
  return undefined;
}

/** Whether EBS, or a proxy before it, cannot answer now, which fewer requests make better. */
function isBusy(error: unknown): boolean {
  const { httpStatusCode: status = 0 } = (error as { $metadata?: { httpStatusCode?: number } }).$metadata ?? {};
  return isThrottling(error) || status === 429 || status > 500 || codeOf(error) === 'ConcurrentLimitExceededException';
}
