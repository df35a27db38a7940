import type { Image } from '@aws-sdk/client-ec2';
import type { Ec2 } from '../../aws/client.js';
import { readableSnapshot, UnreadableError } from '../../aws/direct/readable.js';
import { missingPermissions } from '../../aws/dry_run.js';
import { inCall, isNotFound } from '../../aws/errors.js';
import { imageOf, imagesNamed, rootVolumeOf } from '../../aws/images.js';
import { findHost } from '../../aws/instance.js';
import { type Device, deviceName, faultsOfDevice, withSource } from '../../aws/registration.js';
import type { Described } from '../../dsl/recipe/kind.js';
import { defineKind } from '../../runtime/engine/kind.js';
import { copy } from './copy.js';
import { image } from './image.js';
import { imageAttributes } from './image_attributes.js';
import { volume } from './volume.js';

/** Source: KMS API reference, "Key identifiers"; an ARN of any partition. */
const keyPattern = '^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?(key/)?((mrk-)?[a-f0-9][a-f0-9-]*|alias/[A-Za-z0-9:/_-]+)$';

const { name, source, force_deregister, volume_size, volume_type, iops, throughput, block_device_mappings, root_device_name } = image.params.properties;
const { architecture, virtualization_type, boot_mode, uefi_data, tpm_support, ena_support, sriov_support } = image.params.properties;
const { users, groups, organizations, organizational_units, product_codes, snapshot_users, snapshot_groups } = imageAttributes.params.properties;
const { deprecate_at, deregistration_protection } = imageAttributes.params.properties;

/** Parameters of the kinds whose calls are checked here, with the same rules. */
const params = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    ...{ name, source, force_deregister, volume_size, volume_type, iops, throughput, block_device_mappings, root_device_name },
    ...{ architecture, virtualization_type, boot_mode, uefi_data, tpm_support, ena_support, sriov_support },
    regions: copy.params.properties.regions,
    encrypted: volume.params.properties.encrypted,
    kms_key_id: { ...volume.params.properties.kms_key_id, pattern: keyPattern },
    kms_key_ids: {
      ...copy.params.properties.kms_key_ids,
      additionalProperties: { type: 'string', pattern: `^$|${keyPattern}`, description: 'A key' },
    },
    ...{ users, groups, organizations, organizational_units, product_codes, snapshot_users, snapshot_groups },
    ...{ deprecate_at, deregistration_protection },
    validate_regions: { type: 'boolean', default: true, description: 'Whether to check that the regions exist' },
    dry_run: {
      type: 'boolean',
      default: true,
      description: 'Whether to check permissions with DryRun calls; disable it if a policy allows calls only for resources with certain tags',
    },
  },
} as const;

export const preflight = defineKind({
  name: 'ec2.preflight',
  summary: 'Checks for problems that would fail the build later, before anything is created',
  docs: 'Checks the image name in every region, the source image and its snapshot, marketplace codes, sharing and encryption, block devices, and the location of this machine. Asks EC2 with DryRun calls whether each call of the run is allowed. Reports all problems at once. The task changes nothing.',
  lifetime: 'step',
  in: 'none',
  tools: {},
  permissions: {
    always: ['ec2:DescribeImages', 'ec2:DescribeInstances', 'ec2:DescribeRegions', 'ec2:DescribeSnapshots', 'ec2:GetEbsEncryptionByDefault'],
  },
  directPermissions: ['ec2:DescribeImages', 'ec2:DescribeRegions', 'ec2:DescribeSnapshots', 'ec2:GetEbsEncryptionByDefault'],
  params,
  outputs: { type: 'object', additionalProperties: false, properties: {} },
  example: { name: 'web-{{ run.timestamp }}', source: '{{ source.id }}' },
  run: async (given, context) => {
    const ec2 = await context.ec2();
    const { users = [], organizations = [], organizational_units = [], groups = [], snapshot_users = [], snapshot_groups = [] } = given;
    const { product_codes = [] } = given;
    const shared_with = [...users, ...organizations, ...organizational_units, ...snapshot_users];
    const wanted: Wanted = {
      ...given,
      shared_with,
      groups: [...groups, ...snapshot_groups],
      regions: [...new Set(given.regions ?? [])].filter((region) => region !== ec2.region),
    };
    const source = given.source === undefined ? undefined : await imageOf(ec2, given.source);
    const host = await findHost(await context.disks());
    const regions = given.validate_regions ? await unknownRegions(ec2, wanted.regions) : [];
    // The remaining checks call the regions, so these must exist.
    failOn([...faultsOfParams(wanted, ec2.region), ...(await faultsOfDevices(ec2, source, wanted)), ...regions]);
    const copies = await Promise.all(wanted.regions.map((region) => context.ec2(region)));
    const everywhere = [ec2, ...copies];
    const found = await Promise.all([
      ...everywhere.map((there) => faultsOfName(there, given.name, given.force_deregister)),
      faultsOfSource(ec2, source, wanted),
      faultsOfSharing(everywhere, source, wanted),
      given.dry_run
        ? missingPermissions(ec2, copies, {
            ...wanted,
            source,
            host,
            changesImage: [users, organizations, organizational_units, groups, product_codes].some((list) => list.length > 0),
            changesSnapshot: [snapshot_users, snapshot_groups].some((list) => list.length > 0),
          })
        : [],
    ]);
    failOn(found.flat());
    return {};
  },
});

/** @throws Error that lists all problems. */
function failOn(faults: readonly string[]): void {
  if (faults.length === 1) throw new Error(faults[0]);
  if (faults.length > 1) throw new Error(`${faults.length} problems:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
}

/** The parameters; `shared_with` and `groups` hold everyone who gets access to the images or snapshots. */
type Wanted = Omit<Described<typeof params>, 'groups' | 'regions'> & {
  readonly shared_with: readonly string[];
  readonly groups: readonly string[];
  readonly regions: readonly string[];
};

/** Problems that are visible without a call to EC2. */
function* faultsOfParams(wanted: Wanted, region: string): Generator<string> {
  if (wanted.kms_key_id !== undefined && wanted.encrypted === false) yield 'kms_key_id requires encryption, but "encrypted" is false';
  const keys = Object.keys(wanted.kms_key_ids ?? {}).filter((name) => name !== region);
  for (const name of keys) if (!wanted.regions.includes(name)) yield `kms_key_ids has a key for ${name}, but the image is not copied to ${name}`;
  if (keys.length > 0) for (const name of wanted.regions) if (!keys.includes(name)) yield `kms_key_ids has keys for other regions, but none for ${name}`;
  const { boot_mode: mode, architecture, virtualization_type: virtualization } = wanted;
  if (wanted.uefi_data !== undefined && mode === 'legacy-bios') yield 'uefi_data cannot be used with boot_mode "legacy-bios"';
  if (wanted.uefi_data !== undefined && mode === undefined && architecture?.startsWith('x86_64')) yield 'uefi_data requires boot_mode "uefi" on x86_64';
  if (wanted.tpm_support !== undefined && mode !== 'uefi' && !(mode === undefined && architecture === 'arm64'))
    yield `tpm_support requires boot_mode "uefi", not "${mode ?? 'legacy-bios'}"`;
  if (virtualization === 'paravirtual' && (wanted.ena_support || wanted.sriov_support)) yield 'enhanced networking requires virtualization "hvm"';
  const year = 365 * 24 * 3_600_000;
  const deprecated = wanted.deprecate_at === undefined ? undefined : Date.parse(wanted.deprecate_at) - Date.now();
  if (deprecated !== undefined && !(deprecated > 0 && deprecated < 10 * year))
    yield `deprecate_at is ${wanted.deprecate_at}: it must be in the future, within 10 years`;
}

/** Checks the devices of the new image: those of the source, overridden by the parameters. */
async function faultsOfDevices(ec2: Ec2, source: Image | undefined, wanted: Wanted): Promise<string[]> {
  const { block_device_mappings: devices = [], volume_size, volume_type, iops, throughput } = wanted;
  const names = devices.map((device) => deviceName(device.device_name));
  const root = deviceName(wanted.root_device_name ?? source?.RootDeviceName ?? '/dev/xvda');
  const ofSource = (name: string) => source?.BlockDeviceMappings?.find((mapping) => deviceName(mapping.DeviceName ?? '') === name);
  const set = Object.entries({ volume_size, volume_type, iops, throughput }).filter(([, value]) => value !== undefined);
  // Its snapshot does not exist yet; the volume will be as large as the root volume of the source.
  const size = rootVolumeOf(source)?.VolumeSize;
  const rootDevice = {
    ...(size === undefined ? {} : { volume_size: size }),
    ...devices[names.indexOf(root)],
    device_name: root,
    ...Object.fromEntries(set),
  };
  const faults = faultsOfDevice(withSource(rootDevice, ofSource(root))).map((fault) => `root volume: ${fault}`);
  for (const [i, device] of devices.entries()) {
    const name = deviceName(device.device_name);
    const isVolume = name !== root && !device.no_device && device.virtual_name === undefined;
    const found = isVolume ? await faultsOfVolume(ec2, withSource(device, ofSource(name))) : [];
    faults.push(...found.map((fault) => `device ${device.device_name}: ${fault}`));
    if (names.indexOf(name) !== i) faults.push(`duplicate device ${device.device_name}`);
  }
  return faults;
}

async function faultsOfVolume(ec2: Ec2, device: Device): Promise<string[]> {
  const { snapshot_id: id, volume_size: size } = device;
  if (id === undefined) return size === undefined ? ['volume_size or snapshot_id is required'] : faultsOfDevice(device);
  try {
    const { Snapshots: [snapshot] = [] } = await ec2.client.send(new ec2.sdk.DescribeSnapshotsCommand({ SnapshotIds: [id] }));
    const least = snapshot?.VolumeSize ?? 1;
    const smaller = size !== undefined && size < least ? [`${size} GiB is smaller than its snapshot ${id} (${least} GiB)`] : [];
    return [...smaller, ...faultsOfDevice({ ...device, volume_size: size ?? least })];
  } catch (error) {
    if (!isNotFound(error)) throw inCall('DescribeSnapshots', error);
    return [`the snapshot ${id} cannot be read (${(error as Error).message})`];
  }
}

async function unknownRegions(ec2: Ec2, regions: readonly string[]): Promise<string[]> {
  if (regions.length === 0) return [];
  const { Regions: found = [] } = await asked('DescribeRegions', ec2.client.send(new ec2.sdk.DescribeRegionsCommand({})));
  const known = found.map((region) => region.RegionName ?? '');
  return regions
    .filter((region) => !known.includes(region))
    .map((region) => `the region ${region} does not exist or is not enabled; known regions: ${known.join(', ')}`);
}

async function faultsOfName(ec2: Ec2, name: string, force: boolean): Promise<string[]> {
  return (await imagesNamed(ec2, name)).flatMap(({ ImageId: id, DeregistrationProtection: protection = 'disabled' }) => {
    if (!force) return [`the name "${name}" is taken by ${id} in ${ec2.region}; set force_deregister to replace that image`];
    return protection.startsWith('disabled') ? [] : [`the image ${id} of that name in ${ec2.region} has deregistration protection (${protection})`];
  });
}

async function faultsOfSource(ec2: Ec2, source: Image | undefined, { volume_size: size }: Wanted): Promise<string[]> {
  if (source === undefined) return [];
  const faults: string[] = [];
  const codes = (source.ProductCodes ?? []).filter((code) => code.ProductCodeType === 'marketplace');
  if (codes.length > 0) {
    const why = 'EC2 attaches such volumes only to stopped instances, so the chroot method does not work';
    faults.push(`${source.ImageId} is a marketplace image (${codes.map((code) => code.ProductCodeId).join(', ')}): ${why}`);
  }
  const root = rootVolumeOf(source);
  if (size !== undefined && root?.VolumeSize !== undefined && size < root.VolumeSize) {
    faults.push(`${size} GiB is smaller than the root volume of ${source.ImageId} (${root.VolumeSize} GiB)`);
  }
  for (const id of root?.SnapshotId === undefined ? [] : [root.SnapshotId]) {
    try {
      if (ec2.cloud.volumes === 'direct') await readableSnapshot(ec2, id);
      else await ec2.client.send(new ec2.sdk.DescribeSnapshotsCommand({ SnapshotIds: [id] }));
    } catch (error) {
      if (error instanceof UnreadableError) faults.push(error.message);
      else if (!isNotFound(error) && !isNotFound((error as Error).cause)) throw inCall('DescribeSnapshots', error);
      else faults.push(`the snapshot ${id} of ${source.ImageId} cannot be read (${(error as Error).message}): its owner must share the snapshot too`);
    }
  }
  return faults;
}

/** The regions in which the image will be encrypted, and the key that is set for each. */
async function encryptionIn(regions: readonly Ec2[], source: Image | undefined, wanted: Wanted): Promise<Map<string, string | undefined>> {
  const root = rootVolumeOf(source);
  const encrypted = new Map<string, string | undefined>();
  for (const [i, ec2] of regions.entries()) {
    const named = i === 0 ? wanted.kms_key_id : (wanted.kms_key_ids?.[ec2.region] as string | undefined);
    // An empty key is the account's default key.
    const key = named === '' ? undefined : named;
    const must = wanted.encrypted || root?.Encrypted || named !== undefined;
    const found = must || (await asked('GetEbsEncryptionByDefault', ec2.client.send(new ec2.sdk.GetEbsEncryptionByDefaultCommand({})))).EbsEncryptionByDefault;
    if (found) encrypted.set(ec2.region, key);
  }
  return encrypted;
}

async function faultsOfSharing(regions: readonly Ec2[], source: Image | undefined, wanted: Wanted): Promise<string[]> {
  const { shared_with: shared, groups } = wanted;
  if (shared.length + groups.length === 0) return [];
  const encrypted = await encryptionIn(regions, source, wanted);
  if (groups.length > 0 && encrypted.size > 0) return [`the image is encrypted in ${[...encrypted.keys()].join(', ')}, so it cannot be made public`];
  const without = [...encrypted].filter(([, key]) => key === undefined).map(([region]) => region);
  return without.length === 0 ? [] : [`an image encrypted with the account's default key cannot be shared: set a key for ${without.join(', ')}`];
}

async function asked<T>(call: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw inCall(call, error);
  }
}
