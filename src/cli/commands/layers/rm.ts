import type { Command } from 'commander';
import { deleteLayers } from '../../delete_layers.js';
import { exits } from '../../exit_codes.js';
import { findLayer, taskOf } from '../../find_layer.js';
import { counted } from '../../reports/lines.js';
import { stateFolder } from '../../state.js';
import { print, printJson } from '../../terminal/output.js';
import { jsonOption, stateOption } from '../../verbs.js';

/** Declares `chrootfile layers rm`. */
export function addRm(layers: Command, exit: (code: number) => void): void {
  layers
    .command('rm')
    .description('delete layers')
    .argument('<keys...>', 'a unique prefix of the key of each layer')
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile layers rm 4414746a')
    .action(async (keys: string[], _, command: Command) => exit(await remove(keys, command.optsWithGlobals())));
}

/** `chrootfile layers rm`; returns the exit code. */
async function remove(prefixes: readonly string[], { state: named, json }: { readonly state?: string; readonly json: boolean }): Promise<number> {
  const state = stateFolder(named, 'change');
  // Two prefixes may be of one key.
  const layers = new Map(prefixes.map((prefix) => findLayer(state, prefix)).map((layer) => [layer.key, layer]));
  const { deleted, in_use, failed } = await deleteLayers([...layers.values()], state);
  if (json) printJson({ version: 1, deleted: deleted.map((layer) => ({ key: layer.key, task: taskOf(layer) })), in_use, failed });
  else print(`deleted ${counted(deleted.length, 'layer')}`);
  if (failed.length > 0) return exits.left;
  return deleted.length === 0 ? exits.locked : exits.done;
}
