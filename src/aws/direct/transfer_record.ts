import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder, syncFolder, writeAll } from '../../linux/atomic_write.js';
import { directPolicy } from './policy.js';

/** The first line of a record. */
interface Head {
  /** What was copied, as a text: a record of another copy does not count. */
  readonly of: string;
  /** The new snapshot. */
  readonly snapshot: string;
  readonly size_gib: number;
}

/**
 * The record of a transfer: a line with the new snapshot, then a line for each block that was written, with its
 * SHA-256. An interrupted transfer continues from it. Afterwards it is the index of the copy.
 */
export class TransferRecord {
  private constructor(
    private readonly fd: number,
    private readonly file: string,
    private readonly of: string,
    private known: RecordedBlocks | undefined,
  ) {}

  /** Opens the record of a copy, or begins an empty one. */
  static open(file: string, of: string): TransferRecord {
    makeFolder(dirname(file));
    const { blocks, bytes } = readRecord(file) ?? { blocks: undefined, bytes: 0 };
    const isSame = blocks?.head.of === of;
    const fd = openSync(file, 'a', 0o600);
    // Everything after an incomplete line is written again.
    ftruncateSync(fd, isSame ? bytes : 0);
    return new TransferRecord(fd, file, of, isSame ? blocks : undefined);
  }

  /** The new snapshot; undefined if it was not begun. */
  get snapshot(): string | undefined {
    return this.known?.head.snapshot;
  }

  /** The blocks that were written. */
  get blocks(): RecordedBlocks {
    if (this.known === undefined) throw new Error('internal error: the record has no snapshot');
    return this.known;
  }

  /** Begins again, with a new snapshot. */
  begin(snapshot: string, sizeGiB: number): void {
    const head = { of: this.of, snapshot, size_gib: sizeGiB };
    ftruncateSync(this.fd, 0);
    this.write(head);
    this.sync();
    syncFolder(dirname(this.file));
    this.known = new RecordedBlocks(head);
  }

  /** Records a block that was written. A line that gets lost only means that the block is written again. */
  add(index: number, digest: Buffer): void {
    this.write({ block: index, sha256: digest.toString('base64') });
    this.blocks.set(index, digest);
  }

  sync(): void {
    fsyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }

  private write(line: object): void {
    try {
      writeAll(this.fd, `${JSON.stringify(line)}\n`);
    } catch (error) {
      throw new Error(`cannot write ${this.file}: ${(error as Error).message}`, { cause: error });
    }
  }
}

const digestBytes = 32;
const blocksPerGiB = 2 ** 30 / directPolicy.blockBytes;

/** The SHA-256 of the written blocks of a snapshot, in one piece of memory. The kernel provides only the parts that are used. */
export class RecordedBlocks {
  private readonly digests: Buffer;

  constructor(readonly head: Head) {
    this.digests = Buffer.alloc(head.size_gib * blocksPerGiB * digestBytes);
  }

  set(index: number, digest: Buffer): void {
    digest.copy(this.digests, index * digestBytes);
  }

  /** The SHA-256 of a block; undefined if it was not written. */
  of(index: number): Buffer | undefined {
    const digest = this.digests.subarray(index * digestBytes, (index + 1) * digestBytes);
    return digest.equals(absent) || digest.length === 0 ? undefined : digest;
  }

  /** All written blocks, by index. */
  *all(): Generator<{ readonly index: number; readonly digest: Buffer }> {
    for (let index = 0; index < this.digests.length / digestBytes; index += 1) {
      const digest = this.of(index);
      if (digest !== undefined) yield { index, digest };
    }
  }
}

/** No block has this SHA-256, so it marks those that were not written. */
const absent = Buffer.alloc(digestBytes);

/** Reads a record up to the first incomplete line. @returns its blocks, and the length of what was read; undefined if there is nothing. */
export function readRecord(file: string): { readonly blocks: RecordedBlocks; readonly bytes: number } | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'latin1');
  let blocks: RecordedBlocks | undefined;
  let at = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
    const line = parsed(text.slice(at, end));
    if (blocks === undefined) {
      if (typeof line?.['snapshot'] !== 'string' || typeof line['of'] !== 'string' || !Number.isInteger(line['size_gib'])) break;
      blocks = new RecordedBlocks(line as unknown as Head);
    } else {
      const digest = Buffer.from(String(line?.['sha256'] ?? ''), 'base64');
      if (!Number.isInteger(line?.['block']) || digest.length !== digestBytes) break;
      blocks.set(line?.['block'] as number, digest);
    }
    at = end + 1;
  }
  return blocks === undefined ? undefined : { blocks, bytes: at };
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
