import { createHash } from 'node:crypto';
import { freshToken, type ListedBlock, type Source } from './list_blocks.js';
import { directPolicy } from './policy.js';
import { reasonOf, type Sender, type Side } from './sender.js';

/** The SHA-256 of a block of zeros. */
export const zeroDigest = createHash('sha256').update(Buffer.alloc(directPolicy.blockBytes)).digest();

/** Reads a block into a buffer, again if it arrives damaged. A token that has expired is replaced. @returns its SHA-256. */
export async function readBlock(source: Source, { index, token }: ListedBlock, into: Buffer, sender: Sender): Promise<Buffer> {
  if (token === undefined) {
    into.fill(0);
    return zeroDigest;
  }
  const { side, snapshot } = source;
  try {
    return await sender.send(side, 'GetSnapshotBlock', async (abortSignal) => {
      const command = new side.sdk.GetSnapshotBlockCommand({ SnapshotId: snapshot, BlockIndex: index, BlockToken: token });
      const { BlockData: data, Checksum: checksum } = await side.client.send(command, { abortSignal });
      const length = await fill(into, data as AsyncIterable<Uint8Array>);
      const digest = createHash('sha256').update(into).digest();
      if (length !== into.length || digest.toString('base64') !== checksum) throw new Error(`block ${index} of ${snapshot} arrived damaged`);
      return digest;
    });
  } catch (error) {
    const fresh = reasonOf(error) === 'INVALID_BLOCK_TOKEN' ? await freshToken(source, sender, index) : undefined;
    if (fresh === undefined || fresh === token) throw error;
    return readBlock(source, { index, token: fresh }, into, sender);
  }
}

/** Reads a stream into a buffer. @returns the length of the stream. */
async function fill(into: Buffer, stream: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const part of stream) {
    if (length + part.length <= into.length) into.set(part, length);
    length += part.length;
  }
  return length;
}

/** The snapshot to write, and until when EBS may not know it. */
export interface Target {
  readonly side: Side;
  readonly snapshot: string;
  readonly unknownUntil: number;
}

/** Writes a block of a pending snapshot. */
export async function putBlock({ side, snapshot, unknownUntil }: Target, index: number, data: Buffer, digest: Buffer, sender: Sender): Promise<void> {
  const input = { SnapshotId: snapshot, BlockIndex: index, BlockData: data, DataLength: data.length };
  const command = new side.sdk.PutSnapshotBlockCommand({ ...input, Checksum: digest.toString('base64'), ChecksumAlgorithm: 'SHA256' });
  await sender.send(side, 'PutSnapshotBlock', (abortSignal) => side.client.send(command, { abortSignal }), { unknownUntil });
}
