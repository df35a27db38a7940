import type { ArchitectureValues, BlockDeviceMapping, BootModeValues, Image, VolumeType } from '@aws-sdk/client-ec2';
import { deregisterImage, findImages, imagesMadeBy, registerImage, waitForImage } from '../../runtime/ec2/images.js';
import { type MadeNote, removeMade, tagsOf } from '../../runtime/ec2/tags.js';
import { defineKind } from '../../runtime/kind.js';

export const image = defineKind({
  name: 'ec2.image',
  summary: 'Registers an image from a snapshot',
  docs: 'Everything is said in one call. What is not given is taken from the source image where one is named: architecture, virtualization, boot mode, ENA and SR-IOV support, TPM, metadata version, and its other volumes. Deregistered when the run fails.',
  lifetime: 'step',
  takesBack: 'deregister the image',
  in: 'none',
  tools: {},
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'snapshot'],
    properties: {
      name: {
        type: 'string',
        pattern: "^[A-Za-z0-9()\\[\\] ./\\-'@_]{3,128}$",
        description: 'Name of the image, 3 to 128 characters; `clean_name` takes out what is not allowed',
      },
      snapshot: { type: 'string', pattern: '^snap-[0-9a-f]+$', description: 'Snapshot of the root volume' },
      source: { type: 'string', pattern: '^ami-[0-9a-f]+$', description: 'The image it was made from, whose properties it gets' },
      description: { type: 'string', maxLength: 255, description: 'Description of the image' },
      architecture: { enum: ['x86_64', 'arm64'], description: 'Architecture; that of the source, else `x86_64`' },
      virtualization_type: { enum: ['hvm', 'paravirtual'], description: 'Virtualization; that of the source, else `hvm`' },
      root_device_name: { type: 'string', pattern: '^/dev/[a-z0-9]+$', description: 'Name of the root device; that of the source, else `/dev/xvda`' },
      volume_size: { type: 'integer', minimum: 1, description: 'Size of the root volume of its instances in GiB; the size of the snapshot unless said' },
      volume_type: { enum: ['gp2', 'gp3', 'io1', 'io2', 'standard'], default: 'gp3', description: 'Type of the root volume of its instances' },
      boot_mode: { enum: ['legacy-bios', 'uefi', 'uefi-preferred'], description: 'Boot mode; that of the source unless said' },
      ena_support: { type: 'boolean', description: 'Enhanced networking by ENA; as the source, else on' },
      sriov_support: { type: 'boolean', description: 'Enhanced networking by SR-IOV; as the source unless said' },
      imds_support: { enum: ['v2.0'], description: 'Instances ask for version 2 of the metadata service; as the source unless said' },
      tpm_support: { enum: ['v2.0'], description: 'NitroTPM; as the source unless said' },
      tags: { type: 'object', description: 'Tags, besides those of the run', additionalProperties: { type: 'string', description: 'A value' } },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'name'],
    properties: { id: { type: 'string', description: 'Id of the image' }, name: { type: 'string', description: 'Its name' } },
  },
  example: { name: 'web-{{ run.timestamp }}', snapshot: '{{ snapshot.id }}', architecture: 'x86_64' },
  run: async (params, context) => {
    const ec2 = await context.ec2();
    const [source] = params.source === undefined ? [] : await findImages(ec2, { ImageIds: [params.source] });
    const root = params.root_device_name ?? source?.RootDeviceName ?? '/dev/xvda';
    const sriov = params.sriov_support === undefined ? source?.SriovNetSupport : params.sriov_support ? 'simple' : undefined;
    const made: MadeNote = { run: context.run, task: context.task, asked_at: new Date().toISOString() };
    const note = context.note(made);
    const id = await registerImage(
      ec2,
      {
        Name: params.name,
        Description: params.description,
        // EC2's own defaults for these two are i386 and paravirtual.
        Architecture: (params.architecture ?? source?.Architecture ?? 'x86_64') as ArchitectureValues,
        VirtualizationType: params.virtualization_type ?? source?.VirtualizationType ?? 'hvm',
        RootDeviceName: root,
        EnaSupport: params.ena_support ?? source?.EnaSupport ?? true,
        SriovNetSupport: sriov,
        BootMode: (params.boot_mode ?? source?.BootMode) as BootModeValues | undefined,
        ImdsSupport: params.imds_support ?? source?.ImdsSupport,
        TpmSupport: params.tpm_support ?? source?.TpmSupport,
        BlockDeviceMappings: [
          {
            DeviceName: root,
            Ebs: { SnapshotId: params.snapshot, VolumeSize: params.volume_size, VolumeType: params.volume_type as VolumeType, DeleteOnTermination: true },
          },
          ...otherVolumes(source),
        ],
        TagSpecifications: [{ ResourceType: 'image', Tags: tagsOf(context.run, context.task, params.name, params.tags ?? {}) }],
      },
      made,
      context.signal,
    );
    note.update({ ...made, id });
    await waitForImage(ec2, id, context.signal);
    return { id, name: params.name };
  },
  undo: (note: MadeNote, world) => removeMade(note, world, { call: 'DescribeImages', look: imagesMadeBy, remove: deregisterImage }),
  byHand: (note: MadeNote) => [
    note.id === undefined
      ? `aws ec2 describe-images --owners self --filters Name=tag:chrootfile:run,Values=${note.run}   # then deregister-image`
      : `aws ec2 deregister-image --image-id ${note.id}`,
  ],
});

/** The volumes of an image besides its root. EC2 refuses to be told of encryption where there is a snapshot. */
function otherVolumes(source: Image | undefined): BlockDeviceMapping[] {
  const others = (source?.BlockDeviceMappings ?? []).filter((mapping) => mapping.DeviceName !== source?.RootDeviceName);
  return others.map(({ Ebs: ebs, ...mapping }) => {
    if (ebs?.SnapshotId === undefined) return ebs === undefined ? mapping : { ...mapping, Ebs: ebs };
    const { Encrypted: _, ...rest } = ebs;
    return { ...mapping, Ebs: rest };
  });
}
