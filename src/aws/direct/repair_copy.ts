import { type FileHandle, open } from 'node:fs/promises';
import type { Ec2 } from '../client.js';
import type { Progress } from '../waiter.js';
import { BlockMemory, readBlock } from './blocks.js';
import { freshToken } from './list_blocks.js';
import { directPolicy } from './policy.js';
import { Sender, sideOf } from './sender.js';
import { type RecordedBlocks, readRecord } from './transfer_record.js';

/** A copy on this machine of a snapshot. */
interface Copy {
  readonly from: Ec2;
  readonly snapshot: string;
  /** The file that has its disk. */
  readonly copy: string;
  readonly record: string;
}

/** What a task uses to repair a copy. */
interface RepairContext {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  warn(message: string): void;
}

/** How many blocks are read and hashed at the same time: as many as the threads that do it. Source: libuv, UV_THREADPOOL_SIZE. */
const threads = 4;

/** Compares a copy with the index of its blocks, and reads damaged blocks again. Disks that were made from it stay as they are. */
export async function repairCopy({ from, snapshot, copy, record }: Copy, { signal, progress, warn }: RepairContext): Promise<void> {
  const index = readRecord(record)?.blocks;
  if (index === undefined) return;
  const disk = await open(copy, 'r+');
  try {
    const damaged = await damagedBlocks(disk, index, signal);
    if (damaged.length === 0) return;
    const which = damaged.length === 1 ? '1 block' : `${damaged.length} blocks`;
    const what = damaged.length === 1 ? 'is damaged; it is' : 'are damaged; they are';
    warn(`${which} of the copy of ${snapshot} on this machine ${what} read again`);
    const source = { side: await sideOf(from), snapshot };
    const sender = new Sender(signal);
    const reader = { source, sender, memory: new BlockMemory() };
    for (const [done, block] of damaged.entries()) {
      progress(`repairing the copy of ${snapshot}`, Math.floor((100 * done) / damaged.length));
      const { data } = await readBlock(reader, { index: block, token: await freshToken(source, sender, block) });
      await disk.write(data, 0, data.length, block * directPolicy.blockBytes);
      reader.memory.release(data);
    }
    await disk.sync();
  } finally {
    await disk.close();
  }
}

/** The blocks of a disk that do not have the SHA-256 of its index. */
async function damagedBlocks(disk: FileHandle, index: RecordedBlocks, signal: AbortSignal): Promise<number[]> {
  const damaged: number[] = [];
  const blocks = index.all();
  const work = async () => {
    const data = Buffer.allocUnsafe(directPolicy.blockBytes);
    for (const { index: block, digest } of blocks) {
      signal.throwIfAborted();
      const { bytesRead } = await disk.read(data, 0, data.length, block * directPolicy.blockBytes);
      const found = await crypto.subtle.digest('SHA-256', data.subarray(0, bytesRead));
      if (!digest.equals(Buffer.from(found))) damaged.push(block);
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return damaged.sort((a, b) => a - b);
}
