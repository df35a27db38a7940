import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { syncFile } from '../../linux/atomic_write.js';
import { type Here, hasPassed, ownerOf } from '../api/action.js';
import { failureOf, resumeCopies } from '../api/copying.js';
import { isComplete } from '../api/snapshots.js';
import type { Snapshot } from '../resources.js';
import { type EbsHere, ebsAction } from './action.js';
import { blockBytes, blocksPerGiB, withDisk, writeBlock } from './blocks.js';
import { noteDigest, sumOf } from './digests.js';
import { invalid, noSnapshot } from './errors.js';
import { isUploaded, type UploadedSnapshot } from './upload_failure.js';

const putSnapshotBlock = ebsAction(
  'PutSnapshotBlock',
  async ({ SnapshotId: id, BlockIndex: index, BlockData: block, DataLength: bytes, Checksum: checksum, ChecksumAlgorithm: algorithm, Progress: _ }, here) => {
    if (bytes !== blockBytes) throw invalid('INVALID_PARAMETER_VALUE', `DataLength must be ${blockBytes}, not ${bytes}.`);
    if (block.length !== blockBytes) throw invalid('INVALID_PARAMETER_VALUE', 'Failed to read block data');
    here.rates.count(`put ${id}`, here.latency.block);
    const digest = createHash('sha256').update(block).digest();
    if (digest.toString('base64') !== checksum) throw invalid('INVALID_BLOCK', 'The checksum of the block data is not the value of Checksum.');
    await onceWritable(id, here, ({ size }) => {
      if (index >= size * blocksPerGiB) throw invalid('INVALID_BLOCK', `The block index ${index} is behind the end of the volume.`);
      withDisk(here.store.diskOf(id), 'r+', (disk) => writeBlock(disk, index, block));
      noteDigest(here.store.digestsOf(id), index, digest);
    });
    return { Checksum: checksum, ChecksumAlgorithm: algorithm };
  },
);

/** Runs an action on a pending snapshot as soon as its parent's disk has been copied. Nothing else changes it meanwhile. */
async function onceWritable<T>(id: string, here: EbsHere, action: (snapshot: UploadedSnapshot) => T): Promise<T> {
  for (;;) {
    const done = await here.uploads.run(id, here, () => {
      const snapshot = pendingUpload(id, here);
      return snapshot.origin === undefined ? { value: action(snapshot) } : undefined;
    });
    if (done !== undefined) return done.value;
    await sleep(lookAgainMs);
    // The process that copies it may die meanwhile.
    await resumeCopies(here);
  }
}

const lookAgainMs = 50;

/** A snapshot of the client whose blocks can still be written. */
function pendingUpload(id: string, here: Here): UploadedSnapshot {
  const found = here.store.get('snapshots', id);
  if (found === undefined || ownerOf(found) !== here.account || !hasPassed(found, here.latency.visible)) throw noSnapshot(id);
  const failure = failureOf(found, here);
  if (failure !== undefined) throw invalid('WRITE_REQUEST_TIMEOUT', `The snapshot '${id}' is in the 'error' state: ${failure}.`);
  if (found.ready || !isUploaded(found))
    throw invalid('INVALID_SNAPSHOT_ID', `The snapshot '${id}' is not in the 'pending' state, or was not started by StartSnapshot.`);
  return found;
}

const completeSnapshot = ebsAction(
  'CompleteSnapshot',
  async ({ SnapshotId: id, ChangedBlocksCount: count, Checksum: checksum, ChecksumAlgorithm: algorithm, ChecksumAggregationMethod: aggregation }, here) => {
    const sum = [checksum, algorithm, aggregation].filter((one) => one !== undefined);
    if (sum.length !== 0 && sum.length !== 3) {
      throw invalid('INVALID_PARAMETER_VALUE', 'Checksum, ChecksumAlgorithm and ChecksumAggregationMethod must be specified together.');
    }
    const disk = await onceWritable(id, here, () => here.store.diskOf(id));
    // So that there is little left to sync while others wait.
    await syncFile(disk);
    await here.alone(id, async () => {
      pendingUpload(id, here);
      const written = sumOf(here.store.digestsOf(id));
      if (written.count !== count) throw invalid('INVALID_PARAMETER_VALUE', `ChangedBlocksCount is ${count}, but ${written.count} blocks were written.`);
      if (checksum !== undefined && written.checksum !== checksum) throw invalid('INVALID_PARAMETER_VALUE', 'Checksum is not that of the written blocks.');
      await syncFile(disk);
      await here.store.exclusive(() => here.store.change('snapshots', id, completed));
    });
    const done = here.store.get('snapshots', id);
    if (done === undefined) throw noSnapshot(id);
    return { Status: isComplete(done, here) ? 'completed' : 'pending' };
  },
);

function completed(snapshot: Snapshot): Snapshot {
  if (!isUploaded(snapshot)) throw new Error(`internal error: ${snapshot.id} has no blocks of its own`);
  return { ...snapshot, ready: true, upload: { ...snapshot.upload, completed: new Date().toISOString() } };
}

export const writeActions = [putSnapshotBlock, completeSnapshot];
