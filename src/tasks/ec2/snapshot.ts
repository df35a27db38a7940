import type { CreateSnapshotCommandInput } from '@aws-sdk/client-ec2';
import { diskByHand, ec2ByHand } from '../../aws/by_hand.js';
import { type SentNote, sendSnapshot, undoSent } from '../../aws/direct/send_snapshot.js';
import { journaledCreate, madeNow } from '../../aws/journaled_create.js';
import { contentTag } from '../../aws/layer_snapshots.js';
import { runTag, tagsOf } from '../../aws/ownership_tags.js';
import { createSnapshot, waitForSnapshot } from '../../aws/snapshots.js';
import { type ByHand, defineKind } from '../../runtime/engine/kind.js';

export const snapshot = defineKind({
  name: 'ec2.snapshot',
  summary: 'Creates a snapshot of a volume, once everything that uses it is released',
  docs: 'Freezes `volume`: adds all tasks that use the volume to the plan, and waits until they have succeeded and its chroots, mounts and attachment are released. With direct volumes, only blocks that differ from the snapshot that the volume was made from are sent. The snapshot is deleted when the run fails.',
  lifetime: 'step',
  undoes: 'delete the snapshot',
  in: 'none',
  freezes: ['volume'],
  tools: {},
  permissions: { always: ['ec2:CreateSnapshot', 'ec2:CreateTags', 'ec2:DescribeSnapshots', 'ec2:DeleteSnapshot'] },
  directPermissions: [
    ...['ebs:CompleteSnapshot', 'ebs:PutSnapshotBlock', 'ebs:StartSnapshot'],
    ...['ec2:CreateTags', 'ec2:DeleteSnapshot', 'ec2:DescribeSnapshots', 'ec2:GetEbsEncryptionByDefault'],
  ],
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['volume'],
    properties: {
      volume: { type: 'string', pattern: '^vol-[0-9a-f]+$', description: 'Id of the volume' },
      description: { type: 'string', maxLength: 255, description: 'Description of the snapshot' },
      tags: { type: 'object', description: 'Tags, in addition to those of the run', additionalProperties: { type: 'string', description: 'A value' } },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: { id: { type: 'string', description: 'Id of the snapshot' } },
  },
  example: { volume: '{{ volume.id }}' },
  run: async (params, context) => {
    const ec2 = await context.ec2();
    const content: Record<string, string> = context.content === undefined ? {} : { [contentTag]: context.content };
    const tags = await tagsOf(ec2, context, `chrootfile ${context.task}`, { ...params.tags, ...content });
    const { direct } = context;
    if (direct !== undefined) return { id: await sendSnapshot({ ...params, tags, description: params.description }, { ...context, direct }) };
    const made = madeNow(context, ec2);
    const wanted: CreateSnapshotCommandInput = {
      VolumeId: params.volume,
      Description: params.description,
      TagSpecifications: [{ ResourceType: 'snapshot', Tags: tags }],
    };
    const { made: known } = await journaledCreate(context, made, () => createSnapshot(ec2, wanted, made, context.signal, context.progress));
    const { id } = known;
    await waitForSnapshot(ec2, id, context.signal, context.progress);
    return { id };
  },
  undo: (note: SentNote, host) => undoSent(note, host),
  artifacts: ({ region, id = '', frozen }: SentNote) => (frozen === undefined ? [{ type: 'snapshot', region, id }] : []),
  byHand: (note: SentNote, at) => [byHandOf(note, at)],
});

/** The command that deletes a snapshot, or finds it. */
function byHandOf(note: SentNote, at: ByHand): string {
  const command = note.frozen === undefined ? ec2ByHand : diskByHand;
  return note.id === undefined
    ? command(at, note, 'describe-snapshots', '--owner-ids', 'self', '--filters', `Name=tag:${runTag},Values=${note.run}`, '# then delete-snapshot')
    : command(at, note, 'delete-snapshot', '--snapshot-id', note.id);
}
