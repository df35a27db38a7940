import { createHash } from 'node:crypto';
import { BlockMemory, putBlock, type Reader, readBlock, type Target, zeroDigest } from './blocks.js';
import type { ListedBlock, Page, Source } from './list_blocks.js';
import { directPolicy } from './policy.js';
import type { Sender } from './sender.js';
import type { TransferProgress } from './transfer_progress.js';
import type { RecordedBlocks, TransferRecord } from './transfer_record.js';

/** A transfer under way. */
export interface Transfer {
  readonly source: Source;
  readonly target: Target;
  readonly sender: Sender;
  readonly record: TransferRecord;
  readonly progress: TransferProgress;
}

/** Copies the blocks that the record does not have, many at the same time. */
export async function copyBlocks(pages: AsyncIterable<Page>, transfer: Transfer): Promise<void> {
  const { record, progress, sender } = transfer;
  const blocks = blocksOf(pages, progress);
  const reader = { source: transfer.source, sender, memory: new BlockMemory() };
  let failure: unknown;
  const work = async () => {
    try {
      for await (const block of blocks) {
        const isKnown = record.blocks.of(block.index) !== undefined;
        if (!isKnown) record.add(block.index, await copyBlock(block, reader, transfer.target));
        progress.finished(!isKnown);
      }
    } catch (error) {
      failure ??= error;
      sender.stop(error);
    }
  };
  // All end before the record is closed.
  await Promise.all(Array.from({ length: directPolicy.blocksAtOnce }, work));
  if (failure !== undefined) throw failure;
}

async function* blocksOf(pages: AsyncIterable<Page>, progress: TransferProgress): AsyncGenerator<ListedBlock> {
  for await (const { blocks, isLast } of pages) {
    progress.found(blocks.length, isLast);
    yield* blocks;
  }
}

/** @returns the SHA-256 of the block. */
async function copyBlock(listed: ListedBlock, reader: Reader, target: Target): Promise<Buffer> {
  const block = await readBlock(reader, listed);
  try {
    if (isWritten(block.digest, reader.source)) await putBlock(target, listed.index, block, reader.sender);
    return block.digest;
  } finally {
    reader.memory.release(block.data);
  }
}

/** Whether a block must be written. Without a parent, the new snapshot holds zeros everywhere. */
function isWritten(digest: Buffer, { since }: Source): boolean {
  return since !== undefined || !digest.equals(zeroDigest);
}

/** What EBS compares when a snapshot is completed: the number of blocks written, and the hash of their hashes by index. */
export function summaryOf(blocks: RecordedBlocks, source: Source): { readonly count: number; readonly checksum: string } {
  const hash = createHash('sha256');
  let count = 0;
  for (const { digest } of blocks.all()) {
    if (!isWritten(digest, source)) continue;
    hash.update(digest);
    count += 1;
  }
  return { count, checksum: hash.digest('base64') };
}
