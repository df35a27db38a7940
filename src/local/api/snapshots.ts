import { copyDisk, deviceOf, removeDisk } from '../loop_devices.js';
import { thisMaker } from '../owner_process.js';
import type { Image, Snapshot, Volume } from '../store.js';
import { action, discard, failureOf, finish, type Here, hasPassed, own, ownerOf, putNew, selected, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import { type Attributes, filtered, nothing, page, tagSet, tagsFor } from './filters.js';
import { keyOf } from './kms.js';
import type { Snapshot as SnapshotAnswer, SnapshotReturnCodes, SnapshotState } from './model/answers.js';
import type * as Asked from './model/requests.js';
import { aliasOf, changed, changeOf, ownedBy, usableBy } from './permissions.js';

const createSnapshot = action('CreateSnapshot', async ({ VolumeId: id, Description: description = '', TagSpecification: specifications }, here) => {
  const volume = own(here, 'volumes', id);
  const tags = tagsFor('snapshot', specifications);
  stopDryRun(here);
  const snapshot = draftOf(volume, { description, tags }, here);
  await here.store.exclusive(() => putNew(here, 'snapshots', snapshot));
  await fillFromVolume(snapshot, volume, here);
  // Source: AWS CLI reference, create-snapshot: no tags are an empty set here, other than where snapshots are described.
  return { ...snapshotBody(snapshot, here), status: 'pending', progress: '', tagSet: tagSet(snapshot.tags) ?? [] };
});

const describeSnapshots = action(
  'DescribeSnapshots',
  async ({ SnapshotId: ids, Owner: owners, RestorableBy: users, Filter: filters, MaxResults: most, NextToken: token }, here) => {
    const all = selected(here, 'snapshots', ids);
    const found = filtered(usableBy(ownedBy(all, owners, here), users, here, 'own too'), filters, attributes(here));
    stopDryRun(here);
    const { items, nextToken } = page(found, { MaxResults: most, NextToken: token, SnapshotId: ids });
    return { snapshotSet: items.map((snapshot) => snapshotBody(snapshot, here)), nextToken };
  },
);

const deleteSnapshot = action('DeleteSnapshot', async ({ SnapshotId: id }, here) => {
  const snapshot = own(here, 'snapshots', id);
  stopDryRun(here);
  await here.store.exclusive(() => {
    own(here, 'snapshots', snapshot.id);
    const image = imageOf(snapshot.id, here);
    if (image !== undefined) throw new Ec2Error('InvalidSnapshot.InUse', `The snapshot ${snapshot.id} is currently in use by ${image.id}`);
    remove(snapshot.id, here);
  });
  return { return: true };
});

/** Deletes a snapshot of an image that is gone, unless another image has it. While the store is held. */
export function deleteUnused(id: string, here: Here): SnapshotReturnCodes {
  const snapshot = here.store.get('snapshots', id);
  if (snapshot === undefined || ownerOf(snapshot) !== here.account) return 'missing-permissions';
  if (imageOf(id, here) !== undefined) return 'skipped';
  remove(id, here);
  return 'success';
}

function imageOf(snapshot: string, here: Here): Image | undefined {
  return here.store.list('images').find(({ mappings }) => mappings.some((mapping) => mapping.snapshot === snapshot));
}

/** The disk first: a record without one can still be deleted, a disk without a record is found by nobody. */
function remove(id: string, here: Here): void {
  removeDisk(here.store.diskOf(id));
  here.store.remove('snapshots', id);
}

const modifySnapshotAttribute = action(
  'ModifySnapshotAttribute',
  async (
    { SnapshotId: snapshotId, Attribute: named, OperationType: operation, UserId: users, UserGroup: groups, CreateVolumePermission: permission = {} },
    here,
  ) => {
    const { id } = own(here, 'snapshots', snapshotId);
    const { Add: added = [], Remove: removed = [] }: Asked.CreateVolumePermissionModifications = permission;
    const plain = { users: users ?? [], groups: groups ?? [] };
    const change = changeOf({ named, operation, plain, added: added.map(sharingOf), removed: removed.map(sharingOf) }, 'createVolumePermission');
    stopDryRun(here);
    await here.store.exclusive(() => {
      const snapshot = own(here, 'snapshots', id);
      if (snapshot.encrypted && (snapshot.kmsKey === undefined || change.add.groups.length > 0)) {
        throw new Ec2Error('OperationNotPermitted', 'Encrypted snapshots with EBS default key cannot be shared');
      }
      here.store.put('snapshots', { ...snapshot, sharedWith: changed(snapshot.sharedWith, change) });
    });
    return { return: true };
  },
);

function sharingOf({ UserId: user, Group: group }: Asked.CreateVolumePermission) {
  return { users: user === undefined ? [] : [user], groups: group === undefined ? [] : [group] };
}

const describeSnapshotAttribute = action('DescribeSnapshotAttribute', async ({ SnapshotId: id, Attribute: attribute }, here) => {
  const snapshot = own(here, 'snapshots', id);
  stopDryRun(here);
  if (attribute === 'productCodes') return { snapshotId: snapshot.id, productCodes: [] };
  if (attribute !== 'createVolumePermission') throw new Ec2Error('InvalidParameterValue', `Value (${attribute}) for parameter attribute is invalid.`);
  const { users = [], groups = [] } = snapshot.sharedWith ?? {};
  return { snapshotId: snapshot.id, createVolumePermission: [...groups.map(() => ({ group: 'all' as const })), ...users.map((userId) => ({ userId }))] };
});

export const snapshotActions = [createSnapshot, describeSnapshots, deleteSnapshot, modifySnapshotAttribute, describeSnapshotAttribute];

/** The record of a snapshot of a volume, whose disk is still to be filled. */
export function draftOf(volume: Volume, { description, tags }: Pick<Snapshot, 'description' | 'tags'>, here: Here): Snapshot {
  if (!volume.ready) throw new Ec2Error('IncorrectState', `Volume '${volume.id}' is not 'available'.`);
  return {
    id: here.store.newId('snapshots'),
    created: new Date().toISOString(),
    tags,
    volume: volume.id,
    size: volume.size,
    description,
    encrypted: volume.encrypted,
    kmsKey: volume.kmsKey,
    owner: here.account,
    ready: false,
    maker: thisMaker(),
  };
}

/** Copies what is on a volume to the snapshot that was begun of it; where that fails there is none. */
export async function fillFromVolume(snapshot: Snapshot, volume: Volume, here: Here): Promise<void> {
  const disk = here.store.diskOf(volume.id);
  const device = deviceOf(disk);
  try {
    // What was written to an attached volume may still be in the cache of its device.
    if (device !== undefined) await here.run(['blockdev', '--flushbufs', device]);
    await copyDisk(here.run, disk, here.store.diskOf(snapshot.id), volume.size);
    await finish(here, 'snapshots', snapshot.id);
  } catch (error) {
    await discard(here, 'snapshots', snapshot.id, error);
    throw error;
  }
}

/** Whether a snapshot is complete. */
export function isComplete(snapshot: Snapshot, here: Here): boolean {
  return snapshot.ready && hasPassed(snapshot, lastsFor(snapshot, here));
}

export function stateOf(snapshot: Snapshot, here: Here): SnapshotState {
  if (failureOf(snapshot, here) !== undefined) return 'error';
  return isComplete(snapshot, here) ? 'completed' : 'pending';
}

function lastsFor({ copied }: Snapshot, { latency }: Here): number {
  return copied ? latency.copy : latency.snapshot;
}

function progressOf(snapshot: Snapshot, here: Here): string {
  if (isComplete(snapshot, here)) return '100%';
  const whole = lastsFor(snapshot, here);
  return whole === 0 ? '0%' : `${Math.min(99, Math.floor(((Date.now() - Date.parse(snapshot.created)) / whole) * 100))}%`;
}

function snapshotBody(snapshot: Snapshot, here: Here): SnapshotAnswer {
  return {
    snapshotId: snapshot.id,
    volumeId: snapshot.volume,
    status: stateOf(snapshot, here),
    statusMessage: failureOf(snapshot, here),
    startTime: snapshot.created,
    progress: progressOf(snapshot, here),
    ownerId: ownerOf(snapshot),
    volumeSize: snapshot.size,
    description: snapshot.description,
    encrypted: snapshot.encrypted,
    kmsKeyId: keyOf(snapshot, here),
    tagSet: tagSet(snapshot.tags),
    storageTier: 'standard',
  };
}

/** Source: EC2 API reference, DescribeSnapshots. */
function attributes(here: Here): Attributes<Snapshot> {
  return {
    description: (s) => s.description,
    encrypted: (s) => s.encrypted,
    'owner-alias': (s) => aliasOf(s, here),
    'owner-id': (s) => ownerOf(s),
    progress: (s) => progressOf(s, here),
    'snapshot-id': (s) => s.id,
    'start-time': (s) => s.created,
    status: (s) => stateOf(s, here),
    'storage-tier': () => 'standard',
    'volume-id': (s) => s.volume,
    'volume-size': (s) => s.size,
    ...nothing('transfer-type'),
  };
}
