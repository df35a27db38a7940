import type { Image } from '@aws-sdk/client-ec2';
import type { Ec2 } from './client.js';
import { codeOf } from './errors.js';
import { rootVolumeOf } from './images.js';
import type { Host } from './instance.js';

/** What is known of a build before it starts. */
export interface Build {
  readonly name: string;
  readonly host: Host;
  readonly source: Image | undefined;
  readonly volume_size?: number | undefined;
  readonly changesImage: boolean;
  readonly changesSnapshot: boolean;
  readonly deprecate_at?: string | undefined;
  readonly deregistration_protection?: string | undefined;
}

/**
 * Asks EC2 whether each call of a build is allowed. Resources that do not exist yet have ids that nothing has, so only
 * the response "not allowed" counts.
 * @param copies the regions to copy the image to.
 * @returns the missing permissions, one sentence each.
 */
export async function missingPermissions(ec2: Ec2, copies: readonly Ec2[], build: Build): Promise<string[]> {
  const calls = [...callsOf(ec2, build), ...copies.map((there) => copyCall(there, ec2.region, build))];
  const refused = await Promise.all(calls.map(async ([name, send]) => ((await isUnauthorized(send)) ? [name] : [])));
  return [...new Set(refused.flat())].map((name) => `EC2 would not allow ${name}: the permission ec2:${name} is missing`);
}

type Call = readonly [name: string, send: () => Promise<unknown>];

const none = { volume: 'vol-00000000000000000', snapshot: 'snap-00000000000000000', image: 'ami-00000000000000000' };
const DryRun = true;

function callsOf({ sdk, client, cloud }: Ec2, build: Build): Call[] {
  const { name, host, source } = build;
  const { volume, snapshot, image } = none;
  const root = source?.RootDeviceName ?? '/dev/xvda';
  const from = rootVolumeOf(source)?.SnapshotId;
  const disk = from === undefined ? { Size: build.volume_size ?? 1 } : { SnapshotId: from };
  const mapping = { DeviceName: root, Ebs: { SnapshotId: from ?? snapshot } };
  const registration = { Name: name, Architecture: 'x86_64' as const, VirtualizationType: 'hvm', RootDeviceName: root, BlockDeviceMappings: [mapping] };
  const onVolumes: Call[] = [
    ['CreateVolume', () => client.send(new sdk.CreateVolumeCommand({ DryRun, AvailabilityZone: host.zone, ...disk }))],
    ['AttachVolume', () => client.send(new sdk.AttachVolumeCommand({ DryRun, VolumeId: volume, InstanceId: host.instance_id, Device: '/dev/sdf' }))],
    ['DetachVolume', () => client.send(new sdk.DetachVolumeCommand({ DryRun, VolumeId: volume }))],
    ['DeleteVolume', () => client.send(new sdk.DeleteVolumeCommand({ DryRun, VolumeId: volume }))],
    ['CreateSnapshot', () => client.send(new sdk.CreateSnapshotCommand({ DryRun, VolumeId: volume }))],
  ];
  const calls: Call[] = [
    // EBS direct has no DryRun.
    ...(cloud.volumes === 'direct' ? [] : onVolumes),
    ['DeleteSnapshot', () => client.send(new sdk.DeleteSnapshotCommand({ DryRun, SnapshotId: snapshot }))],
    ['RegisterImage', () => client.send(new sdk.RegisterImageCommand({ DryRun, ...registration }))],
    ['DeregisterImage', () => client.send(new sdk.DeregisterImageCommand({ DryRun, ImageId: image }))],
  ];
  if (build.changesImage) {
    const input = { DryRun, ImageId: image, LaunchPermission: { Add: [{ UserId: '000000000000' }] } };
    calls.push(['ModifyImageAttribute', () => client.send(new sdk.ModifyImageAttributeCommand(input))]);
  }
  if (build.changesSnapshot) {
    const input = { DryRun, SnapshotId: snapshot, CreateVolumePermission: { Add: [{ UserId: '000000000000' }] } };
    calls.push(['ModifySnapshotAttribute', () => client.send(new sdk.ModifySnapshotAttributeCommand(input))]);
  }
  if (build.deprecate_at !== undefined) {
    const input = { DryRun, ImageId: image, DeprecateAt: new Date(build.deprecate_at) };
    calls.push(['EnableImageDeprecation', () => client.send(new sdk.EnableImageDeprecationCommand(input))]);
  }
  if (build.deregistration_protection !== undefined) {
    const send = () => client.send(new sdk.EnableImageDeregistrationProtectionCommand({ DryRun, ImageId: image }));
    calls.push(['EnableImageDeregistrationProtection', send]);
  }
  return calls;
}

function copyCall({ sdk, client }: Ec2, from: string, { name, source }: Build): Call {
  const input = { DryRun, Name: name, SourceRegion: from, SourceImageId: source?.ImageId ?? none.image };
  return ['CopyImage', () => client.send(new sdk.CopyImageCommand(input))];
}

async function isUnauthorized(send: () => Promise<unknown>): Promise<boolean> {
  try {
    await send();
    return false;
  } catch (error) {
    return codeOf(error) === 'UnauthorizedOperation';
  }
}
