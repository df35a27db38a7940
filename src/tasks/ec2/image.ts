import type { ArchitectureValues, BlockDeviceMapping, BootModeValues, Image, RegisterImageCommandInput } from '@aws-sdk/client-ec2';
import { ec2ByHand } from '../../aws/by_hand.js';
import type { Ec2 } from '../../aws/client.js';
import { removeMade } from '../../aws/find_created.js';
import { deregisterImage, imageOf, imagesMadeBy, imagesNamed, registerImage, snapshotsOf, waitForImage } from '../../aws/images.js';
import { journaledCreate, type MadeNote, madeNow } from '../../aws/journaled_create.js';
import { runTag, tagsOf } from '../../aws/ownership_tags.js';
import { type Device, deviceName, deviceSchema, inheritedFrom, mappingsOf, uefiDataOf } from '../../aws/registration.js';
import { interimName, interimTask, noteOlder, type RetiredNote, replacedSchema, restore, retire } from '../../aws/replace_image.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const image = defineKind({
  name: 'ec2.image',
  summary: 'Registers an image from a snapshot',
  docs: 'One RegisterImage call sets all properties. If `source` is set, it provides the properties that are not set: architecture, virtualization, boot mode, ENA and SR-IOV support, TPM, metadata version, UEFI variables, and the other volumes. The image is deregistered when the run fails.',
  lifetime: 'step',
  undoes: 'deregister the image',
  in: 'none',
  tools: {},
  permissions: {
    always: ['ec2:RegisterImage', 'ec2:CreateTags', 'ec2:DescribeImageAttribute', 'ec2:DescribeImages', 'ec2:DeregisterImage'],
  },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'snapshot'],
    properties: {
      name: {
        type: 'string',
        pattern: "^[A-Za-z0-9()\\[\\] ./\\-'@_]{3,128}$",
        description: 'Name of the image, 3 to 128 characters; the helper `clean_name` replaces characters that are not allowed',
      },
      snapshot: { type: 'string', pattern: '^snap-[0-9a-f]+$', description: 'Snapshot of the root volume' },
      source: { type: 'string', pattern: '^ami-[0-9a-f]+$', description: 'The source image, which provides properties that are not set' },
      description: { type: 'string', maxLength: 255, description: 'Description of the image' },
      architecture: { enum: ['i386', 'x86_64', 'arm64', 'x86_64_mac', 'arm64_mac'], description: 'Architecture; defaults to that of the source, or `x86_64`' },
      virtualization_type: { enum: ['hvm', 'paravirtual'], description: 'Virtualization; defaults to that of the source, or `hvm`' },
      root_device_name: {
        type: 'string',
        pattern: '^(/dev/)?[a-z0-9]+$',
        description: 'Name of the root device; defaults to that of the source, or `/dev/xvda`',
      },
      volume_size: { type: 'integer', minimum: 1, description: 'Size of the root volume of its instances in GiB; defaults to the size of the snapshot' },
      volume_type: { enum: ['gp2', 'gp3', 'io1', 'io2', 'standard'], default: 'gp3', description: 'Type of the root volume of its instances' },
      iops: { type: 'integer', description: 'IOPS of the root volume of its instances, for gp3, io1 and io2' },
      throughput: { type: 'integer', description: 'Throughput of the root volume of its instances in MiB/s, for gp3' },
      block_device_mappings: { type: 'array', description: 'Devices to add to those of the source, or to override by device name', items: deviceSchema },
      boot_mode: { enum: ['legacy-bios', 'uefi', 'uefi-preferred'], description: 'Boot mode; defaults to that of the source' },
      uefi_data: { type: 'string', description: 'UEFI variables, in base64; defaults to those of the source if this account owns it' },
      ena_support: { type: 'boolean', description: 'Enhanced networking with ENA; defaults to the setting of the source, or true' },
      sriov_support: { type: 'boolean', description: 'Enhanced networking with SR-IOV; defaults to the setting of the source' },
      imds_support: { enum: ['v2.0'], description: 'Instances require version 2 of the metadata service; defaults to the setting of the source' },
      tpm_support: { enum: ['v2.0'], description: 'NitroTPM; defaults to the setting of the source' },
      force_deregister: {
        type: 'boolean',
        default: false,
        description: 'Whether older images of this account with the same name are replaced, once the new image is available under an interim name',
      },
      tags: { type: 'object', description: 'Tags, in addition to those of the run', additionalProperties: { type: 'string', description: 'A value' } },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'name', 'region', 'snapshots', 'replaced'],
    properties: {
      id: { type: 'string', description: 'Id of the image' },
      name: { type: 'string', description: 'Name of the image' },
      region: { type: 'string', description: 'Region of the image' },
      snapshots: { type: 'array', items: { type: 'string' }, description: 'Ids of the snapshots of its volumes' },
      replaced: replacedSchema,
    },
  },
  example: { name: 'web-{{ run.timestamp }}', snapshot: '{{ snapshot.id }}', architecture: 'x86_64' },
  run: async (params, context) => {
    const ec2 = await context.ec2();
    const { signal } = context;
    const source = params.source === undefined ? undefined : await imageOf(ec2, params.source);
    const want = await registrationFor(params, source, ec2);
    const made = madeNow(context, ec2);
    const register = async (task: string, name: string) => {
      const tags = await tagsOf(ec2, { run: context.run, task }, name, params.tags ?? {});
      const note = { ...made, task };
      return journaledCreate(context, note, () =>
        registerImage(ec2, { ...want, Name: name, TagSpecifications: [{ ResourceType: 'image', Tags: tags }] }, note, signal, context.progress),
      );
    };
    const old = params.force_deregister ? await imagesNamed(ec2, params.name) : [];
    let image: Image;
    if (old.length === 0) image = await waitForImage(ec2, (await register(context.task, params.name)).made.id, signal);
    else {
      await noteOlder(ec2, old, context);
      const interim = await register(interimTask(context.task), interimName(params.name, context.run));
      await waitForImage(ec2, interim.made.id, signal);
      await retire(ec2, old, signal);
      image = await waitForImage(ec2, (await register(context.task, params.name)).made.id, signal);
      await deregisterImage(ec2, interim.made.id, interim.made, signal);
      interim.note.remove();
    }
    if (source !== undefined && source.PlatformDetails !== image.PlatformDetails) {
      context.warn(`the source is billed as "${source.PlatformDetails}", and the new image as "${image.PlatformDetails}"`);
    }
    return {
      id: image.ImageId ?? '',
      name: params.name,
      region: ec2.region,
      snapshots: snapshotsOf(image),
      replaced: { [ec2.region]: old.flatMap(snapshotsOf) },
    };
  },
  undo: (note: MadeNote | RetiredNote, host) =>
    'retired' in note ? restore(note, host) : removeMade(note, host, { search: imagesMadeBy, remove: deregisterImage }),
  artifacts: (note: MadeNote | RetiredNote) => ('retired' in note ? [] : [{ type: 'image', region: note.region, id: note.id ?? '' }]),
  byHand: (note: MadeNote | RetiredNote, at) => [
    'retired' in note
      ? ec2ByHand(at, note, 'register-image', '--cli-input-json', JSON.stringify(note.again))
      : note.id === undefined
        ? ec2ByHand(at, note, 'describe-images', '--owners', 'self', '--filters', `Name=tag:${runTag},Values=${note.run}`, '# then deregister-image')
        : ec2ByHand(at, note, 'deregister-image', '--image-id', note.id),
  ],
});

interface Params extends Omit<Device, 'device_name' | 'snapshot_id' | 'virtual_name' | 'no_device'> {
  readonly name: string;
  readonly snapshot: string;
  readonly description?: string | undefined;
  readonly architecture?: string | undefined;
  readonly virtualization_type?: string | undefined;
  readonly root_device_name?: string | undefined;
  readonly block_device_mappings?: readonly Device[] | undefined;
  readonly boot_mode?: string | undefined;
  readonly uefi_data?: string | undefined;
  readonly ena_support?: boolean | undefined;
  readonly sriov_support?: boolean | undefined;
  readonly imds_support?: 'v2.0' | undefined;
  readonly tpm_support?: 'v2.0' | undefined;
}

/** The input of RegisterImage: the properties of the source, overridden by the parameters. */
async function registrationFor(params: Params, source: Image | undefined, ec2: Ec2): Promise<RegisterImageCommandInput> {
  const { volume_size, volume_type, iops, throughput } = params;
  const root = deviceName(params.root_device_name ?? source?.RootDeviceName ?? '/dev/xvda');
  const device = { device_name: root, snapshot_id: params.snapshot, volume_size, volume_type, iops, throughput } as Device & { snapshot_id: string };
  const set = {
    Description: params.description,
    Architecture: params.architecture as ArchitectureValues | undefined,
    VirtualizationType: params.virtualization_type,
    EnaSupport: params.ena_support,
    BootMode: params.boot_mode as BootModeValues | undefined,
    ImdsSupport: params.imds_support,
    TpmSupport: params.tpm_support,
    UefiData: params.uefi_data ?? (source && (await uefiDataOf(ec2, source))),
  };
  const inherited = source === undefined ? {} : inheritedFrom(source);
  // Inherited properties that conflict with parameters.
  const conflicting = {
    ...(params.virtualization_type === 'hvm' ? { KernelId: undefined, RamdiskId: undefined } : {}),
    ...(params.virtualization_type === 'paravirtual' && params.ena_support === undefined ? { EnaSupport: false, SriovNetSupport: undefined } : {}),
    ...(params.boot_mode === 'legacy-bios' ? { TpmSupport: params.tpm_support, UefiData: params.uefi_data } : {}),
  };
  return {
    // EC2's own defaults for the first two are i386 and paravirtual.
    ...{ Architecture: 'x86_64', VirtualizationType: 'hvm', EnaSupport: true, ...inherited },
    ...Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined)),
    ...(params.sriov_support === undefined ? {} : { SriovNetSupport: params.sriov_support ? 'simple' : undefined }),
    ...conflicting,
    Name: params.name,
    RootDeviceName: root,
    BlockDeviceMappings: mappingsOf(withoutRoot(source, root), params.block_device_mappings ?? [], device),
  };
}

/** The devices of the source, without its root device if the new image names its root device differently. */
function withoutRoot(source: Image | undefined, root: string): BlockDeviceMapping[] {
  return (source?.BlockDeviceMappings ?? []).filter(({ DeviceName: name }) => name !== source?.RootDeviceName || name === root);
}
