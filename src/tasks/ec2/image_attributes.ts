import type { LaunchPermission } from '@aws-sdk/client-ec2';
import { ec2ByHand } from '../../aws/by_hand.js';
import type { Ec2 } from '../../aws/client.js';
import { inCall } from '../../aws/errors.js';
import { deleteSnapshot } from '../../aws/snapshots.js';
import { onceKnown, remove } from '../../aws/waiter.js';
import { defineKind, type TaskContext } from '../../runtime/engine/kind.js';

/** Which image was protected, and when. */
interface ProtectedNote {
  readonly region: string;
  readonly image: string;
  readonly asked_at: string;
}

export const imageAttributes = defineKind({
  name: 'ec2.image_attributes',
  summary: 'Shares images and their snapshots; sets deprecation and protection',
  docs: 'The settings apply to the images of all regions. Deregistration protection is set last, so that a failure before it can still be undone. Undo ends the protection; the other settings are deleted with the images.',
  lifetime: 'step',
  undoes: 'end the protection',
  in: 'none',
  tools: {},
  permissions: {
    always: [],
    users: ['ec2:ModifyImageAttribute'],
    groups: ['ec2:ModifyImageAttribute'],
    organizations: ['ec2:ModifyImageAttribute'],
    organizational_units: ['ec2:ModifyImageAttribute'],
    product_codes: ['ec2:ModifyImageAttribute'],
    snapshot_users: ['ec2:ModifySnapshotAttribute'],
    snapshot_groups: ['ec2:ModifySnapshotAttribute'],
    deprecate_at: ['ec2:EnableImageDeprecation'],
    force_delete_snapshot: ['ec2:DeleteSnapshot'],
    deregistration_protection: ['ec2:EnableImageDeregistrationProtection', 'ec2:DisableImageDeregistrationProtection'],
  },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['images'],
    properties: {
      images: { type: 'object', description: 'The images by region', additionalProperties: { type: 'string', description: 'An id' } },
      snapshots: {
        type: 'object',
        default: {},
        description: 'Ids of their snapshots by region',
        additionalProperties: { type: 'array', items: { type: 'string' }, description: 'Ids' },
      },
      users: { type: 'array', items: { type: 'string', pattern: '^[0-9]{12}$' }, description: 'Accounts that may launch the images' },
      groups: { type: 'array', items: { enum: ['all'] }, description: '`all` makes the images public' },
      organizations: { type: 'array', items: { type: 'string' }, description: 'ARNs of organizations that may launch the images' },
      organizational_units: { type: 'array', items: { type: 'string' }, description: 'ARNs of organizational units that may launch the images' },
      product_codes: { type: 'array', items: { type: 'string' }, description: 'Product codes' },
      snapshot_users: { type: 'array', items: { type: 'string', pattern: '^[0-9]{12}$' }, description: 'Accounts that may create volumes from the snapshots' },
      snapshot_groups: { type: 'array', items: { enum: ['all'] }, description: '`all` makes the snapshots public' },
      deprecate_at: {
        type: 'string',
        pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z$',
        description: 'Deprecation time, within the next 10 years, e.g. `2027-06-30T12:00:00Z`',
      },
      old_snapshots: {
        type: 'object',
        description: 'Ids of the snapshots of replaced images, by region',
        additionalProperties: { type: 'array', items: { type: 'string' }, description: 'Ids' },
      },
      force_delete_snapshot: { type: 'boolean', default: false, description: 'Whether `old_snapshots` are deleted once the run has succeeded' },
      deregistration_protection: {
        enum: ['enabled', 'enabled-with-cooldown'],
        description: 'Deregistration protection; with a cooldown, it lasts until 24 hours after it is disabled',
      },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['images', 'snapshots'],
    properties: {
      id: { type: 'string', description: "The image in the recipe's own region" },
      images: { type: 'object', additionalProperties: { type: 'string', description: 'An id' }, description: 'The parameter `images`' },
      snapshots: {
        type: 'object',
        additionalProperties: { type: 'array', items: { type: 'string' }, description: 'Ids' },
        description: 'The parameter `snapshots`',
      },
    },
  },
  example: { images: { 'local-1': '{{ image.id }}' }, users: ['123456789012'] },
  run: async (params, context) => {
    const { signal } = context;
    const images = Object.entries(params.images);
    const { snapshots } = params;
    await Promise.all(images.map(async ([region, image]) => share(await context.ec2(region), { image, snapshots: snapshots[region] ?? [] }, params, signal)));
    const own = params.images[(await context.ec2()).region];
    const outputs = { images: params.images, snapshots, ...(own === undefined ? {} : { id: own }) };
    const protection = params.deregistration_protection;
    for (const [region, image] of protection === undefined ? [] : images) {
      const ec2 = await context.ec2(region);
      context.note({ region, image, asked_at: new Date().toISOString() } satisfies ProtectedNote);
      const input = { ImageId: image, WithCooldown: protection === 'enabled-with-cooldown' };
      await modify('EnableImageDeregistrationProtection', signal, () => ec2.client.send(new ec2.sdk.EnableImageDeregistrationProtectionCommand(input)));
    }
    // Until the run has succeeded, undo may need the older images.
    context.atCommit(async () => {
      for (const [region, ids] of Object.entries((params.force_delete_snapshot && params.old_snapshots) || {})) {
        for (const id of ids) await deleteOld(await context.ec2(region), id, context);
      }
    });
    return outputs;
  },
  undo: async ({ region, image, asked_at }: ProtectedNote, host) => {
    const ec2 = await host.ec2(region);
    const command = new ec2.sdk.DisableImageDeregistrationProtectionCommand({ ImageId: image });
    await remove(ec2, 'DisableImageDeregistrationProtection', asked_at, host.signal, () => ec2.client.send(command));
  },
  byHand: (note: ProtectedNote, at) => [ec2ByHand(at, note, 'disable-image-deregistration-protection', '--image-id', note.image)],
});

interface Sharing {
  readonly users?: readonly string[] | undefined;
  readonly groups?: readonly 'all'[] | undefined;
  readonly organizations?: readonly string[] | undefined;
  readonly organizational_units?: readonly string[] | undefined;
  readonly product_codes?: readonly string[] | undefined;
  readonly snapshot_users?: readonly string[] | undefined;
  readonly snapshot_groups?: readonly 'all'[] | undefined;
  readonly deprecate_at?: string | undefined;
}

async function share(ec2: Ec2, { image, snapshots }: { image: string; snapshots: readonly string[] }, wish: Sharing, signal: AbortSignal): Promise<void> {
  const { client, sdk } = ec2;
  const permissions: LaunchPermission[] = [
    ...(wish.groups ?? []).map((Group) => ({ Group })),
    ...(wish.users ?? []).map((UserId) => ({ UserId })),
    ...(wish.organizations ?? []).map((OrganizationArn) => ({ OrganizationArn })),
    ...(wish.organizational_units ?? []).map((OrganizationalUnitArn) => ({ OrganizationalUnitArn })),
  ];
  // One call changes one attribute.
  if (permissions.length > 0) {
    const command = new sdk.ModifyImageAttributeCommand({ ImageId: image, LaunchPermission: { Add: permissions } });
    await modify('ModifyImageAttribute', signal, () => client.send(command));
  }
  if ((wish.product_codes ?? []).length > 0) {
    const command = new sdk.ModifyImageAttributeCommand({ ImageId: image, ProductCodes: [...(wish.product_codes ?? [])] });
    await modify('ModifyImageAttribute', signal, () => client.send(command));
  }
  const volumes = [...(wish.snapshot_groups ?? []).map((Group) => ({ Group })), ...(wish.snapshot_users ?? []).map((UserId) => ({ UserId }))];
  for (const id of volumes.length === 0 ? [] : snapshots) {
    const command = new sdk.ModifySnapshotAttributeCommand({ SnapshotId: id, CreateVolumePermission: { Add: volumes } });
    await modify('ModifySnapshotAttribute', signal, () => client.send(command));
  }
  if (wish.deprecate_at !== undefined) {
    const command = new sdk.EnableImageDeprecationCommand({ ImageId: image, DeprecateAt: new Date(wish.deprecate_at) });
    await modify('EnableImageDeprecation', signal, () => client.send(command));
  }
}

/** Deletes a snapshot of a replaced image. The run has succeeded, so a failure is only a warning. */
async function deleteOld(ec2: Ec2, id: string, { signal, warn }: TaskContext): Promise<void> {
  try {
    await deleteSnapshot(ec2, id, { asked_at: new Date(0).toISOString() }, signal);
  } catch (error) {
    warn(`snapshot ${id} of a replaced image was not deleted in ${ec2.region}: ${(error as Error).message}`);
  }
}

/** Modifies an image that was just created; an error names the call. */
async function modify(call: string, signal: AbortSignal, action: () => Promise<unknown>): Promise<void> {
  try {
    await onceKnown(signal, action);
  } catch (error) {
    throw inCall(call, error);
  }
}
