import { type Command, Option } from 'commander';
import { isOldFormat, type LayerRecord, LayerRecords } from '../../../runtime/layers/layer_records.js';
import { layersInUse } from '../../../runtime/layers/making.js';
import { type Deletion, deleteLayers, deleteUnrecorded, reportInUse } from '../../delete_layers.js';
import { exits } from '../../exit_codes.js';
import { labelOf, shortKey, taskOf } from '../../find_layer.js';
import { blocksOfLayers, bytesTogether, sizeOf } from '../../layer_sizes.js';
import { addPrune, type PruneOptions } from '../../prune.js';
import { counted } from '../../reports/lines.js';
import { sizeText } from '../../requirements.js';
import type { Extent } from '../../shared_blocks.js';
import { print, printJson, table } from '../../terminal/output.js';
import { bytes } from '../../verbs.js';

/** Declares `chrootfile layers prune`. */
export function addLayersPrune(layers: Command, exit: (code: number) => void): void {
  addPrune(layers, {
    description: 'delete old layers',
    older: 'delete layers that no run has used for so long',
    keep: new Option('--keep <size>', 'delete the least recently used until the rest takes at most this much, e.g. 20G').argParser(bytes),
    notes,
    example: '--older 7d --keep 20G',
    prune: async (options) => exit(await prune(options)),
  });
}

const notes = `With both options, a layer is deleted if either applies. Layers of an older format, which no run can use, are always deleted.
A layer is never deleted while a run uses it.`;

/** On AWS, younger snapshots without a record stay unless --older is set: a copy of the state folder may use them. */
const dayMs = 86_400_000;

/** `chrootfile layers prune`; returns the exit code. */
async function prune({ older, keep, dryRun, state, json }: PruneOptions): Promise<number> {
  const layers = new LayerRecords(state).listAll();
  const blocks = await blocksOfLayers(state, layers);
  const inUse = layersInUse(state);
  const { doomed, staying } = chosen(layers, blocks, { older, keep, isInUse: (key) => inUse.has(key) });
  const kept = staying.map(({ key }) => ({ key, run: inUse.get(key) ?? '' }));
  for (const { key, run } of kept) reportInUse(key, run);
  const { deleted, in_use, failed }: Deletion = dryRun ? { deleted: doomed, in_use: [], failed: [] } : await deleteLayers(doomed, state);
  const unrecorded = await deleteUnrecorded(state, layers, { older: older ?? dayMs, dryRun });
  // Only "why" reads them.
  if (!dryRun) new LayerRecords(state).forgetTasks(Date.now() - (older ?? 30 * dayMs));
  const bytesOf = ({ key }: LayerRecord) => sizeOf(blocks.get(key));
  if (json) {
    const records = deleted.map((layer) => ({ key: layer.key, task: taskOf(layer), bytes: bytesOf(layer) }));
    printJson({ version: 1, dry_run: dryRun, deleted: records, in_use: [...kept, ...in_use], failed, without_record: unrecorded.deleted });
  } else {
    if (deleted.length > 0) print(...table([['KEY', 'TASK', 'SIZE'], ...deleted.map((layer) => rowOf(layer, bytesOf(layer)))]));
    print(`${dryRun ? 'would delete' : 'deleted'} ${deleted.length} of ${counted(layers.length, 'layer')}`);
    const { length } = unrecorded.deleted;
    if (length > 0)
      print(`${dryRun ? 'would delete' : 'deleted'} ${length === 1 ? '1 snapshot of a layer' : `${length} snapshots of layers`} without a record`);
  }
  return failed.length > 0 || !unrecorded.isDone ? exits.left : exits.done;
}

interface Limits {
  readonly older: number | undefined;
  readonly keep: number | undefined;
  isInUse(key: string): boolean;
}

/** The layers to delete, those first that were not used for the longest time, and those that stay because a run uses them. */
function chosen(layers: readonly LayerRecord[], blocks: ReadonlyMap<string, readonly Extent[]>, { older, keep, isInUse }: Limits) {
  const rest = new Map(blocks);
  const doomed: LayerRecord[] = [];
  const staying: LayerRecord[] = [];
  const isOld = (layer: LayerRecord) => isOldFormat(layer) || (older !== undefined && Date.parse(layer.used) < Date.now() - older);
  // Those of an older format make room before any that runs can use.
  const order = (a: LayerRecord, b: LayerRecord) => Number(isOldFormat(b)) - Number(isOldFormat(a)) || a.used.localeCompare(b.used);
  for (const layer of [...layers].sort(order)) {
    if (!isOld(layer) && (keep === undefined || bytesTogether(rest.values()) <= keep)) continue;
    (isInUse(layer.key) ? staying : doomed).push(layer);
    if (!isInUse(layer.key)) rest.delete(layer.key);
  }
  return { doomed, staying };
}

function rowOf(layer: LayerRecord, size: number | undefined): string[] {
  return [shortKey(layer.key), labelOf(layer), size === undefined ? '-' : sizeText(size)];
}
