import { existsSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { lock } from '../../linux/lock.js';
import type { Ec2 } from '../client.js';
import { deleteSnapshot } from '../snapshots.js';
import { copySnapshot } from './copy_snapshot.js';
import { snapshotsTagged } from './readable.js';
import { repairCopy } from './repair_copy.js';
import type { DirectContext, DirectStore } from './store.js';
import { readRecord } from './transfer_record.js';

/** The tag of a snapshot of the embedded EC2 that is a copy of one elsewhere: that one's region and id. */
export const copyTag = 'chrootfile:copy-of';

/** The name of a snapshot in tags. */
export function nameOf({ region }: Ec2, id: string): string {
  return `${region}/${id}`;
}

/** The record of the copy of a snapshot, which is the index of its blocks. It was last used at its modification time. */
export function recordOf({ records }: Pick<DirectStore, 'records'>, name: string): string {
  return join(records, `${name.replace('/', '-')}.ndjson`);
}

/** The complete copy of a snapshot in the embedded EC2; undefined if there is none. */
export async function knownCopy(disks: Ec2, name: string): Promise<string | undefined> {
  return (await snapshotsTagged(disks, copyTag, name)).find(({ State }) => State === 'completed')?.SnapshotId;
}

/**
 * Uses the copy of a snapshot in the embedded EC2, from which volumes are made. Makes it if there is none: only once,
 * also if several runs need it at the same time. Blocks that were damaged on this machine are read again. While it is
 * used, nothing deletes it.
 */
export async function withLocalCopy<T>(id: string, context: DirectContext, use: (copy: string) => Promise<T>): Promise<T> {
  const { direct, signal, run, progress } = context;
  const [ec2, disks] = [await context.ec2(), await context.disks()];
  const name = nameOf(ec2, id);
  const onWait = (owner: { readonly purpose: string } | undefined) =>
    progress(`waiting for ${owner?.purpose ?? 'another run'}, which copies ${id} to this machine`);
  const release = await lock(copyLock(direct, name), `run ${run}`, { ms: Number.POSITIVE_INFINITY, signal, onWait });
  try {
    const record = recordOf(direct, name);
    const known = await knownCopy(disks, name);
    if (known !== undefined) await repairCopy({ from: ec2, snapshot: id, copy: direct.diskOf(disks.region, known), record }, context);
    const copy = known ?? (await makeCopy({ ec2, disks, id, record }, context));
    touch(record);
    return await use(copy);
  } finally {
    await release();
  }
}

/** Whoever holds this lock makes, uses or deletes the copy of a snapshot. */
export function copyLock({ locks }: Pick<DirectStore, 'locks'>, name: string): string {
  return join(locks, `copy-${name.replace('/', '-')}`);
}

/** Notes that the copy of a record is used. */
export function touch(record: string): void {
  if (existsSync(record)) utimesSync(record, new Date(), new Date());
}

interface WantedCopy {
  readonly ec2: Ec2;
  readonly disks: Ec2;
  readonly id: string;
  readonly record: string;
}

async function makeCopy({ ec2, disks, id, record }: WantedCopy, context: DirectContext): Promise<string> {
  const name = nameOf(ec2, id);
  await removeUnrecorded(disks, name, record, context.signal);
  const tags = [
    { Key: 'Name', Value: `copy of ${name}` },
    { Key: copyTag, Value: name },
  ];
  // No run owns the copy: one that fails leaves it to the next, which goes on where it stopped.
  const note = () => ({ update: () => {}, remove: () => {} });
  return await copySnapshot({ from: ec2, snapshot: id, to: disks, description: `chrootfile: copy of ${name}`, tags, record }, { ...context, note });
}

/** Deletes copies that a killed process began and did not record, and those that failed. */
async function removeUnrecorded(disks: Ec2, name: string, record: string, signal: AbortSignal): Promise<void> {
  const known = readRecord(record)?.blocks.head.snapshot;
  for (const { SnapshotId: id = '', State } of await snapshotsTagged(disks, copyTag, name)) {
    if (id !== known || State === 'error') await deleteSnapshot(disks, id, { asked_at: new Date(0).toISOString() }, signal);
  }
}
