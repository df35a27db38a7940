import { growDisk } from '../loop_devices.js';
import type { Modification, Volume } from '../resources.js';
import { action, type Here, hasPassed, own, stopDryRun } from './action.js';
import { isReady, selectedVolumes } from './attachments.js';
import { onceCopied } from './copying.js';
import { Ec2Error } from './errors.js';
import { type Attributes, filtered, page } from './filters.js';
import type { VolumeModification, VolumeModificationState, VolumeType } from './model/answers.js';
import { checkDisk, hasIops, iopsOf, mustBeForOne } from './volume_limits.js';

const modifyVolume = action(
  'ModifyVolume',
  async ({ VolumeId: id, Size: size, VolumeType: type, Iops: iops, Throughput: throughput, MultiAttachEnabled: multiAttach }, here) => {
    const found = own(here, 'volumes', id);
    if ([size, type, iops, throughput, multiAttach].every((wanted) => wanted === undefined)) {
      throw new Ec2Error('InvalidParameterValue', 'You must specify at least one of the parameters size, volumeType, iops, throughput and multiAttachEnabled.');
    }
    mustBeForOne(multiAttach);
    const wanted = { size, type, iops, throughput };
    targetOf(found, wanted, here);
    stopDryRun(here);
    await onceCopied(id, here, () => {});
    return here.alone('devices', async () => {
      // Read it again, because another request may have changed it meanwhile.
      const before = own(here, 'volumes', id);
      const target = targetOf(before, wanted, here);
      const modification: Modification = { since: new Date().toISOString(), original: performanceOf(before), target: performanceOf(target) };
      // Enlarge the disk first. If this is interrupted, the disk is larger than its record, which is noticed later.
      await growDisk(here.run, here.store.diskOf(id), target.size);
      await here.store.exclusive(() => here.store.put('volumes', { ...own(here, 'volumes', id), ...target, modification }));
      return { volumeModification: modificationBody({ ...before, modification }, here) };
    });
  },
);

const describeVolumesModifications = action(
  'DescribeVolumesModifications',
  async ({ VolumeId: ids, Filter: filters, MaxResults: most, NextToken: token }, here) => {
    const volumes = selectedVolumes(ids, here);
    const never = volumes.find(({ modification }) => modification === undefined);
    if (ids !== undefined && never !== undefined) {
      throw new Ec2Error('InvalidVolumeModification.NotFound', `Modification for volume '${never.id}' does not exist.`);
    }
    const found = filtered(
      volumes.filter(({ modification }) => modification !== undefined),
      filters,
      attributes(here),
    );
    stopDryRun(here);
    const { items, nextToken } = page(found, { MaxResults: most, NextToken: token, VolumeId: ids });
    return { volumeModificationSet: items.map((volume) => modificationBody(volume, here)), nextToken };
  },
);

export const volumeModificationActions = [modifyVolume, describeVolumesModifications];

type Performance = Pick<Volume, 'size' | 'type' | 'iops' | 'throughput'>;

/** The new properties of a volume. @throws Ec2Error for invalid changes. Source: EC2 API reference, ModifyVolume. */
function targetOf(before: Volume, wanted: { readonly [Name in keyof Performance]: Performance[Name] | undefined }, here: Here): Performance {
  if (!isReady(before, here)) throw new Ec2Error('IncorrectModificationState', `Volume '${before.id}' is not 'available' or 'in-use'.`);
  const { size = before.size, type = before.type } = wanted;
  if (size < before.size) throw new Ec2Error('InvalidParameterValue', 'New size cannot be smaller than existing size');
  const kept = type === before.type ? before : defaultsOf(type);
  const target = { type, size, iops: wanted.iops ?? kept.iops, throughput: wanted.throughput ?? kept.throughput };
  checkDisk(target);
  return target;
}

function defaultsOf(type: VolumeType): Pick<Volume, 'iops' | 'throughput'> {
  return { iops: hasIops(type) ? 3000 : undefined, throughput: type === 'gp3' ? 125 : undefined };
}

function performanceOf({ size, type, iops, throughput }: Performance): Modification['target'] {
  return { size, type, iops: iopsOf({ size, type, iops }), throughput };
}

function stateOf(since: string, here: Here): VolumeModificationState {
  return hasPassed({ created: since }, here.latency.volume) ? 'completed' : 'modifying';
}

function modificationBody({ id, modification }: Volume, here: Here): VolumeModification {
  if (modification === undefined) return { volumeId: id };
  const { since, original, target } = modification;
  const state = stateOf(since, here);
  return {
    volumeId: id,
    modificationState: state,
    targetSize: target.size,
    targetVolumeType: target.type,
    targetIops: target.iops,
    targetThroughput: target.throughput,
    targetMultiAttachEnabled: false,
    originalSize: original.size,
    originalVolumeType: original.type,
    originalIops: original.iops,
    originalThroughput: original.throughput,
    originalMultiAttachEnabled: false,
    progress: state === 'completed' ? 100 : 0,
    startTime: since,
    endTime: state === 'completed' ? since : undefined,
  };
}

/** Source: EC2 API reference, DescribeVolumesModifications. */
function attributes(here: Here): Attributes<Volume> {
  return {
    'modification-state': ({ modification }) => modification && stateOf(modification.since, here),
    'original-iops': ({ modification }) => modification?.original.iops,
    'original-size': ({ modification }) => modification?.original.size,
    'original-volume-type': ({ modification }) => modification?.original.type,
    originalMultiAttachEnabled: () => false,
    'start-time': ({ modification }) => modification?.since,
    'target-iops': ({ modification }) => modification?.target.iops,
    'target-size': ({ modification }) => modification?.target.size,
    'target-volume-type': ({ modification }) => modification?.target.type,
    targetMultiAttachEnabled: () => false,
    'volume-id': ({ id }) => id,
  };
}
