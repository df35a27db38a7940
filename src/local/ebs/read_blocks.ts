import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { setImmediate as afterOthers } from 'node:timers/promises';
import { type DataRange, dataRanges } from '../../linux/data_ranges.js';
import { sharedRanges, without } from '../../linux/shared_ranges.js';
import type { Here } from '../api/action.js';
import { lineageOf, type Snapshot } from '../resources.js';
import { type EbsHere, ebsAction } from './action.js';
import { blockBytes, blocksIn, readBlock, withDisk } from './blocks.js';
import { invalid } from './errors.js';
import { readable } from './readable.js';

const listSnapshotBlocks = ebsAction(
  'ListSnapshotBlocks',
  async ({ SnapshotId: id, NextToken: token, MaxResults: most = defaultResults, StartingBlockIndex: start = 0 }, here) => {
    const snapshot = readable(id, here);
    const from = startOf(token, id, start, here);
    const { items, next } = await page(blocksIn(await rangesOf(snapshot, here), from), from, most, here);
    const Blocks = items.map((index) => ({ BlockIndex: index, BlockToken: here.tokens.block(id, index) }));
    return { Blocks, ...pageBody(snapshot, id, next, here) };
  },
);

/** Without a first snapshot, all blocks of the second one count as changed. */
const listChangedBlocks = ebsAction(
  'ListChangedBlocks',
  async (
    { FirstSnapshotId: firstId, SecondSnapshotId: secondId, NextToken: token, MaxResults: most = defaultResults, StartingBlockIndex: start = 0 },
    here,
  ) => {
    const second = readable(secondId, here);
    const first = firstId === undefined ? undefined : readable(firstId, here);
    if (first !== undefined && lineageOf(first) !== lineageOf(second)) {
      throw invalid('UNRELATED_SNAPSHOTS', `The snapshots '${first.id}' and '${second.id}' are not of the same lineage.`);
    }
    const list = `${firstId ?? ''} ${secondId}`;
    const from = startOf(token, list, start, here);
    const [own, ranges] = [first === undefined ? [] : await rangesOf(first, here), await rangesOf(second, here)];
    const changed = first === undefined ? blocksIn(ranges, from) : await changedBlocks(merged(own, ranges), first, second, { from, here });
    const { items, next } = await page(changed, from, most, here);
    const inFirst = new Set(blocksIn(own, from));
    const ChangedBlocks = items.map((index) => ({
      BlockIndex: index,
      ...(inFirst.has(index) ? { FirstBlockToken: here.tokens.block(String(firstId), index) } : {}),
      SecondBlockToken: here.tokens.block(secondId, index),
    }));
    return { ChangedBlocks, ...pageBody(second, list, next, here) };
  },
);

const getSnapshotBlock = ebsAction('GetSnapshotBlock', async ({ SnapshotId: id, BlockIndex: index, BlockToken: token }, here) => {
  readable(id, here);
  if (!here.tokens.isOfBlock(token, id, index)) throw invalid('INVALID_BLOCK_TOKEN', 'The block token is invalid or has expired.');
  here.rates.count(`get ${id}`, here.latency.block);
  const block = withDisk(here.store.diskOf(id), 'r', (disk) => readBlock(disk, index));
  const checksum = createHash('sha256').update(block).digest('base64');
  return { DataLength: blockBytes, BlockData: block, Checksum: checksum, ChecksumAlgorithm: 'SHA256' };
});

export const readActions = [listSnapshotBlocks, listChangedBlocks, getSnapshotBlock];

const defaultResults = 1_000;

/** The block at which a page begins. Source: EBS direct APIs reference, ListSnapshotBlocks: with a token, the starting index is ignored. */
function startOf(token: string | undefined, list: string, start: number, { tokens }: EbsHere): number {
  const from = token === undefined ? start : tokens.pageStart(token, list);
  if (from === undefined) throw invalid('INVALID_PAGE_TOKEN', 'The page token is invalid or has expired.');
  return from;
}

function rangesOf({ id, size }: Snapshot, here: Here): Promise<DataRange[]> {
  return dataRanges((command) => here.run(command), here.store.diskOf(id), size * 2 ** 30);
}

/** The first blocks of a list, and the one after them. */
async function page(
  blocks: Iterable<number> | AsyncIterable<number>,
  from: number,
  most: number,
  { emptyPage }: EbsHere,
): Promise<{ items: number[]; next: number | undefined }> {
  const items: number[] = [];
  if (emptyPage) return { items, next: from };
  for await (const index of blocks) {
    if (items.length === most) return { items, next: index };
    items.push(index);
  }
  return { items, next: undefined };
}

function pageBody({ size }: Snapshot, list: string, next: number | undefined, { tokens }: EbsHere) {
  return {
    ExpiryTime: new Date(tokens.expires.block * 1000),
    VolumeSize: size,
    BlockSize: blockBytes,
    NextToken: next === undefined ? undefined : tokens.page(list, next),
  };
}

function merged(some: readonly DataRange[], others: readonly DataRange[]): DataRange[] {
  return [...some, ...others].sort(([a], [b]) => a - b);
}

/** The blocks in some ranges that two snapshots do not have in common. What is in the same place on the disk is not read. */
async function changedBlocks(ranges: readonly DataRange[], one: Snapshot, two: Snapshot, { from, here }: { from: number; here: Here }) {
  const [disk, other] = [here.store.diskOf(one.id), here.store.diskOf(two.id)];
  const shared = await sharedRanges((command) => here.run(command), disk, other);
  return differing(blocksIn(without(ranges, shared), from), disk, other);
}

/** The blocks that two disks do not have in common. */
async function* differing(blocks: Iterable<number>, disk: string, other: string): AsyncGenerator<number> {
  const [one, two] = [openSync(disk, 'r'), openSync(other, 'r')];
  const [a, b] = [Buffer.allocUnsafe(blockBytes), Buffer.allocUnsafe(blockBytes)];
  let compared = 0;
  try {
    for (const index of blocks) {
      if (!readBlock(one, index, a).equals(readBlock(two, index, b))) yield index;
      compared += 1;
      if (compared % comparedAtOnce === 0) await afterOthers();
    }
  } finally {
    for (const fd of [one, two]) closeSync(fd);
  }
}

/** Blocks that are compared before other requests get their turn. */
const comparedAtOnce = 32;
