import type { BlockDeviceMapping, Image, RegisterImageCommandInput, VolumeType } from '@aws-sdk/client-ec2';
import type { Ec2 } from './client.js';
import { codeOf, inCall } from './errors.js';

/** A block device in a recipe. */
export interface Device {
  readonly device_name: string;
  readonly delete_on_termination?: boolean;
  readonly encrypted?: boolean;
  readonly iops?: number;
  readonly no_device?: boolean;
  readonly snapshot_id?: string;
  readonly throughput?: number;
  readonly virtual_name?: string;
  readonly volume_size?: number;
  readonly volume_type?: string;
}

/** JSON Schema of {@link Device}, for kinds with such parameters. */
export const deviceSchema = {
  type: 'object',
  description: 'A block device',
  additionalProperties: false,
  required: ['device_name'],
  properties: {
    device_name: { type: 'string', description: 'Its name, e.g. `/dev/sdb`' },
    delete_on_termination: { type: 'boolean', description: 'Whether the volume is deleted with the instance; defaults to true' },
    encrypted: { type: 'boolean', description: 'Whether a volume without a snapshot is encrypted' },
    iops: { type: 'integer', description: 'IOPS, for gp3, io1 and io2' },
    no_device: { type: 'boolean', description: 'Removes a device of the source image' },
    snapshot_id: { type: 'string', pattern: '^snap-[0-9a-f]+$', description: 'Snapshot to create the volume from' },
    throughput: { type: 'integer', description: 'Throughput in MiB/s, for gp3' },
    virtual_name: { type: 'string', pattern: '^ephemeral([0-9]|1[0-9]|2[0-3])$', description: 'An instance store volume: `ephemeral0`' },
    volume_size: { type: 'integer', minimum: 1, description: 'Size in GiB' },
    volume_type: { enum: ['gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1', 'standard'], description: 'Volume type' },
  },
} as const;

interface Limits {
  /** Minimum and maximum in GiB. */
  readonly size: readonly [number, number];
  /** IOPS: minimum, maximum, and maximum per GiB. */
  readonly iops?: readonly [number, number, number];
}

/** Limits by volume type; a test compares them with those of the embedded EC2. Source: EC2 API reference, CreateVolume, of August 2026. */
const limits: Readonly<Record<string, Limits>> = {
  gp2: { size: [1, 16_384] },
  gp3: { size: [1, 65_536], iops: [3_000, 80_000, 500] },
  io1: { size: [4, 16_384], iops: [100, 64_000, 50] },
  io2: { size: [4, 65_536], iops: [100, 256_000, 1_000] },
  st1: { size: [125, 16_384] },
  sc1: { size: [125, 16_384] },
  standard: { size: [1, 1_024] },
};

/** The errors of a block device, as continuations of its name; empty when there are none. */
export function faultsOfDevice(device: Device): string[] {
  const { volume_type: type = 'gp2', iops, throughput, volume_size: size } = device;
  const { size: sizes, iops: speeds } = limits[type] ?? {};
  const named = device.volume_type ?? 'the default type';
  return [
    ...(size !== undefined && sizes !== undefined && (size < sizes[0] || size > sizes[1])
      ? [`the size of ${type} volumes is ${sizes[0]} to ${sizes[1]} GiB, not ${size}`]
      : []),
    ...(iops === undefined && (type === 'io1' || type === 'io2') ? [`${type} requires iops`] : []),
    ...(iops !== undefined && speeds === undefined ? [`iops requires gp3, io1 or io2, not ${named}`] : []),
    ...(iops !== undefined && speeds !== undefined ? faultsOfIops(type, iops, size, speeds) : []),
    ...(throughput !== undefined && type !== 'gp3' ? [`throughput requires gp3, not ${named}`] : []),
    ...(throughput !== undefined && type === 'gp3' ? faultsOfThroughput(throughput, iops) : []),
  ];
}

function faultsOfIops(type: string, iops: number, size: number | undefined, [from, to, perGiB]: readonly [number, number, number]): string[] {
  return [
    ...(iops < from || iops > to ? [`iops of ${type} must be ${from} to ${to}`] : []),
    ...(size !== undefined && iops > Math.max(type === 'gp3' ? from : 0, size * perGiB) ? [`${type} has at most ${perGiB} iops per GiB`] : []),
  ];
}

/** For gp3, which has 3,000 IOPS by default. */
function faultsOfThroughput(throughput: number, iops = 3_000): string[] {
  return [
    ...(throughput < 125 || throughput > 2_000 ? ['throughput must be 125 to 2000 MiB/s'] : []),
    ...(throughput > iops * 0.25 ? [`gp3 has at most 0.25 MiB/s of throughput per iops: ${throughput} MiB/s requires ${throughput * 4} iops`] : []),
  ];
}

/** A device as in {@link mappingsOf}: merged with the device of the source image that has the same name. */
export function withSource(device: Device, source: BlockDeviceMapping | undefined): Device {
  const { VolumeSize, VolumeType, Iops, Throughput } = source === undefined ? {} : (registrable(source).Ebs ?? {});
  const changed = device.volume_type !== undefined && device.volume_type !== VolumeType;
  return {
    ...definedIn({ volume_size: VolumeSize, volume_type: VolumeType as string | undefined }),
    ...(changed ? {} : definedIn({ iops: Iops, throughput: Throughput })),
    ...definedIn(device),
  };
}

/** The name of a device as used in images: `xvda` is `/dev/xvda`. */
export function deviceName(name: string): string {
  return name.startsWith('/dev/') ? name : `/dev/${name}`;
}

/** The devices of an image: those of the source image, each changed by the settings of the recipe. Exactly one is the root. */
export function mappingsOf(
  source: readonly BlockDeviceMapping[],
  devices: readonly Device[],
  root: Device & { readonly snapshot_id: string },
): BlockDeviceMapping[] {
  const merged = new Map(source.map((mapping) => [deviceName(mapping.DeviceName ?? ''), registrable(mapping)]));
  for (const device of devices) {
    const name = deviceName(device.device_name);
    if (device.no_device) merged.delete(name);
    else merged.set(name, merge(merged.get(name), device));
  }
  // For the root volume, settings as a device come first; settings of the root volume override them.
  const { SnapshotId: _, VolumeSize: __, ...before } = merged.get(root.device_name)?.Ebs ?? {};
  const asDevice = devices.find((device) => deviceName(device.device_name) === root.device_name);
  const first = merge({ DeviceName: root.device_name, Ebs: { DeleteOnTermination: true, ...before } }, { ...asDevice, ...definedIn(root) });
  merged.delete(root.device_name);
  return [first, ...merged.values()];
}

function merge(before: BlockDeviceMapping | undefined, device: Device): BlockDeviceMapping {
  const DeviceName = deviceName(device.device_name);
  if (device.virtual_name !== undefined) return { DeviceName, VirtualName: device.virtual_name };
  const changed = device.volume_type !== undefined && device.volume_type !== before?.Ebs?.VolumeType;
  const { Iops: iops, Throughput: throughput, ...rest } = before?.Ebs ?? {};
  const ebs = {
    ...rest,
    // They apply only to the volume type that they were set with.
    ...(changed ? {} : definedIn({ Iops: iops, Throughput: throughput })),
    ...definedIn({
      SnapshotId: device.snapshot_id,
      VolumeSize: device.volume_size,
      VolumeType: device.volume_type as VolumeType | undefined,
      Iops: device.iops,
      Throughput: device.throughput,
      DeleteOnTermination: device.delete_on_termination,
      Encrypted: device.encrypted,
    }),
  };
  return registrable({ DeviceName, Ebs: ebs });
}

/** A device as RegisterImage accepts it: EC2 refuses keys, encryption of a device with a snapshot, and iops where they are fixed. */
function registrable({ DeviceName, VirtualName, Ebs: ebs }: BlockDeviceMapping): BlockDeviceMapping {
  if (ebs === undefined) return { DeviceName, VirtualName };
  const { Encrypted: encrypted, KmsKeyId: _, Iops: iops, Throughput: throughput, ...rest } = ebs;
  const type = ebs.VolumeType ?? '';
  return {
    DeviceName,
    Ebs: {
      ...rest,
      ...definedIn({ Iops: limits[type]?.iops === undefined ? undefined : iops, Throughput: type === 'gp3' ? throughput : undefined }),
      ...(ebs.SnapshotId === undefined ? definedIn({ Encrypted: encrypted }) : {}),
    },
  };
}

/** What a new image inherits from its source image. */
export function inheritedFrom(image: Image): Partial<RegisterImageCommandInput> {
  const paravirtual = image.VirtualizationType === 'paravirtual';
  return definedIn({
    Architecture: image.Architecture,
    VirtualizationType: image.VirtualizationType,
    RootDeviceName: image.RootDeviceName,
    EnaSupport: image.EnaSupport,
    SriovNetSupport: image.SriovNetSupport,
    BootMode: image.BootMode,
    ImdsSupport: image.ImdsSupport,
    TpmSupport: image.TpmSupport,
    KernelId: paravirtual ? image.KernelId : undefined,
    RamdiskId: paravirtual ? image.RamdiskId : undefined,
  });
}

/** The request that registers an image again, under another name. */
export function registrationOf(image: Image, uefi: string | undefined): RegisterImageCommandInput {
  return {
    Name: image.Name,
    ...inheritedFrom(image),
    ...definedIn({ Description: image.Description, UefiData: uefi }),
    BlockDeviceMappings: (image.BlockDeviceMappings ?? []).map(registrable),
  };
}

/** The UEFI variables of an image; undefined when it has none, or belongs to another account, since only the owner can read them. */
export async function uefiDataOf(ec2: Ec2, image: Image): Promise<string | undefined> {
  if (!image.BootMode?.startsWith('uefi')) return undefined;
  try {
    const found = await ec2.client.send(new ec2.sdk.DescribeImageAttributeCommand({ ImageId: image.ImageId, Attribute: 'uefiData' }));
    return found.UefiData?.Value;
  } catch (error) {
    if (codeOf(error) === 'AuthFailure') return undefined;
    throw inCall('DescribeImageAttribute', error);
  }
}

function definedIn<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
