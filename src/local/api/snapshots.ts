import { copyDisk, deviceOf, removeDisk } from '../loop_devices.js';
import { thisMaker } from '../owner_process.js';
import type { Snapshot } from '../store.js';
import { type Action, action, discard, failureOf, finish, type Here, hasPassed, own, ownerOf, putNew, required, selected, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import { type Attributes, describeShape, filtered, page, tagSet, tagShape, tagsFor } from './filters.js';
import { keyOf } from './kms.js';
import { changed, changeOf, ownedBy } from './permissions.js';

const createSnapshot = action({ DryRun: 'boolean', VolumeId: 'string', Description: 'text', TagSpecification: tagShape }, async (request, here) => {
  const volume = own(here, 'volumes', required(request.VolumeId, 'VolumeId'));
  const tags = tagsFor('snapshot', request.TagSpecification);
  stopDryRun(request);
  if (!volume.ready) throw new Ec2Error('IncorrectState', `Volume '${volume.id}' is not 'available'.`);
  const snapshot: Snapshot = {
    id: here.store.newId('snapshots'),
    created: new Date().toISOString(),
    tags,
    volume: volume.id,
    size: volume.size,
    description: request.Description ?? '',
    encrypted: volume.encrypted,
    kmsKey: volume.kmsKey,
    owner: here.account,
    ready: false,
    maker: thisMaker(),
  };
  await here.store.exclusive(() => putNew(here, 'snapshots', snapshot));
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
  return { ...snapshotBody(snapshot, here), status: 'pending', progress: '' };
});

const describeSnapshots = action({ ...describeShape, SnapshotId: ['string'], Owner: ['string'], RestorableBy: ['string'] }, async (request, here) => {
  const all = selected(here, 'snapshots', request.SnapshotId);
  const found = filtered(ownedBy(all, request.Owner, here), request, attributes(here));
  stopDryRun(request);
  const { items, nextToken } = page(found, request);
  return { snapshotSet: items.map((snapshot) => snapshotBody(snapshot, here)), nextToken };
});

const deleteSnapshot = action({ DryRun: 'boolean', SnapshotId: 'string' }, async (request, here) => {
  const snapshot = own(here, 'snapshots', request.SnapshotId);
  stopDryRun(request);
  await here.store.exclusive(() => {
    own(here, 'snapshots', snapshot.id);
    const image = here.store.list('images').find((i) => i.mappings.some((mapping) => mapping.snapshot === snapshot.id));
    if (image !== undefined) throw new Ec2Error('InvalidSnapshot.InUse', `The snapshot ${snapshot.id} is currently in use by ${image.id}`);
    removeDisk(here.store.diskOf(snapshot.id));
    here.store.remove('snapshots', snapshot.id);
  });
  return { return: true };
});

const modifySnapshotAttribute = action(
  {
    DryRun: 'boolean',
    SnapshotId: 'string',
    Attribute: 'string',
    OperationType: 'string',
    UserId: ['string'],
    UserGroup: ['string'],
    CreateVolumePermission: { Add: [{ UserId: 'string', Group: 'string' }], Remove: [{ UserId: 'string', Group: 'string' }] },
  },
  async (request, here) => {
    const { id } = own(here, 'snapshots', request.SnapshotId);
    const change = changeOf(request, request.CreateVolumePermission, 'createVolumePermission');
    stopDryRun(request);
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

const describeSnapshotAttribute = action({ DryRun: 'boolean', SnapshotId: 'string', Attribute: 'string' }, async (request, here) => {
  const snapshot = own(here, 'snapshots', request.SnapshotId);
  const attribute = required(request.Attribute, 'Attribute');
  stopDryRun(request);
  if (attribute === 'productCodes') return { snapshotId: snapshot.id, productCodes: [] };
  if (attribute !== 'createVolumePermission') throw new Ec2Error('InvalidParameterValue', `Value (${attribute}) for parameter attribute is invalid.`);
  const { users = [], groups = [] } = snapshot.sharedWith ?? {};
  return { snapshotId: snapshot.id, createVolumePermission: [...groups.map((group) => ({ group })), ...users.map((userId) => ({ userId }))] };
});

export const snapshotActions: Readonly<Record<string, Action>> = {
  CreateSnapshot: createSnapshot,
  DescribeSnapshots: describeSnapshots,
  DeleteSnapshot: deleteSnapshot,
  ModifySnapshotAttribute: modifySnapshotAttribute,
  DescribeSnapshotAttribute: describeSnapshotAttribute,
};

/** Whether a snapshot is complete. */
export function isComplete(snapshot: Snapshot, here: Here): boolean {
  return snapshot.ready && hasPassed(snapshot, lastsFor(snapshot, here));
}

function stateOf(snapshot: Snapshot, here: Here): string {
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

function snapshotBody(snapshot: Snapshot, here: Here) {
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

function attributes(here: Here): Attributes<Snapshot> {
  return {
    'snapshot-id': (s) => s.id,
    'volume-id': (s) => s.volume,
    'volume-size': (s) => s.size,
    description: (s) => s.description,
    status: (s) => stateOf(s, here),
    encrypted: (s) => s.encrypted,
    'owner-id': (s) => ownerOf(s),
  };
}
