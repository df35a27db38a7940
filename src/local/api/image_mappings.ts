import type { Mapping } from '../resources.js';
import { existing, type Here, required } from './action.js';
import { Ec2Error } from './errors.js';
import type { BlockDeviceMapping } from './model/answers.js';
import type * as Asked from './model/requests.js';
import { isComplete } from './snapshots.js';
import { checkDisk } from './volume_limits.js';

/** The mappings of a request in their stored format. @throws Ec2Error for mappings that EC2 refuses. */
export function mappingsOf(asked: readonly Asked.BlockDeviceMapping[], here: Here): Mapping[] {
  const mappings = asked.flatMap((mapping) => mappingOf(mapping, here));
  const twice = mappings.find(({ device }, i) => mappings.findIndex((other) => other.device === device) !== i);
  if (twice !== undefined) throw assignedTwice(twice.device);
  return mappings;
}

export function assignedTwice(device: string): Ec2Error {
  return new Ec2Error('InvalidBlockDeviceMapping', `${device} is being assigned to multiple times.`);
}

/** Empty when the device is omitted. */
function mappingOf({ DeviceName: name, VirtualName: virtualName, NoDevice: isNone, Ebs: ebs }: Asked.BlockDeviceMapping, here: Here): Mapping[] {
  if (isNone !== undefined) return [];
  const device = required(name, 'BlockDeviceMapping.DeviceName');
  return [{ device, virtualName, ...(ebs === undefined ? { encrypted: false, deleteOnTermination: true } : diskOf(ebs, device, here)) }];
}

function diskOf(
  {
    SnapshotId: snapshotId,
    VolumeSize: wantedSize,
    VolumeType: type = 'gp2',
    Iops: iops,
    Throughput: throughput,
    Encrypted: encrypted,
    DeleteOnTermination: deleteOnTermination = true,
  }: Asked.EbsBlockDevice,
  device: string,
  here: Here,
): Omit<Mapping, 'device'> {
  const snapshot = snapshotId === undefined ? undefined : existing(here, 'snapshots', snapshotId);
  if (snapshot !== undefined && !isComplete(snapshot, here)) throw new Ec2Error('IncorrectState', `Snapshot '${snapshot.id}' is not 'completed'.`);
  if (snapshot !== undefined && encrypted !== undefined) {
    throw new Ec2Error('InvalidBlockDeviceMapping', `the encrypted flag cannot be specified since device ${device} has a snapshot specified.`);
  }
  const size = wantedSize ?? snapshot?.size;
  if (size === undefined) throw new Ec2Error('MissingParameter', 'The request must contain the parameter size or snapshotId');
  if (snapshot !== undefined && size < snapshot.size) {
    throw new Ec2Error('InvalidBlockDeviceMapping', `Volume of size ${size}GB is smaller than snapshot '${snapshot.id}', expect size>= ${snapshot.size}GB`);
  }
  checkDisk({ type, size, iops, throughput });
  return { snapshot: snapshot?.id, size, type, iops, throughput, encrypted: encrypted ?? snapshot?.encrypted ?? false, deleteOnTermination };
}

/** Whether a mapping has a volume, and not only a name. */
export function hasDisk(mapping: Mapping): boolean {
  return mapping.size !== undefined;
}

/** Mappings in the format of answers. */
export function mappingsBody(mappings: readonly Mapping[]): BlockDeviceMapping[] {
  return mappings.map((mapping) => ({
    deviceName: mapping.device,
    virtualName: mapping.virtualName,
    ebs: !hasDisk(mapping)
      ? undefined
      : {
          snapshotId: mapping.snapshot,
          volumeSize: mapping.size,
          deleteOnTermination: mapping.deleteOnTermination,
          volumeType: mapping.type,
          iops: mapping.iops,
          throughput: mapping.throughput,
          encrypted: mapping.encrypted,
        },
  }));
}
