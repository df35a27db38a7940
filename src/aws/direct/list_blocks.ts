import { directPolicy } from './policy.js';
import { reasonOf, type Sender, type Side } from './sender.js';

/** A snapshot, of which all blocks in use are copied, or those that differ from an older one. */
export interface Source {
  readonly side: Side;
  readonly snapshot: string;
  readonly since?: string | undefined;
}

/** A block to copy. Without a token the snapshot does not contain it any more, so it holds zeros. */
export interface ListedBlock {
  readonly index: number;
  readonly token: string | undefined;
}

/** Some blocks of a snapshot, by index; possibly none. */
export interface Page {
  readonly blocks: readonly ListedBlock[];
  readonly sizeGiB: number;
  readonly isLast: boolean;
}

/** Where a list begins, and how many blocks one page has at most. */
interface Range {
  readonly from?: number;
  readonly most?: number;
}

/** Lists the blocks to copy. When a page token has expired, it goes on after the last listed block. */
export async function* pagesOf(source: Source, sender: Sender, { from = 0, most = directPolicy.listedAtMost }: Range = {}): AsyncGenerator<Page> {
  let next = from;
  let token: string | undefined;
  for (;;) {
    const StartingBlockIndex = token === undefined && next > 0 ? next : undefined;
    try {
      const page = await list(source, sender, { MaxResults: most, NextToken: token, StartingBlockIndex });
      next = (page.blocks.at(-1)?.index ?? next - 1) + 1;
      token = page.token || undefined;
      yield { blocks: page.blocks, sizeGiB: page.sizeGiB, isLast: token === undefined };
      if (token === undefined) return;
    } catch (error) {
      if (token === undefined || reasonOf(error) !== 'INVALID_PAGE_TOKEN') throw error;
      token = undefined;
    }
  }
}

/** A new token for a block whose token has expired. */
export async function freshToken(source: Source, sender: Sender, index: number): Promise<string> {
  for await (const { blocks } of pagesOf(source, sender, { from: index, most: directPolicy.listedAtLeast })) {
    const [first] = blocks;
    if (first?.index === index && first.token !== undefined) return first.token;
    if (first !== undefined) break;
  }
  throw new Error(`block ${index} of ${source.snapshot} is not listed any more`);
}

interface Where {
  readonly MaxResults: number;
  readonly NextToken: string | undefined;
  readonly StartingBlockIndex: number | undefined;
}

async function list({ side, snapshot, since }: Source, sender: Sender, where: Where) {
  const { client, sdk } = side;
  if (since === undefined) {
    const command = new sdk.ListSnapshotBlocksCommand({ SnapshotId: snapshot, ...where });
    const found = await sender.send(side, 'ListSnapshotBlocks', (abortSignal) => client.send(command, { abortSignal }));
    const blocks = (found.Blocks ?? []).map(({ BlockIndex: index = 0, BlockToken: token }) => ({ index, token }));
    return { blocks, sizeGiB: found.VolumeSize ?? 0, token: found.NextToken };
  }
  const command = new sdk.ListChangedBlocksCommand({ FirstSnapshotId: since, SecondSnapshotId: snapshot, ...where });
  const found = await sender.send(side, 'ListChangedBlocks', (abortSignal) => client.send(command, { abortSignal }));
  const blocks = (found.ChangedBlocks ?? []).map(({ BlockIndex: index = 0, SecondBlockToken: token }) => ({ index, token }));
  return { blocks, sizeGiB: found.VolumeSize ?? 0, token: found.NextToken };
}
