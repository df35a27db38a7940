import type { Image } from '@aws-sdk/client-ec2';
import { findImages, rootVolumeOf } from '../../aws/images.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const sourceImage = defineKind({
  name: 'ec2.source_image',
  summary: 'Finds the image to start from',
  docs: 'Set `id`, or `filters` and `owners`. The owners are required because anyone can publish an image under any name. Several matches are an error unless `most_recent` is set. The task changes nothing.',
  lifetime: 'step',
  in: 'none',
  tools: {},
  permissions: { always: ['ec2:DescribeImages'] },
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      id: { type: 'string', pattern: '^ami-[0-9a-f]+$', description: 'Id of the image' },
      filters: {
        type: 'object',
        description: 'Filters of DescribeImages, by name; values may contain the wildcards `*` and `?`',
        additionalProperties: { type: ['string', 'array'], items: { type: 'string' }, description: 'A value, or a list of values' },
      },
      owners: {
        type: 'array',
        description: 'Whose images the filters may match: account ids, or `self`, `amazon`, `aws-marketplace`',
        minItems: 1,
        items: { type: 'string' },
      },
      include_deprecated: { type: 'boolean', default: false, description: 'Whether deprecated images may match' },
      most_recent: { type: 'boolean', default: false, description: 'Whether to take the newest of several matches' },
    },
  },
  requiresOneOf: ['id', 'filters'],
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: [
      'id',
      'name',
      'description',
      'created',
      'owner_id',
      'tags',
      'snapshot_id',
      'root_device_name',
      'volume_size',
      'volume_type',
      'encrypted',
      'architecture',
      'virtualization_type',
      'ena_support',
    ],
    properties: {
      id: { type: 'string', description: 'Id of the image' },
      name: { type: 'string', description: 'Name of the image' },
      description: { type: 'string', description: 'Description of the image' },
      created: { type: 'string', description: 'Creation time, as an ISO 8601 time' },
      owner_id: { type: 'string', description: 'Account that owns the image' },
      owner_name: { type: 'string', description: 'Alias of the owner, if it has one, e.g. `amazon`' },
      tags: { type: 'object', description: 'Tags of the image', additionalProperties: { type: 'string', description: 'A value' } },
      snapshot_id: { type: 'string', description: 'Snapshot of its root volume' },
      root_device_name: { type: 'string', description: 'Name of its root device, e.g. `/dev/xvda`' },
      volume_size: { type: 'integer', description: 'Size of its root volume in GiB' },
      volume_type: { type: 'string', description: 'Type of its root volume' },
      iops: { type: 'integer', description: 'IOPS of its root volume, if the image specifies it' },
      throughput: { type: 'integer', description: 'Throughput of its root volume in MiB/s, if the image specifies it' },
      encrypted: { type: 'boolean', description: 'Whether its root volume is encrypted' },
      architecture: { type: 'string', description: '`x86_64` or `arm64`' },
      virtualization_type: { type: 'string', description: '`hvm` or `paravirtual`' },
      ena_support: { type: 'boolean', description: 'Whether it supports enhanced networking with ENA' },
      boot_mode: { type: 'string', description: '`legacy-bios`, `uefi` or `uefi-preferred`, if the image specifies it' },
    },
  },
  example: { filters: { name: 'base-*' }, owners: ['self'], most_recent: true },
  run: async ({ id, filters, owners, most_recent, include_deprecated }, context) => {
    if (id === undefined && filters === undefined) throw new Error('"id" or "filters" is required');
    if (filters !== undefined && owners === undefined) throw new Error('"filters" requires "owners": anyone can publish an image under any name');
    const images = await findImages(await context.ec2(), {
      // An id names one image, whoever owns it.
      ...(id === undefined ? { Owners: [...(owners ?? [])] } : { ImageIds: [id] }),
      ...(filters === undefined ? {} : { Filters: Object.entries(filters).map(([Name, value]) => ({ Name, Values: [value].flat().map(String) })) }),
      ...(include_deprecated ? { IncludeDeprecated: true } : {}),
    });
    if (images.length === 0) throw new Error(`no image of ${owners?.join(', ')} matches ${JSON.stringify(filters)}`);
    return factsOf(chosen(images, most_recent));
  },
});

/** The newest of the images; more than one is an error unless `mostRecent` is true. */
function chosen(images: readonly Image[], mostRecent: boolean): Image {
  const newest = [...images].sort((a, b) => ((a.CreationDate ?? '') < (b.CreationDate ?? '') ? 1 : -1));
  const [first, second] = newest as [Image, ...Image[]];
  if (second !== undefined && !mostRecent) {
    const some = newest.slice(0, 5).map((image) => `${image.ImageId} (${image.Name})`);
    throw new Error(`${images.length} images match: ${some.join(', ')}${images.length > 5 ? ', …' : ''}; narrow the filters or set most_recent`);
  }
  return first;
}

function factsOf(image: Image) {
  const root = rootVolumeOf(image);
  if (image.RootDeviceType !== 'ebs' || root?.SnapshotId === undefined) throw new Error(`the root device of ${image.ImageId} is not an EBS volume`);
  return {
    id: image.ImageId ?? '',
    name: image.Name ?? '',
    description: image.Description ?? '',
    created: image.CreationDate ?? '',
    owner_id: image.OwnerId ?? '',
    ...(image.ImageOwnerAlias === undefined ? {} : { owner_name: image.ImageOwnerAlias }),
    tags: Object.fromEntries((image.Tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? ''])),
    snapshot_id: root.SnapshotId,
    root_device_name: image.RootDeviceName ?? '',
    volume_size: root.VolumeSize ?? 0,
    volume_type: root.VolumeType ?? '',
    ...(root.Iops === undefined ? {} : { iops: root.Iops }),
    ...(root.Throughput === undefined ? {} : { throughput: root.Throughput }),
    encrypted: root.Encrypted ?? false,
    architecture: image.Architecture ?? '',
    virtualization_type: image.VirtualizationType ?? '',
    ena_support: image.EnaSupport ?? false,
    ...(image.BootMode === undefined ? {} : { boot_mode: image.BootMode }),
  };
}
