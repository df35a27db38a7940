import { Ec2Error } from './errors.js';
import type { VolumeType } from './model/answers.js';

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

/** IOPS of the volume types with configurable IOPS: minimum, maximum, and maximum per GiB. */
const iopsLimits: Readonly<Partial<Record<VolumeType, readonly [number, number, number]>>> = {
  gp3: [3000, 80_000, 500],
  io1: [100, 64_000, 50],
  io2: [100, 256_000, 1000],
};

/** A volume in a request or in a mapping of an image. */
interface Disk {
  readonly type: VolumeType;
  readonly size: number;
  readonly iops?: number | undefined;
  readonly throughput?: number | undefined;
}

/** @throws Ec2Error for a size, `Iops` or `Throughput` that the volume type does not support. Source: EC2 API reference, CreateVolume. */
export function checkDisk(disk: Disk): void {
  const { type, size, throughput } = disk;
  const [least, most] = sizes[type];
  if (size < least || size > most) {
    throw refused(`Volume of ${size}GiB is ${size < least ? 'too small' : 'too big'} for volume type ${type}; ${least} to ${most} GiB are allowed`);
  }
  checkIops(disk);
  if (throughput === undefined) return;
  if (type !== 'gp3') throw notOf(type, 'throughput');
  if (throughput < 125 || throughput > 2000) throw refused(`Throughput of ${throughput} is not between 125 and 2000 MiB/s.`);
  // Source: EBS User Guide, "General Purpose SSD volumes". Without `Iops`, the volume has the minimum.
  const { iops = 3000 } = disk;
  if (throughput > iops * 0.25) throw refused(`Throughput (MiBps) to iops ratio of ${throughput / iops} is too high; maximum is 0.25 MiBps per iops.`);
}

/** Whether a volume type has configurable IOPS. */
export function hasIops(type: VolumeType): boolean {
  return type in iopsLimits;
}

/** @throws Ec2Error for a volume that can be attached to several machines. */
export function mustBeForOne(multiAttach: boolean | undefined): void {
  if (multiAttach) throw new Ec2Error('UnsupportedOperation', 'The embedded EC2 has one machine and does not support multiAttachEnabled.');
}

function checkIops({ type, size, iops }: Disk): void {
  if (iops === undefined) {
    if (type === 'io1' || type === 'io2') throw new Ec2Error('MissingParameter', 'The request must contain the parameter iops');
    return;
  }
  const limits = iopsLimits[type];
  if (limits === undefined) throw notOf(type, 'iops');
  const [least, most, perGiB] = limits;
  if (iops < least || iops > most)
    throw refused(`Volume iops of ${iops} is ${iops < least ? 'too low' : 'too high'}; ${least} to ${most} are allowed for ${type}.`);
  if (iops > Math.max(size * perGiB, type === 'gp3' ? least : 0))
    throw refused(`Iops to volume size ratio of ${iops / size} is too high; maximum is ${perGiB}.`);
}

/** The IOPS of a volume. For gp2 they depend on its size. Source: EBS User Guide, "General Purpose SSD volumes". */
export function iopsOf({ type, size, iops }: Disk): number | undefined {
  return iops ?? (type === 'gp2' ? Math.min(Math.max(100, 3 * size), 16_000) : undefined);
}

function notOf(type: VolumeType, parameter: string): Ec2Error {
  return new Ec2Error('InvalidParameterCombination', `The parameter ${parameter} is not supported for ${type} volumes.`);
}

function refused(text: string): Ec2Error {
  return new Ec2Error('InvalidParameterValue', text);
}
