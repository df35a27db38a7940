import { isOldFormat, isUsable, type LayerRecord, LayerRecords } from '../runtime/layers/layer_records.js';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { ExitError, exits } from './exit_codes.js';

/** A layer by a unique prefix of its key. @throws ExitError if there is none, or more than one. */
export function findLayer(state: string, prefix: string): LayerRecord {
  const found = new LayerRecords(state).listAll().filter(({ key }) => key.startsWith(prefix));
  const [single, second] = found;
  if (single === undefined) throw new ExitError(exits.invalid, `unknown layer "${prefix}"\n  help: ${commandToType(state, 'layers')}`);
  if (second === undefined) return single;
  throw new ExitError(
    exits.invalid,
    `"${prefix}" matches ${found.length} layers; give more characters\n  help: ${found.map(({ key }) => shortKey(key)).join(', ')}`,
  );
}

/** The first characters of a key, as lists and messages show it. */
export function shortKey(key: string): string {
  return key.slice(0, shownCharacters);
}

/** The task after which a layer was made; undefined for another format, whose tasks are not known. */
export function taskOf(layer: LayerRecord): string | undefined {
  return isUsable(layer) ? layer.tasks.at(-1)?.task : undefined;
}

/** The same for people. */
export function labelOf(layer: LayerRecord): string {
  return taskOf(layer) ?? (isOldFormat(layer) ? 'old format' : 'newer format');
}

const shownCharacters = 12;
