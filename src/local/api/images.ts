import type { Image, Mapping } from '../store.js';
import { type Action, action, existing, failureOf, type Here, hasPassed, mustBeId, own, ownerOf, putNew, required, selected, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import { type Attributes, describeShape, filtered, page, tagSet, tagShape, tagsFor } from './filters.js';
import { ownedBy } from './permissions.js';
import { isComplete } from './snapshots.js';

const ebsShape = {
  SnapshotId: 'string',
  VolumeSize: 'integer',
  VolumeType: 'string',
  Iops: 'integer',
  Throughput: 'integer',
  Encrypted: 'boolean',
  KmsKeyId: 'string',
  DeleteOnTermination: 'boolean',
  VolumeInitializationRate: 'integer',
} as const;

const registerImage = action(
  {
    DryRun: 'boolean',
    Name: 'string',
    Description: 'text',
    Architecture: 'string',
    VirtualizationType: 'string',
    RootDeviceName: 'text',
    EnaSupport: 'boolean',
    SriovNetSupport: 'string',
    BootMode: 'string',
    ImdsSupport: 'string',
    TpmSupport: 'string',
    UefiData: 'string',
    KernelId: 'text',
    RamdiskId: 'text',
    BillingProduct: ['string'],
    BlockDeviceMapping: [{ DeviceName: 'text', VirtualName: 'text', NoDevice: 'string', Ebs: ebsShape }],
    TagSpecification: tagShape,
  },
  async (request, here) => {
    const name = checkedName(request.Name);
    const architecture = choice(request.Architecture ?? 'i386', ['i386', 'x86_64', 'arm64', 'x86_64_mac', 'arm64_mac'], 'architecture');
    const virtualization = choice(request.VirtualizationType ?? 'paravirtual', ['paravirtual', 'hvm'], 'virtualizationType');
    if (request.BootMode !== undefined) choice(request.BootMode, ['legacy-bios', 'uefi', 'uefi-preferred'], 'bootMode');
    if (request.ImdsSupport !== undefined) choice(request.ImdsSupport, ['v2.0'], 'imdsSupport');
    if (request.TpmSupport !== undefined) choice(request.TpmSupport, ['v2.0'], 'tpmSupport');
    if (request.SriovNetSupport !== undefined) choice(request.SriovNetSupport, ['simple'], 'sriovNetSupport');
    checkBoot(request, virtualization);
    const rootDevice = required(request.RootDeviceName, 'RootDeviceName');
    const mappings = (request.BlockDeviceMapping ?? []).filter((m) => m.NoDevice === undefined).map((m) => mappingOf(m, here));
    if (!mappings.some((mapping) => mapping.device === rootDevice && mapping.snapshot !== undefined)) {
      throw new Ec2Error('InvalidBlockDeviceMapping', 'No root snapshot specified in device mapping');
    }
    const tags = tagsFor('image', request.TagSpecification);
    stopDryRun(request);
    const image = await here.store.exclusive(() => {
      mustBeFree(name, here);
      for (const { snapshot } of mappings) if (snapshot !== undefined) existing(here, 'snapshots', snapshot);
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
        uefi: request.UefiData,
        kernel: request.KernelId,
        ramdisk: request.RamdiskId,
        owner: here.account,
      };
      putNew(here, 'images', made);
      return made;
    });
    return { imageId: image.id };
  },
);

const describeShapeOfImages = {
  ...describeShape,
  ImageId: ['string'],
  Owner: ['string'],
  ExecutableBy: ['string'],
  IncludeDeprecated: 'boolean',
  IncludeDisabled: 'boolean',
} as const;

const describeImages = action(describeShapeOfImages, async (request, here) => {
  const all = selected(here, 'images', request.ImageId);
  // Source: EC2 API reference, DescribeImages: the owner of a deprecated image always sees it, others by its id.
  const current = all.filter((i) => request.IncludeDeprecated || request.ImageId !== undefined || ownerOf(i) === here.account || !isDeprecated(i));
  const found = filtered(ownedBy(current, request.Owner, here), request, attributes(here));
  stopDryRun(request);
  const { items, nextToken } = page(found, request);
  return { imagesSet: items.map((image) => imageBody(image, here)), nextToken };
});

const deregisterImage = action({ DryRun: 'boolean', ImageId: 'string' }, async (request, here) => {
  const id = required(request.ImageId, 'ImageId');
  mustBeId('images', id);
  if (here.store.get('images', id) === undefined) throw new Ec2Error('InvalidAMIID.Unavailable', `The AMI ID '${id}' is not available`);
  const mayGo = () => {
    const { protection } = own(here, 'images', id);
    if (protection !== undefined) throw new Ec2Error('OperationNotPermitted', `The image '${id}' is protected against deregistration (${protection}).`);
  };
  mayGo();
  stopDryRun(request);
  await here.store.exclusive(() => {
    mayGo();
    here.store.remove('images', id);
    here.store.noteDeregistered(id);
  });
  return { return: true };
});

export const imageActions: Readonly<Record<string, Action>> = {
  RegisterImage: registerImage,
  DescribeImages: describeImages,
  DeregisterImage: deregisterImage,
};

/** The name of an image, which must be one. Source: EC2 API reference, RegisterImage. */
export function checkedName(given: string | undefined): string {
  const name = required(given, 'Name');
  if (!/^[A-Za-z0-9()[\] ./\-'@_]{3,128}$/.test(name)) {
    throw new Ec2Error(
      'InvalidAMIName.Malformed',
      `AMI names must be between 3 and 128 characters long, and may contain letters, numbers, and only the following characters: ( ) . - / _ ' @ [ ] and space`,
    );
  }
  return name;
}

/** @throws Ec2Error where an image of the account has a name already. */
export function mustBeFree(name: string, here: Here): void {
  const other = here.store.list('images').find((image) => image.name === name && ownerOf(image) === here.account);
  if (other !== undefined) throw new Ec2Error('InvalidAMIName.Duplicate', `AMI name ${name} is already in use by AMI ${other.id}`);
}

/** Whether an image can be used. */
export function isAvailable(image: Image, here: Here): boolean {
  const { latency } = here;
  return image.ready !== false && hasPassed(image, image.source === undefined ? latency.image : latency.copy);
}

function stateOf(image: Image, here: Here): string {
  if (failureOf(image, here) !== undefined) return 'failed';
  return isAvailable(image, here) ? 'available' : 'pending';
}

function reasonOf(failure: string | undefined) {
  return failure === undefined ? undefined : { code: 'Server.InternalError', message: failure };
}

/** @throws Ec2Error for what boots no machine. Source: EC2 API reference, RegisterImage. */
function checkBoot({ BootMode: mode, TpmSupport: tpm, UefiData: uefi, EnaSupport: ena }: BootRequest, virtualization: string): void {
  const say = (text: string) => new Ec2Error('InvalidParameterCombination', text);
  if (tpm !== undefined && mode !== 'uefi') throw say("The parameter tpmSupport requires the boot mode 'uefi'.");
  if (uefi !== undefined && mode === 'legacy-bios') throw say("The parameter uefiData is not supported with the boot mode 'legacy-bios'.");
  if (ena && virtualization !== 'hvm') throw say('The parameter enaSupport is only supported for hvm images.');
}

interface BootRequest {
  readonly BootMode?: string;
  readonly TpmSupport?: string;
  readonly UefiData?: string;
  readonly EnaSupport?: boolean;
}

function isDeprecated({ deprecated }: Image): boolean {
  return deprecated !== undefined && Date.parse(deprecated) <= Date.now();
}

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
    readonly KmsKeyId?: string;
    readonly DeleteOnTermination?: boolean;
  };
}

function mappingOf(request: MappingRequest, here: Here): Mapping {
  const device = required(request.DeviceName, 'BlockDeviceMapping.DeviceName');
  const ebs = request.Ebs;
  const snapshot = ebs?.SnapshotId === undefined ? undefined : existing(here, 'snapshots', ebs.SnapshotId);
  if (snapshot !== undefined && !isComplete(snapshot, here)) throw new Ec2Error('IncorrectState', `Snapshot '${snapshot.id}' is not 'completed'.`);
  if (snapshot !== undefined && (ebs?.Encrypted !== undefined || ebs?.KmsKeyId !== undefined)) {
    throw new Ec2Error('InvalidBlockDeviceMapping', `the encrypted flag cannot be specified since device ${device} has a snapshot specified.`);
  }
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
  const owner = ownerOf(image);
  return {
    imageId: image.id,
    imageLocation: `${owner}/${image.name}`,
    imageState: stateOf(image, here),
    stateReason: reasonOf(failureOf(image, here)),
    imageOwnerId: owner,
    isPublic: image.sharedWith?.groups.includes('all') ?? false,
    productCodes: image.productCodes?.map((productCode) => ({ productCode, type: 'marketplace' })),
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
    kernelId: image.kernel,
    ramdiskId: image.ramdisk,
    deprecationTime: image.deprecated,
    deregistrationProtection: image.protection ?? 'disabled',
    sourceImageId: image.source?.image,
    sourceImageRegion: image.source?.region,
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
    state: (i) => stateOf(i, here),
    'owner-id': (i) => ownerOf(i),
    'is-public': (i) => i.sharedWith?.groups.includes('all') ?? false,
    'creation-date': (i) => i.created,
    'boot-mode': (i) => i.bootMode,
    'product-code': (i) => i.productCodes,
    'source-image-id': (i) => i.source?.image,
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
