import { createHash } from 'node:crypto';
import { freshToken, type ListedBlock, type Source } from './list_blocks.js';
import { directPolicy } from './policy.js';
import { reasonOf, type Sender, type Side } from './sender.js';

const zeros = Buffer.alloc(directPolicy.blockBytes);
/** The SHA-256 of a block of zeros. */
export const zeroDigest = createHash('sha256').update(zeros).digest();

/** A block in memory. */
export interface Block {
  readonly data: Buffer;
  readonly digest: Buffer;
}

/** Memory for blocks, which is used again: garbage of this size would grow faster than it is collected. */
export class BlockMemory {
  private readonly free: Buffer[] = [];

  /** Reads a stream. @returns undefined if it does not have the size of a block. */
  async read(stream: AsyncIterable<Uint8Array>): Promise<Buffer | undefined> {
    let data: Buffer | undefined;
    let length = 0;
    try {
      for await (const part of stream) {
        // Not before, since most requests are waiting for their answers.
        data ??= this.free.pop() ?? Buffer.allocUnsafeSlow(directPolicy.blockBytes);
        if (length + part.length <= data.length) data.set(part, length);
        length += part.length;
      }
      return length === data?.length ? data : undefined;
    } catch (error) {
      if (data !== undefined) this.release(data);
      throw error;
    }
  }

  /** Takes memory back that {@link read} has returned. */
  release(data: Buffer): void {
    if (data !== zeros) this.free.push(data);
  }
}

/** How to read blocks. */
export interface Reader {
  readonly source: Source;
  readonly sender: Sender;
  readonly memory: BlockMemory;
}

/** Reads a block. A token that has expired is replaced. */
export async function readBlock(reader: Reader, { index, token }: ListedBlock): Promise<Block> {
  const { source, sender } = reader;
  let valid = token;
  for (let renewals = 0; valid !== undefined; renewals += 1) {
    try {
      return await getBlock(reader, index, valid);
    } catch (error) {
      if (reasonOf(error) !== 'INVALID_BLOCK_TOKEN' || renewals === directPolicy.tokenRenewals) throw error;
      valid = await freshToken(source, sender, index);
    }
  }
  return { data: zeros, digest: zeroDigest };
}

/** Reads a block, again if it arrives damaged. */
function getBlock({ source, sender, memory }: Reader, index: number, token: string): Promise<Block> {
  const { side, snapshot } = source;
  return sender.send(side, 'GetSnapshotBlock', async (abortSignal) => {
    const command = new side.sdk.GetSnapshotBlockCommand({ SnapshotId: snapshot, BlockIndex: index, BlockToken: token });
    const { BlockData: body, Checksum: checksum } = await side.client.send(command, { abortSignal });
    const data = await memory.read(body as AsyncIterable<Uint8Array>);
    const digest = createHash('sha256')
      .update(data ?? '')
      .digest();
    if (data !== undefined && digest.toString('base64') === checksum) return { data, digest };
    if (data !== undefined) memory.release(data);
    throw new Error(`block ${index} of ${snapshot} arrived damaged`);
  });
}

/** The snapshot to write, and until when EBS may not know it. */
export interface Target {
  readonly side: Side;
  readonly snapshot: string;
  readonly unknownUntil: number;
}

/** Writes a block of a pending snapshot. */
export async function putBlock({ side, snapshot, unknownUntil }: Target, index: number, { data, digest }: Block, sender: Sender): Promise<void> {
  const input = { SnapshotId: snapshot, BlockIndex: index, BlockData: data, DataLength: data.length };
  const command = new side.sdk.PutSnapshotBlockCommand({ ...input, Checksum: digest.toString('base64'), ChecksumAlgorithm: 'SHA256' });
  await sender.send(side, 'PutSnapshotBlock', (abortSignal) => side.client.send(command, { abortSignal }), { unknownUntil });
}
