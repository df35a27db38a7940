import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Ec2Opener } from '../client.js';
import type { Maker } from '../ownership_tags.js';
import type { Progress } from '../waiter.js';

/** Where this machine keeps what direct volumes need. */
export interface DirectStore {
  /** The folder of the records of transfers, by which they are continued and copies are checked. */
  readonly records: string;
  /** The folder of locks. */
  readonly locks: string;
  /** The file that holds the disk of a snapshot of the embedded EC2. */
  diskOf(region: string, snapshot: string): string;
}

/** The record of what a task of a run sends. */
export function recordOfSending({ records }: DirectStore, { run, task }: Maker): string {
  return join(records, `sent-${hashOf([run, task])}.ndjson`);
}

/** A short hash of a value, as hexadecimal digits. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}

/** The same context, for a kind that works only with direct volumes. */
export function withDirect<T extends { readonly direct?: DirectStore | undefined }>(context: T): T & { readonly direct: DirectStore } {
  const { direct } = context;
  if (direct === undefined) throw new Error('this kind requires direct volumes\n  help: run --cloud aws --volumes direct');
  return { ...context, direct };
}

/** What a task uses to work with direct volumes. */
export interface DirectContext extends Ec2Opener, Maker {
  readonly direct: DirectStore;
  readonly progress: Progress;
  warn(message: string): void;
}
