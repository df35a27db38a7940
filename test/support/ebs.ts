import { createHash } from 'node:crypto';
import {
  CompleteSnapshotCommand,
  EBSClient,
  type EBSClientConfig,
  GetSnapshotBlockCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
  type StartSnapshotCommandInput,
} from '@aws-sdk/client-ebs';
import type { LocalEc2 } from '../../src/local/ec2.js';

export const blockBytes = 524_288;

/** A client of an embedded EC2 in this process; an access key of twelve digits is the account. */
export function ebsOf(local: LocalEc2, account = '000000000000', more: Partial<EBSClientConfig> = {}): EBSClient {
  return new EBSClient({
    region: 'local-1',
    endpoint: 'http://ebs.invalid',
    credentials: { accessKeyId: account, secretAccessKey: 'b' },
    requestHandler: local.requestHandler as never,
    maxAttempts: 1,
    ...more,
  });
}

/** A block that is filled with a text. */
export function block(text: string): Buffer {
  return Buffer.alloc(blockBytes, text);
}

export function digest(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

export async function put(ebs: EBSClient, SnapshotId: string, BlockIndex: number, BlockData: Uint8Array): Promise<void> {
  const Checksum = digest(BlockData).toString('base64');
  await ebs.send(new PutSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockData, DataLength: blockBytes, Checksum, ChecksumAlgorithm: 'SHA256' }));
}

/** Makes a snapshot with some blocks. @returns its id. */
export async function uploaded(ebs: EBSClient, blocks: Readonly<Record<number, Uint8Array>>, more: Partial<StartSnapshotCommandInput> = {}): Promise<string> {
  const { SnapshotId: id = '' } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1, ...more }));
  for (const [index, data] of Object.entries(blocks)) await put(ebs, id, Number(index), data);
  await ebs.send(new CompleteSnapshotCommand({ SnapshotId: id, ChangedBlocksCount: Object.keys(blocks).length }));
  return id;
}

/** The data of the blocks that a snapshot lists, by index. */
export async function blocksOf(ebs: EBSClient, SnapshotId: string): Promise<ReadonlyMap<number, Buffer>> {
  const found = new Map<number, Buffer>();
  let NextToken: string | undefined;
  do {
    const page = await ebs.send(new ListSnapshotBlocksCommand({ SnapshotId, NextToken }));
    for (const { BlockIndex: index = 0, BlockToken: token } of page.Blocks ?? []) {
      const { BlockData: data, Checksum: checksum } = await ebs.send(new GetSnapshotBlockCommand({ SnapshotId, BlockIndex: index, BlockToken: token }));
      const bytes = Buffer.from((await data?.transformToByteArray()) ?? []);
      if (digest(bytes).toString('base64') !== checksum) throw new Error(`block ${index} has another checksum`);
      found.set(index, bytes);
    }
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return found;
}

/** Why EBS refuses a call: its code, reason and message. */
export function refusalOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no refusal',
    (error: Error & { readonly Reason?: string }) => [error.name, ...(error.Reason === undefined ? [] : [error.Reason]), error.message].join(': '),
  );
}
