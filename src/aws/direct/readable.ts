import type { Snapshot } from '@aws-sdk/client-ec2';
import type { Ec2 } from '../client.js';
import { describeSnapshots, ownSnapshots } from '../snapshots.js';

/** A snapshot whose blocks can be read by EBS direct. */
export interface ReadableSnapshot extends Snapshot {
  /** Whether it belongs to the account of the client; only then it can be a parent. */
  readonly isOwn: boolean;
}

/** EBS direct cannot read a snapshot. */
export class UnreadableError extends Error {}

/**
 * Describes a snapshot that EBS direct can read.
 * @throws UnreadableError with what to do, for one that it refuses. Source: EBS User Guide, "Considerations for EBS direct APIs".
 */
export async function readableSnapshot(ec2: Ec2, id: string): Promise<ReadableSnapshot> {
  const refuse = (why: string, help: string) => new UnreadableError(`EBS direct cannot read ${id}: ${why}\n  help: ${help}`);
  const [snapshot] = await describeSnapshots(ec2, { SnapshotIds: [id] });
  if (snapshot === undefined) throw refuse(`there is no such snapshot in ${ec2.region}`, 'use a snapshot of that region');
  if (snapshot.State === 'pending') throw refuse('it is not complete yet', `aws ec2 wait snapshot-completed --region ${ec2.region} --snapshot-ids ${id}`);
  if (snapshot.State !== 'completed') throw refuse(`its state is "${snapshot.State}"`, 'use another snapshot');
  if (snapshot.StorageTier === 'archive')
    throw refuse('it is archived', `aws ec2 restore-snapshot-tier --region ${ec2.region} --snapshot-id ${id} --permanent-restore`);
  const isOwn = (await ownSnapshot(ec2, id)) !== undefined;
  if (isOwn) return { ...snapshot, isOwn };
  const Filters = [{ Name: 'snapshot-id', Values: [id] }];
  if ((await describeSnapshots(ec2, { RestorableByUserIds: ['all'], Filters })).length === 0) return { ...snapshot, isOwn };
  const copy = `aws ec2 copy-image --region ${ec2.region} --source-region ${ec2.region} --source-image-id AMI --name NAME`;
  throw refuse('it is public and belongs to another account', `copy its image into this account once: ${copy}`);
}

/** A snapshot of the account of the client; undefined if there is none. */
export async function ownSnapshot(ec2: Ec2, id: string): Promise<Snapshot | undefined> {
  return (await ownSnapshots(ec2, [id]))[0];
}

/** The snapshots of the embedded EC2 with a tag. */
export function snapshotsTagged(ec2: Ec2, tag: string, value: string): Promise<Snapshot[]> {
  return describeSnapshots(ec2, { OwnerIds: ['self'], Filters: [{ Name: `tag:${tag}`, Values: [value] }] });
}
