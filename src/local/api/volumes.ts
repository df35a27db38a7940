import { machine } from '../instance_identity.js';
import { copyDisk, createDisk, removeDisk } from '../loop_devices.js';
import { thisMaker } from '../owner_process.js';
import type { Snapshot, Volume } from '../store.js';
import { action, discard, existing, failureOf, finish, type Here, own, ownerOf, putNew, required, selected, stopDryRun } from './action.js';
import { attachmentBody, attachmentState, isAttached, isReady, isTaken, rootVolume, settled } from './attachments.js';
import { Ec2Error } from './errors.js';
import { type Attributes, filtered, nothing, page, tagSet, tagsFor } from './filters.js';
import { keyOf } from './kms.js';
import type { Volume as VolumeAnswer, VolumeState, VolumeType } from './model/answers.js';
import type * as Asked from './model/requests.js';
import { isComplete } from './snapshots.js';
import { zoneIdOf } from './zones.js';

/** Sizes in GiB by volume type. Source: EC2 API reference, CreateVolume. */
const sizes: Readonly<Record<VolumeType, readonly [number, number]>> = {
  gp2: [1, 16_384],
  gp3: [1, 65_536],
  io1: [4, 16_384],
  io2: [4, 65_536],
  st1: [125, 16_384],
  sc1: [125, 16_384],
  standard: [1, 1024],
};

const createVolume = action(
  'CreateVolume',
  async (
    {
      AvailabilityZone: zone,
      Size: wantedSize,
      SnapshotId: snapshotId,
      VolumeType: type = 'gp2',
      Iops: iops,
      Throughput: throughput,
      Encrypted: wantsEncrypted,
      KmsKeyId: key,
      ClientToken: token,
      TagSpecification: specifications,
    },
    here,
  ) => {
    if (required(zone, 'AvailabilityZone') !== here.zone) throw new Ec2Error('InvalidZone.NotFound', `The zone '${zone}' does not exist.`);
    const snapshot = snapshotId === undefined ? undefined : existing(here, 'snapshots', snapshotId);
    if (snapshot !== undefined && !isComplete(snapshot, here)) throw new Ec2Error('IncorrectState', `Snapshot is in invalid state - pending`);
    const size = wantedSize ?? snapshot?.size;
    if (size === undefined) throw new Ec2Error('MissingParameter', 'The request must contain the parameter size/snapshot');
    if (snapshot !== undefined && size < snapshot.size) {
      throw new Ec2Error(
        'InvalidParameterValue',
        `The specified volume size '${size}' is smaller than the size of the snapshot '${snapshot.id}', expect size >= ${snapshot.size} GiB.`,
      );
    }
    const range = sizes[type];
    if (size < range[0] || size > range[1]) {
      throw new Ec2Error(
        'InvalidParameterValue',
        `Volume of ${size}GiB is ${size < range[0] ? 'too small' : 'too big'} for volume type ${type}; ${range[0]} to ${range[1]} GiB are allowed`,
      );
    }
    const tags = tagsFor('volume', specifications);
    checkPerformance(type, size, iops, throughput);
    const encrypted = isEncrypted(wantsEncrypted, key, snapshot, here);
    stopDryRun(here);
    const { volume, fresh } = await here.store.exclusive(() => {
      const before = token === undefined ? undefined : here.store.list('volumes').find((v) => ownerOf(v) === here.account && v.token?.value === token);
      if (before !== undefined) {
        if (before.token?.request !== here.asked) throw new Ec2Error('IdempotentParameterMismatch', 'The client token has been used with other parameters.');
        const failure = failureOf(before, here);
        if (failure !== undefined) throw new Ec2Error('VolumeCreationFailed', `Volume '${before.id}' could not be made: ${failure}`);
        return { volume: before, fresh: false };
      }
      const made: Volume = {
        id: here.store.newId('volumes'),
        created: new Date().toISOString(),
        tags,
        token: token === undefined ? undefined : { value: token, request: here.asked },
        size,
        snapshot: snapshot?.id,
        zone: here.zone,
        type,
        iops: iops ?? (type === 'gp3' ? 3000 : undefined),
        throughput: throughput ?? (type === 'gp3' ? 125 : undefined),
        encrypted,
        kmsKey: encrypted ? (key ?? snapshot?.kmsKey) : undefined,
        owner: here.account,
        ready: false,
        maker: thisMaker(),
      };
      putNew(here, 'volumes', made);
      return { volume: made, fresh: true };
    });
    if (fresh) {
      const disk = here.store.diskOf(volume.id);
      try {
        if (snapshot === undefined) await createDisk(disk, size);
        else await copyDisk(here.run, here.store.diskOf(snapshot.id), disk, size);
        await finish(here, 'volumes', volume.id);
      } catch (error) {
        await discard(here, 'volumes', volume.id, error);
        throw error;
      }
    }
    const { attachmentSet: _, ...body } = volumeBody(here.store.get('volumes', volume.id) ?? volume, here);
    return body;
  },
);

const describeVolumes = action('DescribeVolumes', async ({ VolumeId: ids, Filter: filters, MaxResults: most, NextToken: token }, here) => {
  const made = ids?.filter((id) => id !== machine.rootVolume);
  const volumes = made?.length === 0 ? [] : await Promise.all(selected(here, 'volumes', made).map((volume) => settled(volume, here)));
  // Not among all volumes: a client that cleans up would stop at the one that nobody made.
  const isWanted = ids === undefined ? (filters ?? []).some(looksAtAttachment) : ids.includes(machine.rootVolume);
  if (isWanted) volumes.push(rootVolume(here));
  const found = filtered(volumes, filters, attributes(here));
  stopDryRun(here);
  const { items, nextToken } = page(found, { MaxResults: most, NextToken: token, VolumeId: ids });
  return { volumeSet: items.map((volume) => volumeBody(volume, here)), nextToken };
});

function looksAtAttachment({ Name: name = '' }: Asked.Filter): boolean {
  return name.startsWith('attachment.');
}

const deleteVolume = action('DeleteVolume', async ({ VolumeId: id }, here) => {
  const volume = own(here, 'volumes', id);
  stopDryRun(here);
  await here.store.exclusive(() => {
    if (isTaken(own(here, 'volumes', volume.id), here)) {
      throw new Ec2Error('VolumeInUse', `Volume ${volume.id} is currently attached to ${here.instance}`);
    }
    // The disk first: a record without one can still be deleted, a disk without a record is found by nobody.
    removeDisk(here.store.diskOf(volume.id));
    here.store.remove('volumes', volume.id);
  });
  return { return: true };
});

export const volumeActions = [createVolume, describeVolumes, deleteVolume];

/** Source: EC2 API reference, CreateVolume: limits of `Iops` and `Throughput` by volume type. */
function checkPerformance(type: string, size: number, iops?: number, throughput?: number): void {
  const say = (text: string) => new Ec2Error('InvalidParameterValue', text);
  const range = { gp3: [3000, 80_000], io1: [100, 64_000], io2: [100, 256_000] }[type];
  const ratio = { gp3: 500, io1: 50, io2: 1000 }[type] ?? 0;
  if (iops === undefined && (type === 'io1' || type === 'io2')) throw new Ec2Error('MissingParameter', `The request must contain the parameter iops`);
  if (iops !== undefined && range === undefined) throw say(`The parameter iops is not supported for ${type} volumes.`);
  if (iops !== undefined && range !== undefined && (iops < (range[0] as number) || iops > (range[1] as number))) {
    throw say(`Volume iops of ${iops} is ${iops < (range[0] as number) ? 'too low' : 'too high'}; ${range.join(' to ')} are allowed for ${type}.`);
  }
  if (iops !== undefined && iops > Math.max(size * ratio, type === 'gp3' ? 3000 : 0)) {
    throw say(`Iops to volume size ratio of ${iops / size} is too high; maximum is ${ratio}.`);
  }
  if (throughput === undefined) return;
  if (type !== 'gp3') throw say(`The parameter throughput is not supported for ${type} volumes.`);
  if (throughput < 125 || throughput > 2000) throw say(`Throughput of ${throughput} is not between 125 and 2000 MiB/s.`);
}

/** An encrypted snapshot, and the account's own setting, make every volume encrypted. */
function isEncrypted(asked: boolean | undefined, key: string | undefined, snapshot: Snapshot | undefined, here: Here): boolean {
  const must = (snapshot?.encrypted ?? false) || here.store.settings().encryptByDefault;
  const encrypted = must || (asked ?? false);
  if (key !== undefined && !encrypted) throw new Ec2Error('InvalidParameterDependency', 'The parameter KmsKeyId requires the parameter Encrypted to be set.');
  return encrypted;
}

function stateOf(volume: Volume, here: Here): VolumeState {
  if (failureOf(volume, here) !== undefined) return 'error';
  if (!isReady(volume, here)) return 'creating';
  return isAttached(volume, here) ? 'in-use' : 'available';
}

function volumeBody(volume: Volume, here: Here): VolumeAnswer {
  const attached = isAttached(volume, here);
  const attachment = attached ? [attachmentBody(volume, here, attachmentState(volume, here))] : [];
  return {
    volumeId: volume.id,
    size: volume.size,
    snapshotId: volume.snapshot ?? '',
    availabilityZone: volume.zone,
    status: stateOf(volume, here),
    createTime: volume.created,
    attachmentSet: attachment,
    tagSet: tagSet(volume.tags),
    volumeType: volume.type,
    iops: volume.iops,
    throughput: volume.throughput,
    encrypted: volume.encrypted,
    kmsKeyId: keyOf(volume, here),
    multiAttachEnabled: false,
  };
}

/** Source: EC2 API reference, DescribeVolumes. */
function attributes(here: Here): Attributes<Volume> {
  const attached = (volume: Volume) => (isAttached(volume, here) ? attachmentBody(volume, here, attachmentState(volume, here)) : undefined);
  return {
    'attachment.attach-time': (v) => attached(v)?.attachTime?.toString(),
    'attachment.delete-on-termination': (v) => attached(v)?.deleteOnTermination,
    'attachment.device': (v) => attached(v)?.device,
    'attachment.instance-id': (v) => attached(v)?.instanceId,
    'attachment.status': (v) => attached(v)?.status,
    'availability-zone': (v) => v.zone,
    'availability-zone-id': (v) => zoneIdOf(v.zone),
    'create-time': (v) => v.created,
    encrypted: (v) => v.encrypted,
    'fast-restored': () => false,
    'multi-attach-enabled': () => false,
    'operator.managed': () => false,
    size: (v) => v.size,
    'snapshot-id': (v) => v.snapshot,
    status: (v) => stateOf(v, here),
    'volume-id': (v) => v.id,
    'volume-type': (v) => v.type,
    ...nothing('operator.principal'),
  };
}
