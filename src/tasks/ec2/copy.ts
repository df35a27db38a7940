import { ec2ByHand } from '../../aws/by_hand.js';
import type { Ec2 } from '../../aws/client.js';
import { allIdsOf } from '../../aws/find_created.js';
import { copyImage, deregisterImage, imageOf, imagesMadeBy, imagesNamed, registerImage, snapshotsOf, waitForImage } from '../../aws/images.js';
import { journaledCreate, type MadeNote, madeNow, tokenOf } from '../../aws/journaled_create.js';
import { runTag, tagsOf } from '../../aws/ownership_tags.js';
import { ec2Policy } from '../../aws/policy.js';
import { registrationOf, uefiDataOf } from '../../aws/registration.js';
import { interimName, interimTask, noteOlder, type RetiredNote, replacedSchema, restore, retire } from '../../aws/replace_image.js';
import { deleteSnapshot, snapshotsMadeBy } from '../../aws/snapshots.js';
import { defineKind, type TaskContext } from '../../runtime/engine/kind.js';

export const copy = defineKind({
  name: 'ec2.copy',
  summary: 'Copies an image to other regions in parallel',
  docs: 'Up to 20 copies run at the same time. The region of the image and duplicates are skipped. When one copy fails, the others are cancelled, and all copied images and their snapshots are deleted.',
  lifetime: 'step',
  undoes: 'deregister the copies and delete their snapshots',
  in: 'none',
  tools: {},
  permissions: {
    always: ['ec2:CopyImage', 'ec2:CreateTags', 'ec2:DescribeImages', 'ec2:DescribeSnapshots', 'ec2:DeregisterImage', 'ec2:DeleteSnapshot'],
    kms_key_ids: ['kms:CreateGrant', 'kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKeyWithoutPlaintext', 'kms:ReEncrypt*'],
    force_deregister: ['ec2:RegisterImage', 'ec2:DescribeImageAttribute'],
  },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['image', 'regions'],
    properties: {
      image: { type: 'string', pattern: '^ami-[0-9a-f]+$', description: 'The image' },
      regions: { type: 'array', items: { type: 'string' }, description: 'Regions to copy the image to' },
      name: { type: 'string', description: 'Name of the copies; defaults to the name of the image' },
      description: { type: 'string', maxLength: 255, description: 'Description of the copies; defaults to the description of the image' },
      encrypted: { type: 'boolean', description: 'Whether the copies are encrypted; defaults to the setting of the image' },
      kms_key_ids: {
        type: 'object',
        description: "KMS keys by region; `''` is the account's default key in that region",
        additionalProperties: { type: 'string', description: 'A key' },
      },
      duration_minutes: {
        type: 'integer',
        minimum: 15,
        maximum: 2880,
        multipleOf: 15,
        description: 'Time limit for copying the snapshots; EC2 charges extra for it',
      },
      force_deregister: {
        type: 'boolean',
        default: false,
        description: 'Whether older images of this account with the same name are replaced in those regions',
      },
      tags: { type: 'object', description: 'Tags, in addition to those of the run', additionalProperties: { type: 'string', description: 'A value' } },
      snapshot_tags: {
        type: 'object',
        description: 'Tags of their snapshots; defaults to `tags`',
        additionalProperties: { type: 'string', description: 'A value' },
      },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['images', 'snapshots', 'replaced'],
    properties: {
      images: {
        type: 'object',
        additionalProperties: { type: 'string', description: 'An id' },
        description: 'Ids of the images by region, including the original',
      },
      snapshots: {
        type: 'object',
        additionalProperties: { type: 'array', items: { type: 'string' }, description: 'Ids' },
        description: 'Ids of their snapshots by region',
      },
      replaced: replacedSchema,
    },
  },
  example: { image: '{{ image.id }}', regions: ['local-2', 'local-3'] },
  run: async (params, context) => {
    const from = await context.ec2();
    const image = await imageOf(from, params.image);
    const regions = [...new Set(params.regions)].filter((region) => region !== from.region);
    const name = params.name ?? image?.Name ?? '';
    // The first failure cancels the other copies.
    const ended = new AbortController();
    const signal = AbortSignal.any([context.signal, ended.signal]);
    const done = new Map<string, Copied>([[from.region, { id: params.image, snapshots: snapshotsOf(image), replaced: [] }]]);
    const waiting = [...regions];
    const worker = async () => {
      for (let region = waiting.shift(); region !== undefined && !signal.aborted; region = waiting.shift()) {
        try {
          const tags = { image: params.tags ?? {}, snapshot: params.snapshot_tags ?? params.tags ?? {} };
          done.set(region, await copyTo(await context.ec2(region), { ...params, name, from: from.region, tags }, { ...context, signal }));
          const copied = done.size - 1;
          context.progress(`${copied} of ${regions.length} regions`, Math.floor((100 * copied) / regions.length));
        } catch (error) {
          ended.abort(new Error(`${region}: ${(error as Error).message}`, { cause: error }));
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(ec2Policy.copiesAtOnce, regions.length) }, worker));
    if (ended.signal.aborted) throw ended.signal.reason;
    context.signal.throwIfAborted();
    const ordered = [from.region, ...regions].map((region) => [region, done.get(region)] as const);
    return {
      images: Object.fromEntries(ordered.map(([region, made]) => [region, made?.id ?? ''])),
      snapshots: Object.fromEntries(ordered.map(([region, made]) => [region, made?.snapshots ?? []])),
      replaced: Object.fromEntries(ordered.slice(1).map(([region, made]) => [region, made?.replaced ?? []])),
    };
  },
  undo: async (note: CopyNote | RetiredNote, host) => {
    if ('retired' in note) return restore(note, host);
    const ec2 = await host.ec2(note.region);
    const { id: _, ...made } = note;
    const searches = note.replacing ? [imagesMadeBy(ec2, { ...made, task: interimTask(made.task) }), imagesMadeBy(ec2, made)] : [imagesMadeBy(ec2, made)];
    const known = note.id === undefined ? [] : [note.id];
    const found = note.id === undefined || note.replacing ? await Promise.all(searches.map((search) => allIdsOf(ec2, made, search, host.signal))) : [];
    for (const id of new Set([...found.flat(), ...known])) await deregisterImage(ec2, id, note, host.signal);
    // Snapshots whose ids are unknown are found by their tags: a requested copy may still be creating them.
    const snapshots = note.snapshots ?? (await allIdsOf(ec2, made, snapshotsMadeBy(ec2, made), host.signal));
    for (const id of snapshots) await deleteSnapshot(ec2, id, note, host.signal);
  },
  artifacts: (note: CopyNote | RetiredNote) => {
    if ('retired' in note) return [];
    const { region, id = '', snapshots = [] } = note;
    return [{ type: 'image', region, id }, ...snapshots.map((snapshot) => ({ type: 'snapshot' as const, region, id: snapshot }))];
  },
  byHand: (note: CopyNote | RetiredNote, at) => {
    if ('retired' in note) return [ec2ByHand(at, note, 'register-image', '--cli-input-json', JSON.stringify(note.again))];
    const made = ['--filters', `Name=tag:${runTag},Values=${note.run}`];
    if (note.id === undefined || note.replacing) {
      return [
        ec2ByHand(at, note, 'describe-images', '--owners', 'self', ...made, '# then deregister-image'),
        ec2ByHand(at, note, 'describe-snapshots', '--owner-ids', 'self', ...made, '# then delete-snapshot'),
      ];
    }
    return [
      ec2ByHand(at, note, 'deregister-image', '--image-id', note.id),
      ...(note.snapshots ?? []).map((snapshot) => ec2ByHand(at, note, 'delete-snapshot', '--snapshot-id', snapshot)),
    ];
  },
});

/** The snapshots are known once the copy exists. `replacing`: there may be two images, one with an interim name. */
interface CopyNote extends MadeNote {
  readonly snapshots?: readonly string[];
  readonly replacing?: boolean;
}

interface Copying {
  readonly image: string;
  readonly from: string;
  readonly name: string;
  readonly description?: string | undefined;
  readonly encrypted?: boolean | undefined;
  readonly kms_key_ids?: Readonly<Record<string, string>> | undefined;
  readonly duration_minutes?: number | undefined;
  readonly force_deregister: boolean;
  readonly tags: { readonly image: Readonly<Record<string, string>>; readonly snapshot: Readonly<Record<string, string>> };
}

/** A copy, and the snapshots of the images that it replaced. */
interface Copied {
  readonly id: string;
  readonly snapshots: string[];
  readonly replaced: string[];
}

/** Copies an image to one region and waits for the copy. */
async function copyTo(ec2: Ec2, what: Copying, context: TaskContext): Promise<Copied> {
  const old = what.force_deregister ? await imagesNamed(ec2, what.name) : [];
  const made = madeNow(context, ec2);
  // As long as older images have the name, the copy has an interim name.
  const replacing = old.length > 0;
  const key = what.kms_key_ids?.[ec2.region];
  const wanted = {
    Name: replacing ? interimName(what.name, context.run) : what.name,
    Description: what.description,
    SourceRegion: what.from,
    SourceImageId: what.image,
    Encrypted: what.encrypted ?? (key === undefined ? undefined : true),
    KmsKeyId: key === '' ? undefined : key,
    SnapshotCopyCompletionDurationMinutes: what.duration_minutes,
    ClientToken: tokenOf(made),
    TagSpecifications: [
      {
        ResourceType: 'image' as const,
        Tags: await tagsOf(ec2, replacing ? { ...context, task: interimTask(context.task) } : context, what.name, what.tags.image),
      },
      { ResourceType: 'snapshot' as const, Tags: await tagsOf(ec2, context, what.name, what.tags.snapshot) },
    ],
  };
  await noteOlder(ec2, old, context);
  const copied = await journaledCreate(context, { ...made, ...(replacing ? { replacing } : {}) }, () =>
    copyImage(ec2, wanted, context.signal, context.progress),
  );
  const image = await waitForImage(ec2, copied.made.id, context.signal, ec2Policy.copyMs);
  const snapshots = snapshotsOf(image);
  copied.note.update({ ...copied.made, snapshots } satisfies CopyNote);
  if (!replacing) return { id: copied.made.id, snapshots, replaced: [] };
  const tags = await tagsOf(ec2, context, what.name, what.tags.image);
  const registration = {
    ...registrationOf(image, await uefiDataOf(ec2, image)),
    Name: what.name,
    TagSpecifications: [{ ResourceType: 'image' as const, Tags: tags }],
  };
  await retire(ec2, old, context.signal);
  // From now on there may be a second image; the search for it starts at the time of the request.
  copied.note.update({ ...copied.made, asked_at: new Date().toISOString(), snapshots } satisfies CopyNote);
  const id = await registerImage(ec2, registration, madeNow(context, ec2), context.signal, context.progress);
  await waitForImage(ec2, id, context.signal);
  await deregisterImage(ec2, copied.made.id, copied.made, context.signal);
  copied.note.update({ ...made, id, snapshots } satisfies CopyNote);
  return { id, snapshots, replaced: old.flatMap(snapshotsOf) };
}
