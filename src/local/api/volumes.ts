import { thisMaker } from '../owner_process.js';
import { lineageOf, type Snapshot, type Volume } from '../resources.js';
import { action, existing, type Here, own, ownerOf, stopDryRun } from './action.js';
import { attachmentBody, attachmentState, isAttached, isReady, isTaken, rootVolume, selectedVolumes, settled } from './attachments.js';
import { begin, copied, failureOf, removeWithDisk } from './copying.js';
import { Ec2Error } from './errors.js';
import { type Attributes, filtered, nothing, page, tagSet, tagsFor } from './filters.js';
import { keyOf } from './kms.js';
import type { Volume as VolumeAnswer, VolumeState } from './model/answers.js';
import type * as Asked from './model/requests.js';
import { isComplete } from './snapshots.js';
import { checkDisk, iopsOf, mustBeForOne } from './volume_limits.js';
import { zoneIdOf, zoneNamed } from './zones.js';

const createVolume = action(
  'CreateVolume',
  async (
    {
      AvailabilityZone: zoneName,
      AvailabilityZoneId: zoneId,
      Size: wantedSize,
      SnapshotId: snapshotId,
      VolumeType: type = 'gp2',
      Iops: iops,
      Throughput: throughput,
      Encrypted: wantsEncrypted,
      KmsKeyId: key,
      MultiAttachEnabled: multiAttach,
      ClientToken: token,
      TagSpecification: specifications,
    },
    here,
  ) => {
    mustBeForOne(multiAttach);
    const zone = zoneNamed(zoneName, zoneId, here);
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
    const tags = tagsFor('volume', specifications);
    checkDisk({ type, size, iops, throughput });
    const encrypted = isEncrypted(wantsEncrypted, key, snapshot, here);
    stopDryRun(here);
    const { volume, fresh } = await here.store.exclusive(() => {
      const before = token === undefined ? undefined : here.store.list('volumes').find((v) => ownerOf(v) === here.account && v.token?.value === token);
      if (before !== undefined) {
        if (before.token?.request !== here.asked) throw new Ec2Error('IdempotentParameterMismatch', 'The client token has been used with other parameters.');
        const failure = failureOf(before, here);
        if (failure !== undefined) throw new Ec2Error('VolumeCreationFailed', `Volume '${before.id}' could not be created: ${failure}`);
        return { volume: before, fresh: false };
      }
      const made: Volume = {
        id: here.store.newId('volumes'),
        created: new Date().toISOString(),
        tags,
        token: token === undefined ? undefined : { value: token, request: here.asked },
        size,
        snapshot: snapshot?.id,
        lineage: snapshot === undefined ? undefined : lineageOf(snapshot),
        zone,
        type,
        iops: iops ?? (type === 'gp3' ? 3000 : undefined),
        throughput: throughput ?? (type === 'gp3' ? 125 : undefined),
        encrypted,
        kmsKey: encrypted ? (key ?? snapshot?.kmsKey) : undefined,
        owner: here.account,
        ready: false,
        origin: snapshot === undefined ? undefined : { id: snapshot.id },
        maker: thisMaker(),
      };
      if (snapshot !== undefined) existing(here, 'snapshots', snapshot.id);
      begin(here, { disks: [made] });
      return { volume: made, fresh: true };
    });
    if (fresh) await copied(here, { disks: [volume] });
    const { attachmentSet: _, ...body } = volumeBody(here.store.get('volumes', volume.id) ?? volume, here);
    return body;
  },
);

const describeVolumes = action('DescribeVolumes', async ({ VolumeId: ids, Filter: filters, MaxResults: most, NextToken: token }, here) => {
  const volumes = await Promise.all(selectedVolumes(ids, here).map((volume) => settled(volume, here)));
  if (ids === undefined && filters?.some(looksAtAttachment)) volumes.push(rootVolume(here));
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
    removeWithDisk(here, volume);
  });
  return { return: true };
});

export const volumeActions = [createVolume, describeVolumes, deleteVolume];

/** A volume is encrypted if the request, its snapshot or the account's default requires it. */
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
    availabilityZoneId: zoneIdOf(volume.zone),
    status: stateOf(volume, here),
    createTime: volume.created,
    attachmentSet: attachment,
    tagSet: tagSet(volume.tags),
    volumeType: volume.type,
    iops: iopsOf(volume),
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
