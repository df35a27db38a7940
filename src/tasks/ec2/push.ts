import { ec2ByHand } from '../../aws/by_hand.js';
import { type SentImageNote, sendImage, undoSentImage } from '../../aws/direct/send_image.js';
import { withDirect } from '../../aws/direct/store.js';
import { imageOf, snapshotsOf } from '../../aws/images.js';
import { runTag } from '../../aws/ownership_tags.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const push = defineKind({
  name: 'ec2.push',
  summary: 'Copies an image of the embedded EC2 to EC2',
  docs: 'Requires `volumes: direct`. The image gets the same properties. Only the difference is sent if a snapshot descends from one that both sides have: one that was pulled or pushed before. The image is deregistered and its snapshots are deleted when the run fails.',
  lifetime: 'step',
  undoes: 'deregister the image and delete its snapshots',
  in: 'none',
  tools: {},
  permissions: {
    always: [
      'ebs:CompleteSnapshot',
      'ebs:PutSnapshotBlock',
      'ebs:StartSnapshot',
      'ec2:CreateTags',
      'ec2:DeleteSnapshot',
      'ec2:DeregisterImage',
      'ec2:DescribeImages',
      'ec2:DescribeSnapshots',
      'ec2:GetEbsEncryptionByDefault',
      'ec2:RegisterImage',
    ],
  },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['image', 'from'],
    properties: {
      image: { type: 'string', pattern: '^ami-[0-9a-f]+$', description: 'Id of the image in the embedded EC2' },
      from: { type: 'string', description: 'Its region there, e.g. `local-1`' },
      name: { type: 'string', description: 'Name of the new image; defaults to the name of the image' },
      tags: { type: 'object', description: 'Tags, in addition to those of the run', additionalProperties: { type: 'string', description: 'A value' } },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'region', 'snapshots'],
    properties: {
      id: { type: 'string', description: 'Id of the new image' },
      region: { type: 'string', description: 'Region of the new image' },
      snapshots: { type: 'array', items: { type: 'string' }, description: 'Ids of the snapshots of its volumes' },
    },
  },
  example: { image: 'ami-0123456789abcdef0', from: 'local-1' },
  run: async ({ image: id, from: region, name, tags = {} }, given) => {
    const context = withDirect(given);
    const from = await context.disks(region);
    const image = await imageOf(from, id);
    if (image === undefined) throw new Error(`there is no image ${id} in ${region}`);
    const sent = await sendImage({ image, from, name: name ?? image.Name ?? id, tags }, context);
    return { id: sent.ImageId ?? '', region: (await context.ec2()).region, snapshots: snapshotsOf(sent) };
  },
  undo: (note: SentImageNote, host) => undoSentImage(note, host),
  artifacts: ({ type, region, id = '' }: SentImageNote) => [{ type, region, id }],
  byHand: (note: SentImageNote, at) => {
    const isImage = note.type === 'image';
    if (note.id !== undefined)
      return [ec2ByHand(at, note, isImage ? 'deregister-image' : 'delete-snapshot', isImage ? '--image-id' : '--snapshot-id', note.id)];
    const made = ['--filters', `Name=tag:${runTag},Values=${note.run}`];
    return isImage
      ? [ec2ByHand(at, note, 'describe-images', '--owners', 'self', ...made, '# then deregister-image')]
      : [ec2ByHand(at, note, 'describe-snapshots', '--owner-ids', 'self', ...made, '# then delete-snapshot')];
  },
});
