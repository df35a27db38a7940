import type { CreateSnapshotCommandInput, DescribeSnapshotsCommandInput, Snapshot } from '@aws-sdk/client-ec2';
import type { Ec2 } from './client.js';
import { createOnce } from './create_once.js';
import { inCall } from './errors.js';
import type { Search } from './find_created.js';
import type { MadeNote } from './journaled_create.js';
import { madeBy } from './ownership_tags.js';
import { ec2Policy } from './policy.js';
import { type Progress, remove, waitFor } from './waiter.js';

/** Requests a snapshot; returns its id. EC2 takes no client token here, so a lost response is searched for first. */
export function createSnapshot(ec2: Ec2, want: CreateSnapshotCommandInput, note: MadeNote, signal: AbortSignal, progress: Progress): Promise<string> {
  return createOnce(ec2, 'CreateSnapshot', note, signal, {
    send: async () => (await ec2.once.send(new ec2.sdk.CreateSnapshotCommand(want), { abortSignal: signal })).SnapshotId,
    search: snapshotsMadeBy(ec2, note),
    progress,
  });
}

/** The first page of the snapshots that a query finds. */
export async function describeSnapshots({ client, sdk }: Ec2, query: DescribeSnapshotsCommandInput): Promise<Snapshot[]> {
  try {
    return (await client.send(new sdk.DescribeSnapshotsCommand(query))).Snapshots ?? [];
  } catch (error) {
    throw inCall('DescribeSnapshots', error);
  }
}

/** The snapshots of the account of the client that have some ids; those that do not exist are missing. */
export function ownSnapshots(ec2: Ec2, ids: readonly string[]): Promise<Snapshot[]> {
  return describeSnapshots(ec2, { OwnerIds: ['self'], Filters: [{ Name: 'snapshot-id', Values: [...ids] }] });
}

/** The search for snapshots that a task of a run created. */
export function snapshotsMadeBy(ec2: Ec2, maker: { readonly run: string; readonly task: string }): Search {
  const look = async () => {
    const found = await ec2.client.send(new ec2.sdk.DescribeSnapshotsCommand({ OwnerIds: ['self'], Filters: madeBy(maker) }));
    return (found.Snapshots ?? []).flatMap((snapshot) => snapshot.SnapshotId ?? []);
  };
  return { call: 'DescribeSnapshots', thing: 'snapshot', look };
}

/** Waits until a snapshot is complete. `progress` receives EC2's own percentage. */
export async function waitForSnapshot(ec2: Ec2, id: string, signal: AbortSignal, progress: Progress): Promise<void> {
  await waitFor<Snapshot>({
    ec2,
    thing: 'snapshot',
    what: `snapshot ${id} to be complete`,
    call: 'DescribeSnapshots',
    look: async (abortSignal) => (await ec2.client.send(new ec2.sdk.DescribeSnapshotsCommand({ SnapshotIds: [id] }), { abortSignal })).Snapshots?.[0],
    done: (seen) => {
      if (seen.State === 'error') throw new Error(`snapshot ${id} failed: ${seen.StateMessage ?? 'EC2 gives no reason'}`);
      return seen.State === 'completed';
    },
    limitMs: ec2Policy.snapshotMs,
    signal,
    progress: (seen) => progress('snapshot', percentOf(seen)),
    fraction: (seen) => percentOf(seen) / 100,
  });
}

/** EC2 writes `42%`, and nothing at first. */
function percentOf({ Progress: progress = '' }: Snapshot): number {
  return Number.parseInt(progress, 10) || 0;
}

/** Deletes a snapshot; succeeds if it is already gone. @param madeAt see {@link remove}. */
export function deleteSnapshot(ec2: Ec2, id: string, { asked_at: madeAt }: Pick<MadeNote, 'asked_at'>, signal: AbortSignal): Promise<void> {
  return remove(ec2, 'DeleteSnapshot', madeAt, signal, () => ec2.client.send(new ec2.sdk.DeleteSnapshotCommand({ SnapshotId: id })));
}
