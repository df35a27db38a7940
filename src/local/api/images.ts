import type { Image, Mapping } from '../resources.js';
import { action, existing, type Here, hasPassed, mustBeId, own, ownerOf, putNew, required, selected, stopDryRun } from './action.js';
import { failureOfImage, isFilled } from './copying.js';
import { Ec2Error } from './errors.js';
import { type Attributes, filtered, nothing, page, tagSet, tagsFor } from './filters.js';
import { hasDisk, mappingsBody, mappingsOf } from './image_mappings.js';
import type { Image as ImageAnswer, ImageState } from './model/answers.js';
import { aliasOf, ownedBy, usableBy } from './permissions.js';
import { deleteUnused } from './snapshots.js';

const registerImage = action(
  'RegisterImage',
  async (
    {
      Name: wantedName,
      Description: description = '',
      Architecture: architecture = 'i386',
      VirtualizationType: wantedVirtualization = 'paravirtual',
      RootDeviceName: wantedRoot,
      EnaSupport: ena = false,
      SriovNetSupport: sriov,
      BootMode: bootMode,
      ImdsSupport: imds,
      TpmSupport: tpm,
      UefiData: uefi,
      KernelId: kernel,
      RamdiskId: ramdisk,
      BlockDeviceMapping: wantedMappings = [],
      TagSpecification: specifications,
    },
    here,
  ) => {
    const name = checkedName(wantedName);
    const virtualization = choice(wantedVirtualization, ['paravirtual', 'hvm'], 'virtualizationType');
    if (sriov !== undefined) choice(sriov, ['simple'], 'sriovNetSupport');
    checkBoot({ bootMode, tpm, uefi, ena, virtualization });
    const rootDevice = required(wantedRoot, 'RootDeviceName');
    const mappings = mappingsOf(wantedMappings, here);
    if (!mappings.some((mapping) => mapping.device === rootDevice && mapping.snapshot !== undefined)) {
      throw new Ec2Error('InvalidBlockDeviceMapping', 'No root snapshot specified in device mapping');
    }
    const tags = tagsFor('image', specifications);
    stopDryRun(here);
    const image = await here.store.exclusive(() => {
      mustBeFree(name, here);
      for (const { snapshot } of mappings) if (snapshot !== undefined) existing(here, 'snapshots', snapshot);
      const made: Image = {
        id: here.store.newId('images'),
        created: new Date().toISOString(),
        tags,
        name,
        description,
        architecture,
        virtualization,
        rootDevice,
        mappings,
        ena,
        sriov,
        bootMode,
        imds,
        tpm,
        uefi,
        kernel,
        ramdisk,
        owner: here.account,
      };
      putNew(here, 'images', made);
      return made;
    });
    return { imageId: image.id };
  },
);

const describeImages = action(
  'DescribeImages',
  async (
    {
      ImageId: ids,
      Owner: owners,
      ExecutableBy: users,
      Filter: filters,
      IncludeDeprecated: showsDeprecated,
      IncludeDisabled: showsDisabled,
      MaxResults: most,
      NextToken: token,
    },
    here,
  ) => {
    const all = selected(here, 'images', ids);
    // Source: EC2 API reference, DescribeImages: owners always see deprecated images; others see them by id.
    const current = all.filter((image) => showsDeprecated || ids !== undefined || ownerOf(image) === here.account || !isDeprecated(image));
    const enabled = current.filter((image) => showsDisabled || !image.disabled);
    const found = filtered(usableBy(ownedBy(enabled, owners, here), users, here, 'shared only'), filters, attributes(here));
    stopDryRun(here);
    const { items, nextToken } = page(found, { MaxResults: most, NextToken: token, ImageId: ids });
    return { imagesSet: items.map((image) => imageBody(image, here)), nextToken };
  },
);

const deregisterImage = action('DeregisterImage', async ({ ImageId: id, DeleteAssociatedSnapshots: deletesSnapshots }, here) => {
  mustBeId('images', id);
  if (here.store.get('images', id) === undefined) throw new Ec2Error('InvalidAMIID.Unavailable', `The AMI ID '${id}' is not available`);
  const mayGo = () => {
    const { protection } = own(here, 'images', id);
    if (protection !== undefined) throw new Ec2Error('OperationNotPermitted', `The image '${id}' is protected against deregistration (${protection}).`);
  };
  mayGo();
  stopDryRun(here);
  return here.store.exclusive(() => {
    mayGo();
    const snapshots = new Set(own(here, 'images', id).mappings.flatMap(({ snapshot }) => snapshot ?? []));
    here.store.remove('images', id);
    here.store.noteDeregistered(id);
    if (!deletesSnapshots) return { return: true };
    return { return: true, deleteSnapshotResultSet: [...snapshots].map((snapshot) => ({ snapshotId: snapshot, returnCode: deleteUnused(snapshot, here) })) };
  });
});

export const imageActions = [registerImage, describeImages, deregisterImage];

/** The name of an image, checked. Source: EC2 API reference, RegisterImage. */
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

/** @throws Ec2Error when an image of the account already has the name. */
export function mustBeFree(name: string, here: Here): void {
  const other = here.store.list('images').find((image) => image.name === name && ownerOf(image) === here.account);
  if (other !== undefined) throw new Ec2Error('InvalidAMIName.Duplicate', `AMI name ${name} is already in use by AMI ${other.id}`);
}

/** Whether an image can be used. */
export function isAvailable(image: Image, here: Here): boolean {
  const { latency } = here;
  return isFilled(image, here.store) && !image.disabled && hasPassed(image, image.source === undefined ? latency.image : latency.copy);
}

function stateOf(image: Image, here: Here): ImageState {
  if (failureOfImage(image, here) !== undefined) return 'failed';
  if (image.disabled) return 'disabled';
  return isAvailable(image, here) ? 'available' : 'pending';
}

function reasonOf(failure: string | undefined) {
  return failure === undefined ? undefined : { code: 'Server.InternalError', message: failure };
}

/** @throws Ec2Error for settings with which no machine boots. Source: EC2 API reference, RegisterImage. */
function checkBoot({ bootMode, tpm, uefi, ena, virtualization }: Pick<Image, 'bootMode' | 'tpm' | 'uefi' | 'ena' | 'virtualization'>): void {
  const invalid = (text: string) => new Ec2Error('InvalidParameterCombination', text);
  if (tpm !== undefined && bootMode !== 'uefi') throw invalid("The parameter tpmSupport requires the boot mode 'uefi'.");
  if (uefi !== undefined && bootMode === 'legacy-bios') throw invalid("The parameter uefiData is not supported with the boot mode 'legacy-bios'.");
  if (ena && virtualization !== 'hvm') throw invalid('The parameter enaSupport is only supported for hvm images.');
}

function isDeprecated({ deprecated }: Image): boolean {
  return deprecated !== undefined && Date.parse(deprecated) <= Date.now();
}

function imageBody(image: Image, here: Here): ImageAnswer {
  const owner = ownerOf(image);
  return {
    imageId: image.id,
    imageLocation: locationOf(image),
    imageState: stateOf(image, here),
    stateReason: reasonOf(failureOfImage(image, here)),
    imageOwnerId: owner,
    isPublic: image.sharedWith?.groups.includes('all') ?? false,
    productCodes: image.productCodes?.map((productCode) => ({ productCode, type: 'marketplace' })),
    architecture: image.architecture,
    imageType: 'machine',
    name: image.name,
    description: image.description === '' ? undefined : image.description,
    rootDeviceType: 'ebs',
    rootDeviceName: image.rootDevice,
    blockDeviceMapping: mappingsBody(image.mappings),
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
    sourceInstanceId: image.instance,
    creationDate: image.created,
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
  };
}

/** Source: EC2 API reference, DescribeImages. */
function attributes(here: Here): Attributes<Image> {
  const disks = (pick: (mapping: Mapping) => string | number | boolean | undefined) => (i: Image) => i.mappings.filter(hasDisk).map(pick);
  return {
    architecture: (i) => i.architecture,
    'block-device-mapping.delete-on-termination': disks((mapping) => mapping.deleteOnTermination),
    'block-device-mapping.device-name': (i) => i.mappings.map((mapping) => mapping.device),
    'block-device-mapping.encrypted': disks((mapping) => mapping.encrypted),
    'block-device-mapping.snapshot-id': disks((mapping) => mapping.snapshot),
    'block-device-mapping.volume-size': disks((mapping) => mapping.size),
    'block-device-mapping.volume-type': disks((mapping) => mapping.type),
    'boot-mode': (i) => i.bootMode,
    'creation-date': (i) => i.created,
    description: (i) => i.description,
    'ena-support': (i) => i.ena,
    'free-tier-eligible': () => false,
    hypervisor: () => 'xen',
    'image-allowed': () => true,
    'image-id': (i) => i.id,
    'image-type': () => 'machine',
    'is-public': (i) => i.sharedWith?.groups.includes('all') ?? false,
    'kernel-id': (i) => i.kernel,
    'manifest-location': locationOf,
    name: (i) => i.name,
    'owner-alias': (i) => aliasOf(i, here),
    'owner-id': (i) => ownerOf(i),
    'product-code': (i) => i.productCodes,
    'product-code.type': (i) => i.productCodes?.map(() => 'marketplace'),
    'ramdisk-id': (i) => i.ramdisk,
    'root-device-name': (i) => i.rootDevice,
    'root-device-type': () => 'ebs',
    'source-image-id': (i) => i.source?.image,
    'source-image-region': (i) => i.source?.region,
    'source-instance-id': (i) => i.instance,
    'sriov-net-support': (i) => i.sriov,
    state: (i) => stateOf(i, here),
    'state-reason-code': (i) => reasonOf(failureOfImage(i, here))?.code,
    'state-reason-message': (i) => reasonOf(failureOfImage(i, here))?.message,
    'virtualization-type': (i) => i.virtualization,
    ...nothing('platform'),
  };
}

function locationOf(image: Image): string {
  return `${ownerOf(image)}/${image.name}`;
}

/** Checks a value that the model defines only as text. */
function choice<const T extends string>(value: string, allowed: readonly T[], name: string): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined)
    throw new Ec2Error('InvalidParameterValue', `Value (${value}) for parameter ${name} is invalid. Valid values are ${allowed.join(', ')}`);
  return found;
}
