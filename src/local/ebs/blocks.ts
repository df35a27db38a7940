import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { DataRange } from '../../linux/data_ranges.js';

/** Source: EBS User Guide, "Concepts for EBS direct APIs". */
export const blockBytes = 524_288;
export const blocksPerGiB = 2 ** 30 / blockBytes;

const zeros = Buffer.alloc(blockBytes);

/** Runs an action with an open disk. */
export function withDisk<T>(disk: string, flags: 'r' | 'r+', action: (fd: number) => T): T {
  const fd = openSync(disk, flags);
  try {
    return action(fd);
  } finally {
    closeSync(fd);
  }
}

/** Reads a block. What lies behind the end of the disk is zeros. */
export function readBlock(fd: number, index: number, into: Buffer = Buffer.allocUnsafe(blockBytes)): Buffer {
  let read = 0;
  for (let more = 1; more > 0 && read < blockBytes; read += more) more = readSync(fd, into, read, blockBytes - read, index * blockBytes + read);
  return into.fill(0, read);
}

/** Writes a block. A block of zeros is not written over zeros, so that a sparse disk stays sparse. */
export function writeBlock(fd: number, index: number, block: Uint8Array): void {
  if (zeros.equals(block) && readBlock(fd, index).equals(zeros)) return;
  for (let written = 0; written < blockBytes; ) written += writeSync(fd, block, written, blockBytes - written, index * blockBytes + written);
}

/** The blocks that have data, in order, from a block on. */
export function* blocksIn(ranges: readonly DataRange[], from: number): Generator<number> {
  let next = from;
  for (const [start, end] of ranges) {
    next = Math.max(next, Math.floor(start / blockBytes));
    for (; next * blockBytes < end; next += 1) yield next;
  }
}
