import { aliasesTo, aliasOf, isAliasTaken, linkAlias } from '../device_links.js';
import { attachDisk, copyDisk, createDisk, detachDisk, deviceOf, isBusy, linkDevice, removeDisk } from '../loop_devices.js';
import { hasDied, thisMaker } from '../owner_process.js';
import type { Attachment, Snapshot, Volume } from '../store.js';
import {
  type Action,
  action,
  discard,
  existing,
  failureOf,
  finish,
  type Here,
  hasPassed,
  mustBeId,
  mustBeThisInstance,
  own,
  ownerOf,
  putNew,
  required,
  selected,
  stopDryRun,
} from './action.js';
import { Ec2Error } from './errors.js';
import { type Attributes, describeShape, filtered, page, tagSet, tagShape, tagsFor } from './filters.js';
import { keyOf } from './kms.js';
import { isComplete } from './snapshots.js';

/** Sizes in GiB by volume type. Source: EC2 API reference, CreateVolume. */
const sizes: Record<string, readonly [number, number]> = {
  gp2: [1, 16_384],
  gp3: [1, 65_536],
  io1: [4, 16_384],
  io2: [4, 65_536],
  st1: [125, 16_384],
  sc1: [125, 16_384],
  standard: [1, 1024],
};

const createVolume = action(
  {
    DryRun: 'boolean',
    AvailabilityZone: 'string',
    Size: 'integer',
    SnapshotId: 'string',
    VolumeType: 'string',
    Iops: 'integer',
    Throughput: 'integer',
    Encrypted: 'boolean',
    KmsKeyId: 'string',
    ClientToken: 'string',
    TagSpecification: tagShape,
  },
  async (request, here) => {
    const zone = required(request.AvailabilityZone, 'AvailabilityZone');
    if (zone !== here.zone) throw new Ec2Error('InvalidZone.NotFound', `The zone '${zone}' does not exist.`);
    const snapshot = request.SnapshotId === undefined ? undefined : existing(here, 'snapshots', request.SnapshotId);
    if (snapshot !== undefined && !isComplete(snapshot, here)) throw new Ec2Error('IncorrectState', `Snapshot is in invalid state - pending`);
    const size = request.Size ?? snapshot?.size;
    if (size === undefined) throw new Ec2Error('MissingParameter', 'The request must contain the parameter size/snapshot');
    if (snapshot !== undefined && size < snapshot.size) {
      throw new Ec2Error(
        'InvalidParameterValue',
        `The specified volume size '${size}' is smaller than the size of the snapshot '${snapshot.id}', expect size >= ${snapshot.size} GiB.`,
      );
    }
    const type = request.VolumeType ?? 'gp2';
    const range = sizes[type];
    if (range === undefined) throw new Ec2Error('InvalidParameterValue', `Value (${type}) for parameter volumeType is invalid.`);
    if (size < range[0] || size > range[1]) {
      throw new Ec2Error(
        'InvalidParameterValue',
        `Volume of ${size}GiB is ${size < range[0] ? 'too small' : 'too big'} for volume type ${type}; ${range[0]} to ${range[1]} GiB are allowed`,
      );
    }
    const tags = tagsFor('volume', request.TagSpecification);
    checkPerformance(type, size, request.Iops, request.Throughput);
    const encrypted = isEncrypted(request, snapshot, here);
    stopDryRun(request);
    const { ClientToken: token, ...rest } = request;
    const asked = JSON.stringify(rest);
    const { volume, fresh } = await here.store.exclusive(() => {
      const before = token === undefined ? undefined : here.store.list('volumes').find((v) => ownerOf(v) === here.account && v.token?.value === token);
      if (before !== undefined) {
        if (before.token?.request !== asked) throw new Ec2Error('IdempotentParameterMismatch', 'The client token has been used with other parameters.');
        const failure = failureOf(before, here);
        if (failure !== undefined) throw new Ec2Error('VolumeCreationFailed', `Volume '${before.id}' could not be made: ${failure}`);
        return { volume: before, fresh: false };
      }
      const made: Volume = {
        id: here.store.newId('volumes'),
        created: new Date().toISOString(),
        tags,
        token: token === undefined ? undefined : { value: token, request: asked },
        size,
        snapshot: snapshot?.id,
        zone,
        type,
        iops: request.Iops ?? (type === 'gp3' ? 3000 : undefined),
        throughput: request.Throughput ?? (type === 'gp3' ? 125 : undefined),
        encrypted,
        kmsKey: encrypted ? (request.KmsKeyId ?? snapshot?.kmsKey) : undefined,
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

const describeVolumes = action({ ...describeShape, VolumeId: ['string'] }, async (request, here) => {
  const volumes = await Promise.all(selected(here, 'volumes', request.VolumeId).map((volume) => settled(volume, here)));
  const found = filtered(volumes, request, attributes(here));
  stopDryRun(request);
  const { items, nextToken } = page(found, request);
  return { volumeSet: items.map((volume) => volumeBody(volume, here)), nextToken };
});

const attachVolume = action({ DryRun: 'boolean', VolumeId: 'string', InstanceId: 'string', Device: 'string' }, async (request, here) => {
  const id = required(request.VolumeId, 'VolumeId');
  const device = required(request.Device, 'Device');
  mustBeThisInstance(required(request.InstanceId, 'InstanceId'), here);
  if (!/^(\/dev\/)?(sd|xvd)[a-z]{1,2}$/.test(device)) {
    throw new Ec2Error('InvalidParameterValue', `Value (${device}) for parameter device is invalid. ${device} is not a valid EBS device name.`);
  }
  if (here.from !== undefined) {
    throw new Ec2Error(
      'UnsupportedOperation',
      `Volumes are attached to the machine that serves EC2, and this request comes from ${here.from}: attach from the machine that is to have the device.`,
    );
  }
  stopDryRun(request);
  const since = new Date().toISOString();
  const volume = await here.store.exclusive(() => {
    const wanted = own(here, 'volumes', id);
    if (!isReady(wanted, here)) throw new Ec2Error('IncorrectState', `Volume '${id}' is not 'available'.`);
    if (isTaken(wanted, here)) throw new Ec2Error('VolumeInUse', `${id} is already attached to an instance`);
    const other = here.store.list('volumes').find((v) => v.attachment !== undefined && aliasOf(v.attachment.device) === aliasOf(device) && isTaken(v, here));
    if (other !== undefined || (here.aliases && isAliasTaken(aliasOf(device)))) {
      throw new Ec2Error('InvalidParameterValue', `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`);
    }
    const volume: Volume = { ...wanted, attachment: { device, since, detaching: false, maker: thisMaker() } };
    here.store.put('volumes', volume);
    return volume;
  });
  const disk = here.store.diskOf(id);
  here.attaching.add(id);
  try {
    await here.alone('devices', async () => {
      const node = await attachDisk(here.run, disk, id);
      if (here.aliases) linkAlias(node, aliasOf(device));
    });
    await here.store.exclusive(() => here.store.change('volumes', id, (made) => ({ ...made, attachment: completed(made) })));
  } catch (error) {
    await here.alone('devices', async () => {
      const node = deviceOf(disk);
      if (node !== undefined) await detachDisk(here.run, disk, node, id);
    });
    await here.store.exclusive(() => here.store.change('volumes', id, ({ attachment: _, ...made }) => made));
    throw error;
  } finally {
    here.attaching.delete(id);
  }
  return attachmentBody(volume, here, attachmentState(volume, here));
});

const detachVolume = action({ DryRun: 'boolean', VolumeId: 'string', InstanceId: 'string', Device: 'string', Force: 'boolean' }, async (request, here) => {
  const volume = own(here, 'volumes', request.VolumeId);
  if (request.InstanceId !== undefined) mustBeId('instances', request.InstanceId);
  stopDryRun(request);
  const asked = new Date().toISOString();
  const detaching = await here.store.exclusive(() => {
    const { attachment, ...rest } = own(here, 'volumes', volume.id);
    if (!isAttached(volume, here)) throw new Ec2Error('IncorrectState', `Volume '${volume.id}' is in the 'available' state.`);
    const { InstanceId: instance = here.instance, Device: device = attachment?.device } = request;
    if (instance !== here.instance || device !== (attachment?.device ?? device)) {
      throw new Ec2Error('InvalidAttachment.NotFound', `The volume '${volume.id}' is not attached to instance '${instance}' as device '${device}'.`);
    }
    const asking: Volume = { ...rest, attachment: { device: '', since: rest.created, asked, ...attachment, detaching: true } };
    here.store.put('volumes', asking);
    return asking;
  });
  const after = await settled(detaching, here);
  return attachmentBody(detaching, here, after.attachment === undefined ? 'detached' : attachmentState(after, here));
});

const deleteVolume = action({ DryRun: 'boolean', VolumeId: 'string' }, async (request, here) => {
  const volume = own(here, 'volumes', request.VolumeId);
  stopDryRun(request);
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

export const volumeActions: Readonly<Record<string, Action>> = {
  CreateVolume: createVolume,
  DescribeVolumes: describeVolumes,
  AttachVolume: attachVolume,
  DetachVolume: detachVolume,
  DeleteVolume: deleteVolume,
};

/** The volumes attached to this machine, for DescribeInstances. */
export function attachedVolumes(here: Here): Volume[] {
  return here.store.list('volumes').filter((volume) => ownerOf(volume) === here.account && isAttached(volume, here));
}

/** Finishes attachments that a killed process had begun, as far as the kernel has them. */
export async function mendAttachments(here: Here): Promise<void> {
  const halfAttached = ({ attachment }: Volume) => hasDied(attachment?.maker);
  for (const { id } of here.store.list('volumes').filter(halfAttached)) {
    await here.alone('devices', async () => {
      const { attachment } = here.store.get('volumes', id) ?? {};
      if (attachment === undefined || !hasDied(attachment.maker)) return;
      const device = deviceOf(here.store.diskOf(id));
      if (device !== undefined) {
        await here.run(['partx', '--update', device], { allow: [1] });
        linkDevice(device, id);
        if (!isAliasTaken(aliasOf(attachment.device))) linkAlias(device, aliasOf(attachment.device));
      }
      await here.store.exclusive(() =>
        here.store.change('volumes', id, (volume) => ({ ...volume, attachment: device === undefined ? undefined : completed(volume) })),
      );
    });
  }
}

/** Detaches the volumes that were attached for clients of a server; gives those that stay, being in use. */
export async function detachServed(here: Here): Promise<{ volume: string; device: string }[]> {
  const left = [];
  for (const volume of here.store.list('volumes')) {
    const disk = here.store.diskOf(volume.id);
    const device = deviceOf(disk);
    if (device === undefined || aliasesTo(device).length === 0) continue;
    const detaching = { device: '', since: volume.created, ...volume.attachment, detaching: true };
    if (!isBusy(device)) await settled({ ...volume, attachment: detaching }, here, true).catch(() => {});
    if (deviceOf(disk) !== undefined) left.push({ volume: volume.id, device });
  }
  return left;
}

/** An attachment that is complete. */
function completed({ attachment }: Volume): Attachment | undefined {
  return attachment && { ...attachment, maker: undefined };
}

/** Carries a detach through that was asked for while the volume was in use, as EC2 does once the guest lets go. */
async function settled(volume: Volume, here: Here, force = false): Promise<Volume> {
  const { attachment } = volume;
  if (!attachment?.detaching) return volume;
  const disk = here.store.diskOf(volume.id);
  // While this waited the volume may have been detached, and attached anew.
  const isThis = (now: Volume | undefined) => force || (now?.attachment?.detaching === true && now.attachment.asked === attachment.asked);
  const stays = await here.alone('devices', async () => {
    const device = deviceOf(disk);
    if (device === undefined || !isThis(here.store.get('volumes', volume.id))) return false;
    if (isBusy(device) || (!force && !hasPassed({ created: attachment.asked ?? '' }, here.latency.detach))) return true;
    await detachDisk(here.run, disk, device, volume.id);
    return false;
  });
  if (stays) return volume;
  return here.store.exclusive(() => {
    const now = here.store.get('volumes', volume.id);
    const { attachment: _, ...detached } = now ?? volume;
    if (now === undefined || !isThis(now)) return now ?? detached;
    here.store.put('volumes', detached);
    return detached;
  });
}

function isAttached(volume: Volume, here: Here): boolean {
  return deviceOf(here.store.diskOf(volume.id)) !== undefined;
}

/** Whether a volume is attached or about to be: between the choice of its device name and the loop device is a moment. */
function isTaken(volume: Volume, here: Here): boolean {
  const { maker } = volume.attachment ?? {};
  const underWay = maker !== undefined && !hasDied(maker) && (maker !== thisMaker() || here.attaching.has(volume.id));
  return isAttached(volume, here) || underWay;
}

function isReady(volume: Volume, here: Here): boolean {
  return volume.ready && hasPassed(volume, here.latency.volume);
}

/** `busy` is what EC2 says while the guest has the volume in use; before that it is simply not done yet. */
function attachmentState({ id, attachment }: Volume, here: Here): string {
  if (attachment?.detaching) {
    const device = deviceOf(here.store.diskOf(id));
    return device !== undefined && isBusy(device) ? 'busy' : 'detaching';
  }
  return hasPassed({ created: attachment?.since ?? '' }, here.latency.attach) ? 'attached' : 'attaching';
}

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
function isEncrypted({ Encrypted: asked, KmsKeyId: key }: { Encrypted?: boolean; KmsKeyId?: string }, snapshot: Snapshot | undefined, here: Here): boolean {
  const must = (snapshot?.encrypted ?? false) || here.store.settings().encryptByDefault;
  const encrypted = must || (asked ?? false);
  if (key !== undefined && !encrypted) throw new Ec2Error('InvalidParameterDependency', 'The parameter KmsKeyId requires the parameter Encrypted to be set.');
  return encrypted;
}

function stateOf(volume: Volume, here: Here): string {
  if (failureOf(volume, here) !== undefined) return 'error';
  if (!isReady(volume, here)) return 'creating';
  return isAttached(volume, here) ? 'in-use' : 'available';
}

function volumeBody(volume: Volume, here: Here) {
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

function attachmentBody(volume: Volume, here: Here, status: string) {
  return {
    volumeId: volume.id,
    instanceId: here.instance,
    device: volume.attachment?.device,
    status,
    attachTime: volume.attachment?.since,
    deleteOnTermination: false,
  };
}

function attributes(here: Here): Attributes<Volume> {
  const attached = (volume: Volume) => (isAttached(volume, here) ? volume.attachment : undefined);
  return {
    'volume-id': (v) => v.id,
    'snapshot-id': (v) => v.snapshot,
    'availability-zone': (v) => v.zone,
    'volume-type': (v) => v.type,
    size: (v) => v.size,
    status: (v) => stateOf(v, here),
    encrypted: (v) => v.encrypted,
    'attachment.device': (v) => attached(v)?.device,
    'attachment.instance-id': (v) => (attached(v) === undefined ? undefined : here.instance),
    'attachment.status': (v) => (attached(v) === undefined ? undefined : attachmentState(v, here)),
  };
}
