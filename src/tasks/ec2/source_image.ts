import type { Image } from '@aws-sdk/client-ec2';
import { findImages, rootVolumeOf } from '../../aws/images.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const sourceImage = defineKind({
  name: 'ec2.source_image',
  summary: 'Finds the image to start from',
  docs: 'By id, or by filters. Filters must name the owners: anybody can publish an image of any name. Several matches are an error unless `most_recent` is set. Changes nothing.',
  lifetime: 'step',
  in: 'none',
  tools: {},
  permissions: { always: ['ec2:DescribeImages'] },
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      id: { type: 'string', pattern: '^ami-[0-9a-f]+$', description: 'The image by its id' },
      filters: {
        type: 'object',
        description: 'Filters of DescribeImages, by name; `*` and `?` are wild in values',
        additionalProperties: { type: ['string', 'array'], items: { type: 'string' }, description: 'A value, or a list of them' },
      },
      owners: {
        type: 'array',
        description: 'Whose images the filters may match: account ids, or `self`, `amazon`, `aws-marketplace`',
        minItems: 1,
        items: { type: 'string' },
      },
      include_deprecated: { type: 'boolean', default: false, description: 'Whether deprecated images may match' },
      most_recent: { type: 'boolean', default: false, description: 'Take the newest of several matches' },
    },
  },
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
      name: { type: 'string', description: 'Its name' },
      description: { type: 'string', description: 'Its description' },
      created: { type: 'string', description: 'When it was made, as an ISO time' },
      owner_id: { type: 'string', description: 'The account it belongs to' },
      owner_name: { type: 'string', description: 'The name of that, where it has one: `amazon`' },
      tags: { type: 'object', description: 'Its tags', additionalProperties: { type: 'string', description: 'A value' } },
      snapshot_id: { type: 'string', description: 'Snapshot of its root volume' },
      root_device_name: { type: 'string', description: 'E.g. `/dev/xvda`' },
      volume_size: { type: 'integer', description: 'Size of its root volume in GiB' },
      volume_type: { type: 'string', description: 'Type of its root volume' },
      iops: { type: 'integer', description: 'I/O operations a second of its root volume, where it says' },
      throughput: { type: 'integer', description: 'Throughput of its root volume in MiB/s, where it says' },
      encrypted: { type: 'boolean', description: 'Whether its root volume is encrypted' },
      architecture: { type: 'string', description: '`x86_64` or `arm64`' },
      virtualization_type: { type: 'string', description: '`hvm` or `paravirtual`' },
      ena_support: { type: 'boolean', description: 'Whether it supports enhanced networking' },
      boot_mode: { type: 'string', description: '`legacy-bios`, `uefi` or `uefi-preferred`, where it says' },
    },
  },
  example: { filters: { name: 'base-*' }, owners: ['self'], most_recent: true },
  run: async ({ id, filters, owners, most_recent, include_deprecated }, context) => {
    if (id === undefined && filters === undefined) throw new Error('say which image, by "id" or by "filters"');
    if (filters !== undefined && owners === undefined) throw new Error('"filters" need "owners": anybody can publish an image of any name');
    const images = await findImages(await context.ec2(), {
      // An id is one image, whosever it is.
      ...(id === undefined ? { Owners: [...(owners ?? [])] } : { ImageIds: [id] }),
      ...(filters === undefined ? {} : { Filters: Object.entries(filters).map(([Name, value]) => ({ Name, Values: [value].flat().map(String) })) }),
      ...(include_deprecated ? { IncludeDeprecated: true } : {}),
    });
    if (images.length === 0) throw new Error(`no image of ${owners?.join(', ')} matches ${JSON.stringify(filters)}`);
    return factsOf(chosen(images, most_recent));
  },
});

/** The newest of some images, which must be the only one unless that does not matter. */
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
