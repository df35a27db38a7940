import { type Command, Option } from 'commander';
import { isOldFormat, type LayerRecord, LayerRecords } from '../../../runtime/layers/layer_records.js';
import { layersInUse } from '../../../runtime/layers/making.js';
import { blocksOfCopies, type CopyRecord, copiesIn, deleteCopies } from '../../copies.js';
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
A layer is never deleted while a run uses it. Copies of snapshots for direct volumes are deleted in the same way.`;

/** On AWS, younger snapshots without a record stay unless --older is set: a copy of the state folder may use them. */
const dayMs = 86_400_000;

/** `chrootfile layers prune`; returns the exit code. */
async function prune({ older, keep, dryRun, state, json }: PruneOptions): Promise<number> {
  const layers = new LayerRecords(state).listAll();
  const copies = await copiesIn(state);
  const blocks = new Map([...(await blocksOfLayers(state, layers)), ...(await blocksOfCopies(state, copies))]);
  const inUse = layersInUse(state);
  const all = [
    ...layers.map((layer) => ({ layer, key: layer.key, used: layer.used, isUseless: isOldFormat(layer) })),
    ...copies.map((copy) => ({ copy, key: copy.snapshot, used: copy.used, isUseless: false })),
  ];
  const { doomed, staying } = chosen(all, blocks, { older, keep, isInUse: (key) => inUse.has(key) });
  const kept = staying.map(({ key }) => ({ key, run: inUse.get(key) ?? '' }));
  for (const { key, run } of kept) reportInUse(key, run);
  const old = doomed.flatMap((each) => ('layer' in each ? [each.layer] : []));
  const oldCopies = doomed.flatMap((each) => ('copy' in each ? [each.copy] : []));
  const { deleted, in_use, failed }: Deletion = dryRun ? { deleted: old, in_use: [], failed: [] } : await deleteLayers(old, state);
  const gone = dryRun ? { deleted: oldCopies, isDone: true } : await deleteCopies(oldCopies, state);
  const unrecorded = await deleteUnrecorded(state, layers, { older: older ?? dayMs, dryRun });
  // Only "why" reads them.
  if (!dryRun) new LayerRecords(state).forgetTasks(Date.now() - (older ?? 30 * dayMs));
  const bytesOf = (key: string) => sizeOf(blocks.get(key));
  if (json) {
    const records = deleted.map((layer) => ({ key: layer.key, task: taskOf(layer), bytes: bytesOf(layer.key) }));
    const copied = gone.deleted.map(({ snapshot, of }) => ({ snapshot, of, bytes: bytesOf(snapshot) }));
    printJson({ version: 1, dry_run: dryRun, deleted: records, copies: copied, in_use: [...kept, ...in_use], failed, without_record: unrecorded.deleted });
  } else {
    const rows = [...deleted.map((layer) => rowOf(layer, bytesOf(layer.key))), ...gone.deleted.map((copy) => rowOfCopy(copy, bytesOf(copy.snapshot)))];
    if (rows.length > 0) print(...table([['KEY', 'TASK', 'SIZE'], ...rows]));
    const copied = copies.length === 0 ? '' : ` and ${gone.deleted.length} of ${counted(copies.length, 'copied snapshot')}`;
    print(`${dryRun ? 'would delete' : 'deleted'} ${deleted.length} of ${counted(layers.length, 'layer')}${copied}`);
    const { length } = unrecorded.deleted;
    if (length > 0)
      print(`${dryRun ? 'would delete' : 'deleted'} ${length === 1 ? '1 snapshot of a layer' : `${length} snapshots of layers`} without a record`);
  }
  return failed.length > 0 || !gone.isDone || !unrecorded.isDone ? exits.left : exits.done;
}

interface Limits {
  readonly older: number | undefined;
  readonly keep: number | undefined;
  isInUse(key: string): boolean;
}

/** A layer or a copy of a snapshot. */
interface Prunable {
  readonly key: string;
  readonly used: string;
  /** Whether no run can use it. */
  readonly isUseless: boolean;
}

/** What to delete, that first which was not used for the longest time, and what stays because a run uses it. */
function chosen<T extends Prunable>(all: readonly T[], blocks: ReadonlyMap<string, readonly Extent[]>, { older, keep, isInUse }: Limits) {
  const rest = new Map(blocks);
  const doomed: T[] = [];
  const staying: T[] = [];
  const isOld = ({ isUseless, used }: T) => isUseless || (older !== undefined && Date.parse(used) < Date.now() - older);
  // What is useless makes room before anything that runs can use.
  const order = (a: T, b: T) => Number(b.isUseless) - Number(a.isUseless) || a.used.localeCompare(b.used);
  for (const each of [...all].sort(order)) {
    if (!isOld(each) && (keep === undefined || bytesTogether(rest.values()) <= keep)) continue;
    (isInUse(each.key) ? staying : doomed).push(each);
    if (!isInUse(each.key)) rest.delete(each.key);
  }
  return { doomed, staying };
}

function rowOfCopy({ snapshot, of }: CopyRecord, size: number | undefined): string[] {
  return [snapshot, `copy of ${of}`, size === undefined ? '-' : sizeText(size)];
}

function rowOf(layer: LayerRecord, size: number | undefined): string[] {
  return [shortKey(layer.key), labelOf(layer), size === undefined ? '-' : sizeText(size)];
}
