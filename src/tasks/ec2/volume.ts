import type { CreateVolumeCommandInput, Volume } from '@aws-sdk/client-ec2';
import { diskByHand } from '../../aws/by_hand.js';
import { onDisks } from '../../aws/client.js';
import { makeDirectVolume } from '../../aws/direct/direct_volume.js';
import { removeMade } from '../../aws/find_created.js';
import { findHost } from '../../aws/instance.js';
import { journaledCreate, type MadeNote, madeNow, tokenOf } from '../../aws/journaled_create.js';
import { runTag, tagsOf } from '../../aws/ownership_tags.js';
import { createVolume, deleteVolume, volumesMadeBy, waitForVolume } from '../../aws/volumes.js';
import type { Described } from '../../dsl/recipe/kind.js';
import { defineKind, type TaskContext } from '../../runtime/engine/kind.js';

const params = {
  type: 'object',
  additionalProperties: false,
  properties: {
    size: { type: 'integer', minimum: 1, maximum: 65_536, description: 'Size in GiB; defaults to the size of the snapshot' },
    snapshot_id: { type: 'string', pattern: '^snap-[0-9a-f]+$', description: 'Snapshot to create the volume from; without it the volume is empty' },
    type: { enum: ['gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1', 'standard'], default: 'gp3', description: 'Volume type' },
    iops: { type: 'integer', minimum: 100, description: 'Provisioned IOPS, for gp3, io1 and io2' },
    throughput: { type: 'integer', minimum: 125, description: 'Provisioned throughput in MiB/s, for gp3' },
    encrypted: { type: 'boolean', description: 'Whether the volume is encrypted; defaults to the setting of the snapshot' },
    kms_key_id: { type: 'string', description: 'KMS key for the encryption' },
    zone: { type: 'string', description: 'Availability zone; defaults to the zone of this machine' },
    tags: { type: 'object', description: 'Tags, in addition to those of the run', additionalProperties: { type: 'string', description: 'A value' } },
  },
} as const;

export const volume = defineKind({
  name: 'ec2.volume',
  summary: 'Creates an EBS volume, empty or from a snapshot; deletes it at the end',
  docs: 'The volume is deleted as soon as no remaining task uses it, whether the run succeeds or fails.',
  lifetime: 'resource',
  undoes: 'delete the volume',
  deletesDisk: true,
  content: 1,
  contentOf: ['size', 'snapshot_id', 'encrypted', 'kms_key_id'],
  in: 'none',
  tools: {},
  permissions: {
    always: ['ec2:CreateVolume', 'ec2:CreateTags', 'ec2:DescribeInstances', 'ec2:DescribeVolumes', 'ec2:DeleteVolume'],
    kms_key_id: ['kms:CreateGrant', 'kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKeyWithoutPlaintext', 'kms:ReEncrypt*'],
  },
  directPermissions: ['ebs:GetSnapshotBlock', 'ebs:ListSnapshotBlocks', 'ec2:DescribeSnapshots'],
  params,
  requiresOneOf: ['size', 'snapshot_id'],
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'size'],
    properties: { id: { type: 'string', description: 'Id of the volume' }, size: { type: 'integer', description: 'Size in GiB' } },
  },
  example: { size: 8 },
  run: async (params, context) => {
    if (params.size === undefined && params.snapshot_id === undefined) throw new Error('"size" or "snapshot_id" is required');
    const { direct, layer } = context;
    const { snapshot_id: snapshot, encrypted, kms_key_id: key } = params;
    if (direct !== undefined) return makeDirectVolume({ snapshot, layer, encrypted, key }, { ...context, direct }, (from) => create(params, from, context));
    return create(params, { snapshot: layer ?? snapshot, encrypted: encrypted ?? (key === undefined ? undefined : true), key, zone: params.zone }, context);
  },
  undo: (note: MadeNote, host) => removeMade(note, onDisks(host), { search: volumesMadeBy, remove: deleteVolume }),
  byHand: (note: MadeNote, at) => [
    note.id === undefined
      ? diskByHand(at, note, 'describe-volumes', '--filters', `Name=tag:${runTag},Values=${note.run}`, '# then delete-volume')
      : diskByHand(at, note, 'delete-volume', '--volume-id', note.id),
  ],
});

/** What a volume is made from. */
interface From {
  readonly snapshot: string | undefined;
  readonly encrypted?: boolean | undefined;
  readonly key?: string | undefined;
  /** Defaults to that of this machine. */
  readonly zone?: string | undefined;
  readonly tags?: Readonly<Record<string, string>>;
}

async function create(wish: Described<typeof params>, from: From, context: TaskContext): Promise<{ id: string; size: number }> {
  const ec2 = await context.disks();
  const zone = from.zone ?? (await findHost(ec2)).zone;
  const made = madeNow(context, ec2);
  const wanted: CreateVolumeCommandInput = {
    AvailabilityZone: zone,
    Size: wish.size,
    SnapshotId: from.snapshot,
    VolumeType: wish.type,
    Iops: wish.iops,
    Throughput: wish.throughput,
    Encrypted: from.encrypted,
    KmsKeyId: from.key,
    ClientToken: tokenOf(made),
    TagSpecifications: [{ ResourceType: 'volume', Tags: await tagsOf(ec2, context, `chrootfile ${context.task}`, { ...wish.tags, ...from.tags }) }],
  };
  let answer: Volume = {};
  const { made: known } = await journaledCreate(context, made, async () => {
    answer = await createVolume(ec2, wanted, context.signal);
    return answer.VolumeId ?? '';
  });
  const ready = await waitForVolume(ec2, answer, context.signal);
  return { id: known.id, size: ready.Size ?? wish.size ?? 0 };
}
