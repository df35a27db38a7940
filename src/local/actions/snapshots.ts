import { type Action, action, existing, type Here, required, selected, stopDryRun } from '../action.js';
import { copyDisk, deviceOf, removeDisk } from '../disks.js';
import { Ec2Error } from '../errors.js';
import { type Attributes, describeShape, filtered, page, tagSet, tagShape, tagsFor } from '../filters.js';
import type { Snapshot } from '../store.js';

const createSnapshot = action({ DryRun: 'boolean', VolumeId: 'string', Description: 'string', TagSpecification: tagShape }, async (request, here) => {
  const volume = existing(here, 'volumes', required(request.VolumeId, 'VolumeId'));
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
    ready: false,
  };
  here.store.put('snapshots', snapshot);
  const disk = here.store.diskOf(volume.id);
  const device = deviceOf(disk);
  try {
    // What was written to an attached volume may still be in the cache of its device.
    if (device !== undefined) await here.run(['blockdev', '--flushbufs', device]);
    await copyDisk(here.run, disk, here.store.diskOf(snapshot.id), volume.size);
  } catch (error) {
    removeDisk(here.store.diskOf(snapshot.id));
    here.store.remove('snapshots', snapshot.id);
    throw error;
  }
  snapshot.ready = true;
  here.store.put('snapshots', snapshot);
  return { ...snapshotBody(snapshot, here), status: 'pending', progress: '' };
});

const describeSnapshots = action({ ...describeShape, SnapshotId: ['string'], Owner: ['string'] }, async (request, here) => {
  const all = selected(here, 'snapshots', request.SnapshotId);
  const owned = request.Owner === undefined || request.Owner.some((owner) => owner === 'self' || owner === here.account) ? all : [];
  const found = filtered(owned, request, attributes(here));
  stopDryRun(request);
  const { items, nextToken } = page(found, request);
  return { snapshotSet: items.map((snapshot) => snapshotBody(snapshot, here)), nextToken };
});

const deleteSnapshot = action({ DryRun: 'boolean', SnapshotId: 'string' }, async (request, here) => {
  const snapshot = existing(here, 'snapshots', request.SnapshotId);
  stopDryRun(request);
  await here.store.exclusive(() => {
    const image = here.store.list('images').find((i) => i.mappings.some((mapping) => mapping.snapshot === snapshot.id));
    if (image !== undefined) throw new Ec2Error('InvalidSnapshot.InUse', `The snapshot ${snapshot.id} is currently in use by ${image.id}`);
    removeDisk(here.store.diskOf(snapshot.id));
    here.store.remove('snapshots', snapshot.id);
  });
  return { return: true };
});

export const snapshotActions: Readonly<Record<string, Action>> = {
  CreateSnapshot: createSnapshot,
  DescribeSnapshots: describeSnapshots,
  DeleteSnapshot: deleteSnapshot,
};

function snapshotBody(snapshot: Snapshot, here: Here) {
  return {
    snapshotId: snapshot.id,
    volumeId: snapshot.volume,
    status: snapshot.ready ? 'completed' : 'pending',
    startTime: snapshot.created,
    progress: snapshot.ready ? '100%' : '0%',
    ownerId: here.account,
    volumeSize: snapshot.size,
    description: snapshot.description,
    encrypted: snapshot.encrypted,
    kmsKeyId: snapshot.kmsKey,
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
    status: (s) => (s.ready ? 'completed' : 'pending'),
    encrypted: (s) => s.encrypted,
    'owner-id': () => here.account,
  };
}
