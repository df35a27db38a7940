import type { Image } from '@aws-sdk/client-ec2';
import { diskByHand } from '../../aws/by_hand.js';
import { onDisks } from '../../aws/client.js';
import { copyTag, nameOf, withLocalCopy } from '../../aws/direct/local_copy.js';
import { readableSnapshot } from '../../aws/direct/readable.js';
import { type DirectContext, withDirect } from '../../aws/direct/store.js';
import { removeMade } from '../../aws/find_created.js';
import { deregisterImage, findImages, imageOf, imagesMadeBy, registerImage, snapshotsOf, waitForImage } from '../../aws/images.js';
import { journaledCreate, type MadeNote, madeNow } from '../../aws/journaled_create.js';
import { stateTag, tagsOf } from '../../aws/ownership_tags.js';
import { registrationOf, uefiDataOf } from '../../aws/registration.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const pull = defineKind({
  name: 'ec2.pull',
  summary: 'Copies an image from EC2 to the embedded EC2',
  docs: 'Requires `volumes: direct`. The image gets the same properties in the same region of the embedded EC2, where recipes with `provider: local` can build on it. Its snapshots are the same copies that direct volumes are made from, so a copy that exists is not read again, and `layers prune` bounds them. An image that was pulled before is reused. Its tags contain `chrootfile:copy-of`. When the run fails, the image is deregistered; the next run continues with the blocks that were read.',
  lifetime: 'step',
  undoes: 'deregister the copied image',
  in: 'none',
  tools: {},
  permissions: {
    always: ['ebs:GetSnapshotBlock', 'ebs:ListSnapshotBlocks', 'ec2:DescribeImageAttribute', 'ec2:DescribeImages', 'ec2:DescribeSnapshots'],
  },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['image'],
    properties: {
      image: { type: 'string', pattern: '^ami-[0-9a-f]+$', description: 'Id of the image' },
      name: { type: 'string', description: 'Name of the copy; defaults to the name of the image' },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'region', 'snapshots'],
    properties: {
      id: { type: 'string', description: 'Id of the image in the embedded EC2' },
      region: { type: 'string', description: 'Its region there' },
      snapshots: { type: 'array', items: { type: 'string' }, description: 'Ids of the snapshots of its volumes there' },
    },
  },
  example: { image: 'ami-0123456789abcdef0' },
  run: async ({ image: id, name }, given) => {
    const context = withDirect(given);
    const [ec2, disks] = [await context.ec2(), await context.disks()];
    const image = await imageOf(ec2, id);
    const source = nameOf(ec2, id);
    const Filters = [{ Name: `tag:${copyTag}`, Values: [source] }, ...(name === undefined ? [] : [{ Name: 'name', Values: [name] }])];
    const [before] = await findImages(disks, { Owners: ['self'], Filters });
    if (before !== undefined) return outputsOf(before, disks.region);
    // Those that cannot be read are reported before any work.
    for (const snapshot of snapshotsOf(image)) await readableSnapshot(ec2, snapshot);
    const registration = registrationOf(image as Image, image && (await uefiDataOf(ec2, image)));
    const all = await tagsOf(disks, context, name ?? image?.Name ?? id, { ...userTags(image), [copyTag]: source });
    // Not a leftover of a lost run: it costs nothing.
    const Tags = all.map((tag) => (tag.Key === stateTag ? { ...tag, Value: 'kept' } : tag));
    const want = { ...registration, Name: name ?? image?.Name, TagSpecifications: [{ ResourceType: 'image' as const, Tags }] };
    const copied = [...new Set(snapshotsOf(image))].sort();
    return withCopies(copied, context, async (copies) => {
      for (const { Ebs: ebs } of want.BlockDeviceMappings ?? []) if (ebs?.SnapshotId !== undefined) ebs.SnapshotId = copies.get(ebs.SnapshotId);
      const made = madeNow(context, disks);
      const created = await journaledCreate(context, made, () => registerImage(disks, want, made, context.signal, context.progress));
      return outputsOf(await waitForImage(disks, created.made.id, context.signal), disks.region);
    });
  },
  undo: (note: MadeNote, host) => removeMade(note, onDisks(host), { search: imagesMadeBy, remove: deregisterImage }),
  byHand: (note: MadeNote, at) => [diskByHand(at, note, 'deregister-image', '--image-id', note.id ?? '# the image of this run')],
});

/** Uses the copies of snapshots on this machine, all at once. @param ids each once, in the same order in all runs: none of them waits for another in a circle. */
async function withCopies<T>(
  [id, ...rest]: readonly string[],
  context: DirectContext,
  use: (copies: ReadonlyMap<string, string>) => Promise<T>,
  copies: ReadonlyMap<string, string> = new Map(),
): Promise<T> {
  if (id === undefined) return use(copies);
  return withLocalCopy(id, context, (copy) => withCopies(rest, context, use, new Map([...copies, [id, copy]])));
}

function outputsOf(image: Image, region: string) {
  return { id: image.ImageId ?? '', region, snapshots: snapshotsOf(image) };
}

/** The tags of an image that say nothing about runs of chrootfile. */
function userTags(image: Image | undefined): Record<string, string> {
  const tags = (image?.Tags ?? []).filter(({ Key = '' }) => !/^(aws:|chrootfile:)/.test(Key));
  return Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));
}
