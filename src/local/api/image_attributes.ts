import type { Image } from '../store.js';
import { type Action, action, existing, type Here, own, required, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import { changed, changeOf } from './permissions.js';
import type { XmlValue } from './xml.js';

const permissions = [{ UserId: 'string', Group: 'string', OrganizationArn: 'string', OrganizationalUnitArn: 'string' }] as const;

/** What a request may change, with the name of each; one of them at a time. */
const modifyImageAttribute = action(
  {
    DryRun: 'boolean',
    ImageId: 'string',
    Attribute: 'string',
    OperationType: 'string',
    Value: 'text',
    Description: { Value: 'text' },
    ImdsSupport: { Value: 'string' },
    LaunchPermission: { Add: permissions, Remove: permissions },
    ProductCode: ['text'],
    UserId: ['string'],
    UserGroup: ['string'],
    OrganizationArn: ['string'],
    OrganizationalUnitArn: ['string'],
  },
  async (request, here) => {
    const { id } = own(here, 'images', request.ImageId);
    const change = changesIn(request);
    stopDryRun(request);
    await here.store.exclusive(() => here.store.put('images', change(own(here, 'images', id), here)));
    return { return: true };
  },
);

interface Request {
  readonly Attribute?: string;
  readonly Value?: string;
  readonly Description?: { readonly Value?: string };
  readonly ImdsSupport?: { readonly Value?: string };
  readonly LaunchPermission?: object;
  readonly ProductCode?: readonly string[];
  readonly UserId?: readonly string[];
}

function changesIn(request: Request): (image: Image, here: Here) => Image {
  const named = request.Attribute;
  const description = request.Description?.Value ?? (named === 'description' ? request.Value : undefined);
  if (description !== undefined) return (image) => ({ ...image, description });
  const imds = request.ImdsSupport?.Value ?? (named === 'imdsSupport' ? request.Value : undefined);
  if (imds !== undefined) {
    if (imds !== 'v2.0') throw new Ec2Error('InvalidParameterValue', `Value (${imds}) for parameter imdsSupport is invalid.`);
    return (image) => ({ ...image, imds });
  }
  const codes = request.ProductCode;
  if (codes !== undefined && codes.length > 0) return (image) => ({ ...image, productCodes: [...new Set([...(image.productCodes ?? []), ...codes])] });
  const change = changeOf(request, request.LaunchPermission, 'launchPermission');
  return (image, here) => {
    const snapshots = image.mappings.flatMap(({ snapshot }) => (snapshot === undefined ? [] : (here.store.get('snapshots', snapshot) ?? [])));
    if (snapshots.some(({ encrypted, kmsKey }) => encrypted && (kmsKey === undefined || change.add.groups.length > 0))) {
      throw new Ec2Error('InvalidParameter', `Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot.`);
    }
    return { ...image, sharedWith: changed(image.sharedWith, change) };
  };
}

const describeImageAttribute = action({ DryRun: 'boolean', ImageId: 'string', Attribute: 'string' }, async (request, here) => {
  const image = existing(here, 'images', request.ImageId);
  const name = required(request.Attribute, 'Attribute');
  const value = (text: string | undefined): XmlValue => (text === undefined ? {} : { value: text });
  const read: Readonly<Record<string, () => XmlValue>> = {
    description: () => value(image.description),
    kernel: () => value(image.kernel),
    ramdisk: () => value(image.ramdisk),
    sriovNetSupport: () => value(image.sriov),
    bootMode: () => value(image.bootMode),
    tpmSupport: () => value(image.tpm),
    uefiData: () => value(image.uefi),
    imdsSupport: () => value(image.imds),
    deregistrationProtection: () => value(image.protection ?? 'disabled'),
    productCodes: () => (image.productCodes ?? []).map((productCode) => ({ productCode, type: 'marketplace' })),
    launchPermission: () => {
      const { users = [], groups = [], organizations = [], units = [] } = image.sharedWith ?? {};
      return [
        ...groups.map((group) => ({ group })),
        ...users.map((userId) => ({ userId })),
        ...organizations.map((organizationArn) => ({ organizationArn })),
        ...units.map((organizationalUnitArn) => ({ organizationalUnitArn })),
      ];
    },
  };
  const attribute = Object.hasOwn(read, name) ? read[name] : undefined;
  if (attribute === undefined) throw new Ec2Error('InvalidParameterValue', `Value (${name}) for parameter attribute is invalid.`);
  // Source: EC2 API reference, DescribeImageAttribute: only the owner may ask for most of them.
  own(here, 'images', image.id);
  stopDryRun(request);
  return { imageId: image.id, [name]: attribute() };
});

const enableImageDeprecation = action({ DryRun: 'boolean', ImageId: 'string', DeprecateAt: 'string' }, async (request, here) => {
  const { id } = own(here, 'images', request.ImageId);
  const at = Date.parse(required(request.DeprecateAt, 'DeprecateAt'));
  const year = 365 * 24 * 3_600_000;
  if (Number.isNaN(at)) throw new Ec2Error('InvalidParameterValue', `Invalid value '${request.DeprecateAt}' for deprecateAt.`);
  if (at < Date.now() || at > Date.now() + 10 * year)
    throw new Ec2Error('InvalidParameterValue', 'The deprecation date must be in the future, within 10 years.');
  stopDryRun(request);
  await changeImage(here, id, (image) => ({ ...image, deprecated: new Date(at).toISOString() }));
  return { return: true };
});

const disableImageDeprecation = action({ DryRun: 'boolean', ImageId: 'string' }, async (request, here) => {
  const { id } = own(here, 'images', request.ImageId);
  stopDryRun(request);
  await changeImage(here, id, (image) => ({ ...image, deprecated: undefined }));
  return { return: true };
});

const enableProtection = action({ DryRun: 'boolean', ImageId: 'string', WithCooldown: 'boolean' }, async (request, here) => {
  const { id } = own(here, 'images', request.ImageId);
  const protection = request.WithCooldown ? 'enabled-with-cooldown' : 'enabled';
  stopDryRun(request);
  await changeImage(here, id, (image) => ({ ...image, protection }));
  return { return: protection };
});

const disableProtection = action({ DryRun: 'boolean', ImageId: 'string' }, async (request, here) => {
  const { id, protection } = own(here, 'images', request.ImageId);
  if (protection === 'enabled-with-cooldown') throw new Ec2Error('OperationNotPermitted', `The image '${id}' stays protected for 24 hours.`);
  stopDryRun(request);
  await changeImage(here, id, (image) => ({ ...image, protection: undefined }));
  return { return: 'disabled' };
});

export const imageAttributeActions: Readonly<Record<string, Action>> = {
  ModifyImageAttribute: modifyImageAttribute,
  DescribeImageAttribute: describeImageAttribute,
  EnableImageDeprecation: enableImageDeprecation,
  DisableImageDeprecation: disableImageDeprecation,
  EnableImageDeregistrationProtection: enableProtection,
  DisableImageDeregistrationProtection: disableProtection,
};

function changeImage(here: Here, id: string, change: (image: Image) => Image): Promise<void> {
  return here.store.exclusive(() => here.store.put('images', change(own(here, 'images', id))));
}
