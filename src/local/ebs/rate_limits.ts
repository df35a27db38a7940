import { EbsError } from './errors.js';

/** Limits how often blocks of a snapshot are read or written. As on AWS, a second's worth of requests may come at once. */
export class RateLimits {
  /** When the requests that were let through are over at the allowed rate, by what they are for. */
  private readonly until = new Map<string, number>();

  /** @param ms the time that each request takes at the allowed rate; 0 means no limit. @throws EbsError beyond it. */
  count(what: string, ms: number): void {
    if (ms === 0) return;
    const now = performance.now();
    const until = Math.max(this.until.get(what) ?? 0, now) + ms;
    if (until > now + 1_000) {
      throw new EbsError('RequestThrottledException', 'The request was throttled: too many requests for this snapshot.', 'RESOURCE_LEVEL_THROTTLE');
    }
    this.until.set(what, until);
  }
}
