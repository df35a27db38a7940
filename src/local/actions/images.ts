import { type Action, action, existing, type Here, required, selected, stopDryRun } from '../action.js';
import { Ec2Error } from '../errors.js';
import { type Attributes, describeShape, filtered, page, tagSet, tagShape, tagsFor } from '../filters.js';
import type { Image, Mapping } from '../store.js';

const ebsShape = {
  SnapshotId: 'string',
  VolumeSize: 'integer',
  VolumeType: 'string',
  Iops: 'integer',
  Throughput: 'integer',
  Encrypted: 'boolean',
  DeleteOnTermination: 'boolean',
} as const;

const registerImage = action(
  {
    DryRun: 'boolean',
    Name: 'string',
    Description: 'string',
    Architecture: 'string',
    VirtualizationType: 'string',
    RootDeviceName: 'string',
    EnaSupport: 'boolean',
    SriovNetSupport: 'string',
    BootMode: 'string',
    ImdsSupport: 'string',
    TpmSupport: 'string',
    BlockDeviceMapping: [{ DeviceName: 'string', VirtualName: 'string', NoDevice: 'string', Ebs: ebsShape }],
    TagSpecification: tagShape,
  },
  async (request, here) => {
    const name = required(request.Name, 'Name');
    if (!/^[A-Za-z0-9()[\] ./\-'@_]{3,128}$/.test(name)) {
      throw new Ec2Error(
        'InvalidAMIName.Malformed',
        `AMI names must be between 3 and 128 characters long, and may contain letters, numbers, and only the following characters: ( ) . - / _ ' @ [ ] and space`,
      );
    }
    const architecture = choice(request.Architecture ?? 'i386', ['i386', 'x86_64', 'arm64', 'x86_64_mac', 'arm64_mac'], 'architecture');
    const virtualization = choice(request.VirtualizationType ?? 'paravirtual', ['paravirtual', 'hvm'], 'virtualizationType');
    if (request.BootMode !== undefined) choice(request.BootMode, ['legacy-bios', 'uefi', 'uefi-preferred'], 'bootMode');
    const rootDevice = required(request.RootDeviceName, 'RootDeviceName');
    const mappings = (request.BlockDeviceMapping ?? []).filter((m) => m.NoDevice === undefined).map((m) => mappingOf(m, here));
    if (!mappings.some((mapping) => mapping.device === rootDevice && mapping.snapshot !== undefined)) {
      throw new Ec2Error('InvalidBlockDeviceMapping', 'No root snapshot specified in device mapping');
    }
    const tags = tagsFor('image', request.TagSpecification);
    stopDryRun(request);
    const image = await here.store.exclusive(() => {
      const other = here.store.list('images').find((i) => i.name === name);
      if (other !== undefined) throw new Ec2Error('InvalidAMIName.Duplicate', `AMI name ${name} is already in use by AMI ${other.id}`);
      const made: Image = {
        id: here.store.newId('images'),
        created: new Date().toISOString(),
        tags,
        name,
        description: request.Description ?? '',
        architecture,
        virtualization,
        rootDevice,
        mappings,
        ena: request.EnaSupport ?? false,
        sriov: request.SriovNetSupport,
        bootMode: request.BootMode,
        imds: request.ImdsSupport,
        tpm: request.TpmSupport,
      };
      here.store.put('images', made);
      return made;
    });
    return { imageId: image.id };
  },
);

const describeImages = action({ ...describeShape, ImageId: ['string'], Owner: ['string'], IncludeDeprecated: 'boolean' }, async (request, here) => {
  const all = selected(here, 'images', request.ImageId);
  const owned = request.Owner === undefined || request.Owner.some((owner) => owner === 'self' || owner === here.account) ? all : [];
  const found = filtered(owned, request, attributes(here));
  stopDryRun(request);
  const { items, nextToken } = page(found, request);
  return { imagesSet: items.map((image) => imageBody(image, here)), nextToken };
});

const deregisterImage = action({ DryRun: 'boolean', ImageId: 'string' }, async (request, here) => {
  const id = required(request.ImageId, 'ImageId');
  if (here.store.get('images', id) === undefined) {
    throw new Ec2Error(/^ami-[0-9a-f]+$/.test(id) ? 'InvalidAMIID.Unavailable' : 'InvalidAMIID.Malformed', `The AMI ID '${id}' is not available`);
  }
  stopDryRun(request);
  await here.store.exclusive(() => here.store.remove('images', id));
  return { return: true };
});

export const imageActions: Readonly<Record<string, Action>> = {
  RegisterImage: registerImage,
  DescribeImages: describeImages,
  DeregisterImage: deregisterImage,
};

interface MappingRequest {
  readonly DeviceName?: string;
  readonly VirtualName?: string;
  readonly Ebs?: {
    readonly SnapshotId?: string;
    readonly VolumeSize?: number;
    readonly VolumeType?: string;
    readonly Iops?: number;
    readonly Throughput?: number;
    readonly Encrypted?: boolean;
    readonly DeleteOnTermination?: boolean;
  };
}

function mappingOf(request: MappingRequest, here: Here): Mapping {
  const device = required(request.DeviceName, 'BlockDeviceMapping.DeviceName');
  const ebs = request.Ebs;
  const snapshot = ebs?.SnapshotId === undefined ? undefined : existing(here, 'snapshots', ebs.SnapshotId);
  if (snapshot?.ready === false) throw new Ec2Error('IncorrectState', `Snapshot '${snapshot.id}' is not 'completed'.`);
  const size = ebs?.VolumeSize ?? snapshot?.size;
  if (ebs !== undefined && size === undefined) throw new Ec2Error('MissingParameter', 'The request must contain the parameter size or snapshotId');
  if (snapshot !== undefined && size !== undefined && size < snapshot.size) {
    throw new Ec2Error('InvalidBlockDeviceMapping', `Volume of size ${size}GB is smaller than snapshot '${snapshot.id}', expect size>= ${snapshot.size}GB`);
  }
  return {
    device,
    virtualName: request.VirtualName,
    snapshot: snapshot?.id,
    size,
    type: ebs === undefined ? undefined : (ebs.VolumeType ?? 'gp2'),
    iops: ebs?.Iops,
    throughput: ebs?.Throughput,
    encrypted: ebs?.Encrypted ?? snapshot?.encrypted ?? false,
    deleteOnTermination: ebs?.DeleteOnTermination ?? true,
  };
}

function imageBody(image: Image, here: Here) {
  return {
    imageId: image.id,
    imageLocation: `${here.account}/${image.name}`,
    imageState: 'available',
    imageOwnerId: here.account,
    isPublic: false,
    architecture: image.architecture,
    imageType: 'machine',
    name: image.name,
    description: image.description === '' ? undefined : image.description,
    rootDeviceType: 'ebs',
    rootDeviceName: image.rootDevice,
    blockDeviceMapping: image.mappings.map((mapping) => ({
      deviceName: mapping.device,
      virtualName: mapping.virtualName,
      ebs:
        mapping.size === undefined
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
    })),
    virtualizationType: image.virtualization,
    tagSet: tagSet(image.tags),
    hypervisor: 'xen',
    enaSupport: image.ena,
    sriovNetSupport: image.sriov,
    bootMode: image.bootMode,
    imdsSupport: image.imds,
    tpmSupport: image.tpm,
    creationDate: image.created,
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
  };
}

function attributes(here: Here): Attributes<Image> {
  return {
    'image-id': (i) => i.id,
    name: (i) => i.name,
    description: (i) => i.description,
    architecture: (i) => i.architecture,
    'virtualization-type': (i) => i.virtualization,
    'root-device-name': (i) => i.rootDevice,
    'root-device-type': () => 'ebs',
    state: () => 'available',
    'owner-id': () => here.account,
    'is-public': () => false,
    'image-type': () => 'machine',
    'ena-support': (i) => i.ena,
    'block-device-mapping.snapshot-id': (i) => i.mappings.map((mapping) => mapping.snapshot),
    'block-device-mapping.device-name': (i) => i.mappings.map((mapping) => mapping.device),
  };
}

function choice(value: string, allowed: readonly string[], name: string): string {
  if (allowed.includes(value)) return value;
  throw new Ec2Error('InvalidParameterValue', `Value (${value}) for parameter ${name} is invalid. Valid values are ${allowed.join(', ')}`);
}
