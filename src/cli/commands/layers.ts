import { createHmac } from 'node:crypto';
import type { Command } from 'commander';
import type { Ingredient } from '../../runtime/layers/ingredients.js';
import { isUsable, type LayerRecord, LayerRecords } from '../../runtime/layers/layer_records.js';
import { blocksOfCopies, type CopyRecord, copiesIn } from '../copies.js';
import { findLayer, labelOf, shortKey } from '../find_layer.js';
import { blocksOfLayers, bytesTogether, sizeOf } from '../layer_sizes.js';
import { counted, duration } from '../reports/lines.js';
import { sizeText } from '../requirements.js';
import type { LayersJson } from '../schemas/layers.js';
import { stateFolder } from '../state.js';
import { print, printJson, table } from '../terminal/output.js';
import { jsonOption, stateOption, type Verb } from '../verbs.js';
import { addLayersPrune } from './layers/prune.js';
import { addRm } from './layers/rm.js';

/** Declares `chrootfile layers` and its commands. */
export const verb: Verb = (program, { exit }) => {
  const layers = program
    .command('layers')
    .description('list layers: what earlier runs left on volumes, for later runs to start from')
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sudo chrootfile layers\n  sudo chrootfile layers show 4414746a\n  sudo chrootfile layers prune --older 7d --keep 20G\n  sudo chrootfile layers rm 4414746a',
    )
    .action((options) => list(options));
  // `--json` and `--state` may be written before the name of these commands too: then they are options of `layers`.
  layers
    .command('list')
    .description('list all layers, newest first, as without a command')
    .addOption(jsonOption())
    .addOption(stateOption())
    .action((_, command: Command) => list(command.optsWithGlobals()));
  layers
    .command('show')
    .description('show the tasks of a layer, and what each was made from')
    .argument('<key>', 'a unique prefix of the key')
    .addOption(jsonOption())
    .addOption(stateOption())
    .action((key, _, command: Command) => show(key, command.optsWithGlobals()));
  addLayersPrune(layers, exit);
  addRm(layers, exit);
};

interface Options {
  readonly state?: string;
  readonly json: boolean;
}

/** `chrootfile layers`: lists layers, newest first. */
async function list({ state: named, json }: Options): Promise<void> {
  const state = stateFolder(named);
  const layers = new LayerRecords(state).listAll();
  const copies = await copiesIn(state);
  const [blocks, ofCopies] = [await blocksOfLayers(state, layers), await blocksOfCopies(state, copies)];
  const bytesOf = (layer: LayerRecord) => sizeOf(blocks.get(layer.key));
  const total = bytesTogether([...blocks.values(), ...ofCopies.values()]);
  if (json) {
    const shown = copies.map((copy) => ({ ...copy, ...bytesIn(sizeOf(ofCopies.get(copy.snapshot))) }));
    const all = layers.map((layer) => recordOf(layer, bytesOf(layer)));
    return printJson({ version: 1, layers: all, copies: shown, bytes: total } satisfies LayersJson);
  }
  if (layers.length + copies.length === 0) return print('no layers');
  const rows = [...layers.map((layer) => rowOf(layer, bytesOf(layer))), ...copies.map((copy) => rowOfCopy(copy, sizeOf(ofCopies.get(copy.snapshot))))];
  const counts = [counted(layers.length, 'layer'), ...(copies.length === 0 ? [] : [counted(copies.length, 'copied snapshot')])].join(' and ');
  print(
    ...table([['KEY', 'MADE (UTC)', 'USED (UTC)', 'AFTER', 'TASKS', 'SAVES', 'SIZE', 'RECIPE'], ...rows]),
    `${counts} in ${sizeText(total)}, where blocks that they share count once`,
  );
}

function bytesIn(bytes: number | undefined) {
  return bytes === undefined ? {} : { bytes };
}

/** A copy of a snapshot, from which direct volumes are made. */
function rowOfCopy({ snapshot, made, used, of }: CopyRecord, bytes: number | undefined): string[] {
  return [snapshot, minute(made), minute(used), `copy of ${of}`, '-', '-', bytes === undefined ? '-' : sizeText(bytes), '-'];
}

/** A layer in a list. Of a layer of another format, the tasks are not known. */
function recordOf(layer: LayerRecord, bytes: number | undefined): LayersJson['layers'][number] {
  const { key, format, made, used, run, recipe, region, account, snapshots } = layer;
  const tasks = isUsable(layer) ? layer.tasks : undefined;
  return {
    key,
    format,
    made,
    used,
    run,
    recipe,
    region,
    ...(account === undefined ? {} : { account }),
    snapshots: Object.values(snapshots),
    ...(tasks === undefined ? {} : { after: labelOf(layer), tasks: tasks.length, seconds: tasks.reduce((sum, { seconds }) => sum + seconds, 0) }),
    ...bytesIn(bytes),
  };
}

function rowOf(layer: LayerRecord, bytes: number | undefined): string[] {
  const { key, made, used, recipe, tasks, seconds } = recordOf(layer, bytes);
  const known = [tasks?.toString(), seconds === undefined ? undefined : duration(seconds), bytes === undefined ? undefined : sizeText(bytes)];
  return [shortKey(key), minute(made), minute(used), labelOf(layer), ...known.map((each) => each ?? '-'), recipe];
}

/** A time without seconds. */
function minute(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

/** `chrootfile layers show`. */
async function show(prefix: string, { state: named, json }: Options): Promise<void> {
  const state = stateFolder(named);
  const layer = findLayer(state, prefix);
  const records = new LayerRecords(state);
  const bytes = sizeOf((await blocksOfLayers(state, [layer])).get(layer.key));
  if (json) return printJson({ version: 1, ...layer, bytes });
  const ids = Object.values(layer.snapshots);
  print(
    `layer      ${layer.key}`,
    `made       ${minute(layer.made)} UTC, by run ${layer.run}`,
    `used       ${minute(layer.used)} UTC`,
    `recipe     ${layer.recipe}`,
    `${ids.length === 1 ? 'snapshot ' : 'snapshots'}  ${ids.join(', ')} in ${layer.region}`,
    ...(bytes === undefined ? [] : [`size       ${sizeText(bytes)}`]),
    ...(isUsable(layer) ? [] : [`format     ${labelOf(layer)}`]),
  );
  if (!isUsable(layer)) return;
  const unset = await hashesOfNothing(records);
  for (const { task, key, outcome, seconds, ingredients } of layer.tasks) {
    print('', `${task}  ${shortKey(key)}  ${outcome}  ${duration(seconds)}`);
    for (const each of ingredients) if (!unset.has(each.hash)) print(`  ${each.name}: ${textOf(each)}`);
  }
}

function textOf({ hash, shown }: Ingredient): string {
  return shown ?? `${shortKey(hash)} (hash)`;
}

/** The hashes of values that are not set. */
async function hashesOfNothing(records: LayerRecords): Promise<ReadonlySet<string>> {
  if (!records.isMade()) return new Set();
  const key = await records.hashKey();
  return new Set(['null', '[]'].map((nothing) => createHmac('sha256', key).update(nothing).digest('hex')));
}
