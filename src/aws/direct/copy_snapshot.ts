import type { Tag } from '@aws-sdk/client-ec2';
import type { Ec2 } from '../client.js';
import { journaledCreate, madeNow, type NoteWriter, tokenOf } from '../journaled_create.js';
import { snapshotStates } from '../layer_snapshots.js';
import type { Maker } from '../ownership_tags.js';
import { waitForSnapshot } from '../snapshots.js';
import type { Progress } from '../waiter.js';
import { copyBlocks, summaryOf, type Transfer } from './copy_blocks.js';
import { type Page, pagesOf } from './list_blocks.js';
import { directPolicy } from './policy.js';
import { Sender, type Side, sideOf } from './sender.js';
import { TransferProgress } from './transfer_progress.js';
import { TransferRecord } from './transfer_record.js';

/** A copy of a snapshot from one EC2 to another. */
export interface SnapshotCopy {
  readonly from: Ec2;
  readonly snapshot: string;
  readonly to: Ec2;
  /** A snapshot on both sides that the copied one descends from. Only blocks that differ are copied. */
  readonly base?: { readonly from: string; readonly to: string } | undefined;
  /** Not with a base: the copy then inherits the encryption of the base. */
  readonly encrypted?: boolean | undefined;
  /** The ARN of the key. */
  readonly kmsKeyId?: string | undefined;
  readonly description?: string | undefined;
  readonly tags: readonly Tag[];
  /** The file that records what was copied. The same call with the same record continues an interrupted copy. */
  readonly record: string;
}

/** What a task uses to copy a snapshot. */
export interface CopyContext extends Maker, NoteWriter {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/**
 * Copies the blocks of a snapshot from one EC2 to another with EBS direct, and waits until the copy is complete. When
 * this fails, the copy stays pending: its note deletes it, or the same call continues it.
 * @returns the id of the copy.
 */
export async function copySnapshot(copy: SnapshotCopy, context: CopyContext): Promise<string> {
  const record = TransferRecord.open(copy.record, whatIs(copy));
  try {
    const { snapshot: earlier } = record;
    const state = earlier === undefined ? undefined : (await snapshotStates(copy.to, [earlier])).get(earlier);
    if (earlier !== undefined && state === 'completed') return earlier;
    return await transfer(copy, { record, begun: state === 'pending' ? earlier : undefined }, context);
  } finally {
    record.close();
  }
}

interface Begun {
  readonly record: TransferRecord;
  /** The pending copy to continue. */
  readonly begun: string | undefined;
}

async function transfer(copy: SnapshotCopy, { record, begun }: Begun, context: CopyContext): Promise<string> {
  const { signal, progress: report } = context;
  const sender = new Sender(signal);
  const source = { side: await sideOf(copy.from), snapshot: copy.snapshot, since: copy.base?.from };
  const side = await sideOf(copy.to);
  const pages = pagesOf(source, sender);
  const first = (await pages.next()).value as Page;
  const snapshot = begun ?? (await start(copy, { side, sender, sizeGiB: first.sizeGiB }, context));
  if (begun === undefined) record.begin(snapshot, first.sizeGiB);
  else context.note({ ...madeNow(context, copy.to), id: begun });
  const target = { side, snapshot, unknownUntil: performance.now() + (copy.to.consistent ? 0 : directPolicy.unknownMs) };
  const progress = new TransferProgress(report);
  const all = { source, target, sender, record, progress };
  await copyBlocks(chained(first, pages), all);
  record.sync();
  await complete(all);
  await waitForSnapshot(copy.to, snapshot, signal, report);
  return snapshot;
}

/** What a record is of. */
function whatIs({ from, snapshot, to, base, encrypted, kmsKeyId }: SnapshotCopy): string {
  return JSON.stringify([from.region, snapshot, to.region, base?.from, base?.to, encrypted, kmsKeyId]);
}

async function* chained(first: Page, rest: AsyncIterable<Page>): AsyncGenerator<Page> {
  yield first;
  yield* rest;
}

interface Beginning {
  readonly side: Side;
  readonly sender: Sender;
  readonly sizeGiB: number;
}

/** Creates the pending snapshot. */
async function start(copy: SnapshotCopy, { side, sender, sizeGiB }: Beginning, context: CopyContext): Promise<string> {
  const made = madeNow(context, copy.to);
  const command = new side.sdk.StartSnapshotCommand({
    VolumeSize: sizeGiB,
    ParentSnapshotId: copy.base?.to,
    Encrypted: copy.encrypted,
    KmsKeyArn: copy.kmsKeyId,
    Description: copy.description,
    Tags: [...copy.tags],
    Timeout: directPolicy.timeoutMinutes,
    ClientToken: tokenOf(made),
  });
  const ask = () => sender.send(side, 'StartSnapshot', async (abortSignal) => (await side.client.send(command, { abortSignal })).SnapshotId ?? '');
  return (await journaledCreate(context, made, ask)).made.id;
}

async function complete({ source, target, sender, record }: Transfer): Promise<void> {
  const { side, snapshot, unknownUntil } = target;
  const { count, checksum } = summaryOf(record.blocks, source);
  const command = new side.sdk.CompleteSnapshotCommand({
    SnapshotId: snapshot,
    ChangedBlocksCount: count,
    ...(count === 0 ? {} : { Checksum: checksum, ChecksumAlgorithm: 'SHA256', ChecksumAggregationMethod: 'LINEAR' }),
  });
  const request = async (abortSignal: AbortSignal) => {
    await side.client.send(command, { abortSignal });
  };
  // A lost attempt may have completed it already; the wait that follows shows it.
  await sender.send(side, 'CompleteSnapshot', request, { unknownUntil, afterLost: () => {} });
}
