import { thisMaker } from '../owner_process.js';
import { type Image, lineageOf, type Snapshot, type Volume } from '../resources.js';
import { action, type Here, hasPassed, own, ownerOf, selected, stopDryRun } from './action.js';
import { begin, copied, failureOf, fractionOf, originOf, removeWithDisk } from './copying.js';
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
  const snapshot = await draftOf(volume, { description, tags }, here);
  await here.store.exclusive(() => {
    own(here, 'volumes', id);
    begin(here, { disks: [snapshot] });
  });
  await copied(here, { disks: [snapshot] });
  // Source: AWS CLI reference, create-snapshot: without tags, this answer has an empty set, unlike descriptions of
  // snapshots.
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
    removeWithDisk(here, snapshot);
  });
  return { return: true };
});

/** Deletes a snapshot of a deregistered image, unless another image uses it. The caller holds the store. */
export function deleteUnused(id: string, here: Here): SnapshotReturnCodes {
  const snapshot = here.store.get('snapshots', id);
  if (snapshot === undefined || ownerOf(snapshot) !== here.account) return 'missing-permissions';
  if (imageOf(id, here) !== undefined) return 'skipped';
  removeWithDisk(here, snapshot);
  return 'success';
}

function imageOf(snapshot: string, here: Here): Image | undefined {
  return here.store.list('images').find(({ mappings }) => mappings.some((mapping) => mapping.snapshot === snapshot));
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

/** The record of a snapshot of a volume, whose disk is still empty. */
export async function draftOf(volume: Volume, { description, tags }: Pick<Snapshot, 'description' | 'tags'>, here: Here): Promise<Snapshot> {
  if (!volume.ready) throw new Ec2Error('IncorrectState', `Volume '${volume.id}' is not 'available'.`);
  return {
    id: here.store.newId('snapshots'),
    created: new Date().toISOString(),
    tags,
    volume: volume.id,
    lineage: lineageOf(volume),
    size: volume.size,
    description,
    encrypted: volume.encrypted,
    kmsKey: volume.kmsKey,
    owner: here.account,
    ready: false,
    origin: await originOf(volume, here),
    maker: thisMaker(),
  };
}

/** Whether a snapshot is complete. */
export function isComplete(snapshot: Snapshot, here: Here): boolean {
  return snapshot.ready && hasPassed({ created: begunAt(snapshot) }, lastsFor(snapshot, here));
}

/** When EC2 began to complete a snapshot. */
function begunAt({ upload, created }: Snapshot): string {
  return upload?.completed ?? created;
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
  const passed = whole === 0 ? 1 : (Date.now() - Date.parse(begunAt(snapshot))) / whole;
  const there = snapshot.ready ? 1 : fractionOf(snapshot, here.store);
  return `${Math.min(99, Math.floor(Math.min(passed, there) * 100))}%`;
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
