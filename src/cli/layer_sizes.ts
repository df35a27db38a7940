import { hasLocalDisks } from '../dsl/recipe/cloud.js';
import type { LayerRecord } from '../runtime/layers/layer_records.js';
import { openLocalEc2 } from './embedded_ec2.js';
import { type Extent, extentsOf } from './shared_blocks.js';

/** The blocks of layers of the embedded EC2, by their keys. */
export async function blocksOfLayers(state: string, layers: readonly LayerRecord[]): Promise<Map<string, readonly Extent[]>> {
  const local = layers.filter(({ cloud }) => hasLocalDisks(cloud));
  const found = new Map<string, readonly Extent[]>();
  if (local.length === 0) return found;
  const ec2 = await openLocalEc2(state);
  for (const { key, region, snapshots } of local) {
    const all = await Promise.all(Object.values(snapshots).map((id) => extentsOf(ec2.storeOf(region).diskOf(id))));
    found.set(key, merged(all.flatMap((extents) => extents ?? [])));
  }
  return found;
}

/** How many bytes some layers take together. Blocks that several of them share count once. */
export function bytesTogether(blocks: Iterable<readonly Extent[]>): number {
  return merged([...blocks].flat()).reduce((sum, { start, end }) => sum + end - start, 0);
}

/** How many bytes one layer takes; undefined where that is not known, as on AWS. */
export function sizeOf(blocks: readonly Extent[] | undefined): number | undefined {
  return blocks && bytesTogether([blocks]);
}

/** Extents that cover the same blocks, without overlaps, in order. */
function merged(extents: readonly Extent[]): Extent[] {
  const found: Extent[] = [];
  for (const next of [...extents].sort((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last !== undefined && next.start <= last.end) found[found.length - 1] = { ...last, end: Math.max(last.end, next.end) };
    else found.push(next);
  }
  return found;
}
