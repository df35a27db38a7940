import type { Progress } from '../waiter.js';
import { directPolicy } from './policy.js';

const mib = 2 ** 20;

/** Reports how far a transfer is: MiB, percent and the time left. */
export class TransferProgress {
  private readonly started = performance.now();
  private listed = 0;
  private done = 0;
  private copied = 0;
  private isComplete = false;
  private reported = this.started;

  constructor(private readonly report: Progress) {}

  /** More blocks are known. @param isLast whether these are all. */
  found(count: number, isLast: boolean): void {
    this.listed += count;
    this.isComplete = isLast;
  }

  /** A block is done. @param copied whether it was copied now, and not before. */
  finished(copied: boolean): void {
    this.done += 1;
    if (copied) this.copied += 1;
    const now = performance.now();
    if (now - this.reported < directPolicy.progressEveryMs) return;
    this.reported = now;
    const done = inMiB(this.done);
    if (!this.isComplete) return this.report(`copied ${done} MiB`);
    const left = ((now - this.started) / 1000 / Math.max(this.copied, 1)) * (this.listed - this.done);
    this.report(`copied ${done} of ${inMiB(this.listed)} MiB, ${Math.ceil(left)} s left`, Math.floor((100 * this.done) / this.listed));
  }
}

function inMiB(blocks: number): number {
  return Math.round((blocks * directPolicy.blockBytes) / mib);
}
