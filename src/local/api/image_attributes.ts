import type { Image, Sharing } from '../resources.js';
import { action, existing, type Here, own, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import type { ImageAttribute } from './model/answers.js';
import type * as Asked from './model/requests.js';
import type { ImageAttributeName, ResetImageAttributeName } from './model/requests.js';
import { changed, changeOf } from './permissions.js';

/** A request names one attribute at a time, in one of two ways. */
const modifyImageAttribute = action(
  'ModifyImageAttribute',
  async (
    {
      ImageId: imageId,
      Attribute: named,
      OperationType: operation,
      Value: value,
      Description: description,
      ImdsSupport: imds,
      LaunchPermission: permission = {},
      ProductCode: productCodes = [],
      UserId: users = [],
      UserGroup: groups = [],
      OrganizationArn: organizations = [],
      OrganizationalUnitArn: units = [],
    },
    here,
  ) => {
    const { id } = own(here, 'images', imageId);
    const text = (attribute: string, given: Asked.AttributeValue | undefined) => {
      if (given !== undefined) return textOf(given);
      if (named === attribute && value === undefined) throw new Ec2Error('MissingParameter', 'The request must contain the parameter Value');
      return named === attribute ? value : undefined;
    };
    const { Add: added = [], Remove: removed = [] }: Asked.LaunchPermissionModifications = permission;
    const change = changeBy({
      description: text('description', description),
      imds: text('imdsSupport', imds),
      productCodes,
      permissions: () =>
        changeOf(
          { named, operation, plain: { users, groups, organizations, units }, added: added.map(sharingOf), removed: removed.map(sharingOf) },
          'launchPermission',
        ),
    });
    stopDryRun(here);
    await here.store.exclusive(() => here.store.put('images', change(own(here, 'images', id), here)));
    return { return: true };
  },
);

function textOf({ Value: text = '' }: Asked.AttributeValue): string {
  return text;
}

function sharingOf({ UserId: user, Group: group, OrganizationArn: organization, OrganizationalUnitArn: unit }: Asked.LaunchPermission): Sharing {
  const list = (one: string | undefined) => (one === undefined ? [] : [one]);
  return { users: list(user), groups: list(group), organizations: list(organization), units: list(unit) };
}

interface Wanted {
  readonly description: string | undefined;
  readonly imds: string | undefined;
  readonly productCodes: readonly string[];
  readonly permissions: () => { readonly add: Sharing; readonly remove: Sharing };
}

function changeBy({ description, imds, productCodes, permissions }: Wanted): (image: Image, here: Here) => Image {
  if (description !== undefined) return (image) => ({ ...image, description });
  if (imds !== undefined) {
    if (imds !== 'v2.0') throw new Ec2Error('InvalidParameterValue', `Value (${imds}) for parameter imdsSupport is invalid.`);
    return (image) => ({ ...image, imds });
  }
  if (productCodes.length > 0) return (image) => ({ ...image, productCodes: [...new Set([...(image.productCodes ?? []), ...productCodes])] });
  const change = permissions();
  return (image, here) => {
    // Source: EC2 User Guide, "Disable an AMI", and its list of error codes.
    if (image.disabled && Object.values(change.add).some((names) => names.length > 0)) {
      throw new Ec2Error('InvalidAMIID.Unavailable', `The AMI ID '${image.id}' is disabled: it cannot be shared.`);
    }
    const snapshots = image.mappings.flatMap(({ snapshot }) => (snapshot === undefined ? [] : (here.store.get('snapshots', snapshot) ?? [])));
    if (snapshots.some(({ encrypted, kmsKey }) => encrypted && (kmsKey === undefined || change.add.groups.length > 0))) {
      throw new Ec2Error('InvalidParameter', `Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot.`);
    }
    return { ...image, sharedWith: changed(image.sharedWith, change) };
  };
}

const describeImageAttribute = action('DescribeImageAttribute', async ({ ImageId: id, Attribute: name }, here) => {
  const image = existing(here, 'images', id);
  const value = (text: string | undefined) => (text === undefined ? {} : { value: text });
  const read: Readonly<Partial<Record<ImageAttributeName, () => ImageAttribute>>> = {
    description: () => ({ description: value(image.description) }),
    kernel: () => ({ kernel: value(image.kernel) }),
    ramdisk: () => ({ ramdisk: value(image.ramdisk) }),
    sriovNetSupport: () => ({ sriovNetSupport: value(image.sriov) }),
    bootMode: () => ({ bootMode: value(image.bootMode) }),
    tpmSupport: () => ({ tpmSupport: value(image.tpm) }),
    uefiData: () => ({ uefiData: value(image.uefi) }),
    imdsSupport: () => ({ imdsSupport: value(image.imds) }),
    deregistrationProtection: () => ({ deregistrationProtection: value(image.protection ?? 'disabled') }),
    productCodes: () => ({ productCodes: (image.productCodes ?? []).map((productCode) => ({ productCode, type: 'marketplace' })) }),
    launchPermission: () => {
      const { users = [], groups = [], organizations = [], units = [] } = image.sharedWith ?? {};
      const launchPermission = [
        ...groups.map(() => ({ group: 'all' as const })),
        ...users.map((userId) => ({ userId })),
        ...organizations.map((organizationArn) => ({ organizationArn })),
        ...units.map((organizationalUnitArn) => ({ organizationalUnitArn })),
      ];
      return { launchPermission };
    },
  };
  // Source: EC2 API reference, DescribeImageAttribute: it is deprecated, and DescribeImages returns it.
  if (name === 'blockDeviceMapping') throw new Ec2Error('AuthFailure', 'Unauthorized attempt to access restricted resource', 401);
  const attribute = read[name];
  if (attribute === undefined) throw new Ec2Error('InvalidParameterValue', `Value (${name}) for parameter attribute is invalid.`);
  // Source: EC2 API reference, DescribeImageAttribute: only the owner may read most of them.
  own(here, 'images', image.id);
  stopDryRun(here);
  return { imageId: image.id, ...attribute() };
});

const enableImageDeprecation = action('EnableImageDeprecation', async ({ ImageId: imageId, DeprecateAt: text }, here) => {
  const { id } = own(here, 'images', imageId);
  const at = Date.parse(text);
  const year = 365 * 24 * 3_600_000;
  if (at < Date.now() || at > Date.now() + 10 * year)
    throw new Ec2Error('InvalidParameterValue', 'The deprecation date must be in the future, within 10 years.');
  stopDryRun(here);
  await changeImage(here, id, (image) => ({ ...image, deprecated: new Date(Math.round(at / minuteMs) * minuteMs).toISOString() }));
  return { return: true };
});

/** Source: EC2 API reference, EnableImageDeprecation: the time is rounded to the nearest minute. */
const minuteMs = 60_000;

const disableImageDeprecation = action('DisableImageDeprecation', async ({ ImageId: imageId }, here) => {
  const { id } = own(here, 'images', imageId);
  stopDryRun(here);
  await changeImage(here, id, (image) => ({ ...image, deprecated: undefined }));
  return { return: true };
});

const enableProtection = action('EnableImageDeregistrationProtection', async ({ ImageId: imageId, WithCooldown: withCooldown }, here) => {
  const { id } = own(here, 'images', imageId);
  const protection = withCooldown ? 'enabled-with-cooldown' : 'enabled';
  stopDryRun(here);
  await changeImage(here, id, (image) => ({ ...image, protection }));
  return { return: protection };
});

const disableProtection = action('DisableImageDeregistrationProtection', async ({ ImageId: imageId }, here) => {
  const { id, protection } = own(here, 'images', imageId);
  if (protection === 'enabled-with-cooldown') throw new Ec2Error('OperationNotPermitted', `The image '${id}' stays protected for 24 hours.`);
  stopDryRun(here);
  await changeImage(here, id, (image) => ({ ...image, protection: undefined }));
  return { return: 'disabled' };
});

/** The only attribute that can be reset. Source: EC2 API reference, ResetImageAttribute. */
const resetImageAttribute = action('ResetImageAttribute', async ({ ImageId: imageId, Attribute: attribute }, here) => {
  const { id } = own(here, 'images', imageId);
  const reset: Readonly<Record<ResetImageAttributeName, Partial<Image>>> = { launchPermission: { sharedWith: undefined } };
  stopDryRun(here);
  await changeImage(here, id, (image) => ({ ...image, ...reset[attribute] }));
  return { return: true };
});

/** Source: EC2 API reference, DisableImage: the image loses its launch permissions, and is shown only on request. */
const disableImage = action('DisableImage', async ({ ImageId: imageId }, here) => {
  const { id } = own(here, 'images', imageId);
  stopDryRun(here);
  await changeImage(here, id, (image) => ({ ...image, disabled: true, sharedWith: undefined }));
  return { return: true };
});

const enableImage = action('EnableImage', async ({ ImageId: imageId }, here) => {
  const { id } = own(here, 'images', imageId);
  stopDryRun(here);
  await changeImage(here, id, (image) => ({ ...image, disabled: undefined }));
  return { return: true };
});

export const imageAttributeActions = [
  resetImageAttribute,
  disableImage,
  enableImage,
  modifyImageAttribute,
  describeImageAttribute,
  enableImageDeprecation,
  disableImageDeprecation,
  enableProtection,
  disableProtection,
];

function changeImage(here: Here, id: string, change: (image: Image) => Image): Promise<void> {
  return here.store.exclusive(() => here.store.put('images', change(own(here, 'images', id))));
}
