import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { layerTag } from '../../../aws/layer_snapshots.js';
import { hasLocalDisks } from '../../../dsl/recipe/cloud.js';
import { openPool, removePool } from '../../../local/pool.js';
import type { Tag } from '../../../local/resources.js';
import { regionsIn } from '../../../local/store.js';
import { type LayerRecord, LayerRecords } from '../../../runtime/layers/layer_records.js';
import { commandToType } from '../../../runtime/runs/command_to_type.js';
import { localEc2, localFolder, makeRoom, mustBeIdle, runCommand, whilePoolStays } from '../../embedded_ec2.js';
import { ExitError, exits } from '../../exit_codes.js';
import { counted } from '../../reports/lines.js';
import { stateFolder } from '../../state.js';
import { print } from '../../terminal/output.js';
import { stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local reset`. */
export const verb: Verb = (local) => {
  local
    .command('reset')
    .description('delete all images, snapshots, layers and volumes, and the file system of "local init"')
    .addOption(new Option('--yes', 'confirm the deletion').default(false))
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile local reset --yes')
    .action(async (options) => resetLocal(options.state, options.yes));
};

/** `chrootfile local reset`: deletes all images, snapshots, layers and volumes of the embedded EC2, and its pool. */
async function resetLocal(folder: string | undefined, yes: boolean): Promise<void> {
  const state = stateFolder(folder, 'change');
  const root = localFolder(state);
  if (existsSync(state)) await makeRoom(state);
  await whilePoolStays(state, async () => {
    await openPool(runCommand, root);
    mustBeIdle(state);
    const counts = countsIn(state);
    if (!yes) throw new ExitError(exits.invalid, `reset deletes ${counts}\n  help: ${commandToType(state, 'local reset --yes')}`);
    await removePool(runCommand, root);
    const records = new LayerRecords(state);
    for (const { key } of localLayers(records)) records.remove(key);
    records.forgetCost();
    print(`deleted ${counts}`);
  });
}

/** What reset deletes. The snapshots of layers are not counted as snapshots. */
function countsIn(state: string): string {
  const stores = regionsIn(localFolder(state)).map((region) => localEc2(state, region).store);
  const all = (what: 'images' | 'snapshots' | 'volumes') => stores.flatMap((store): { readonly tags: readonly Tag[] }[] => store.list(what));
  const isOfLayer = ({ tags }: { readonly tags: readonly Tag[] }) => tags.some(({ Key }) => Key === layerTag);
  return [
    counted(all('images').length, 'image'),
    counted(all('snapshots').filter((each) => !isOfLayer(each)).length, 'snapshot'),
    counted(localLayers(new LayerRecords(state)).length, 'layer'),
    counted(all('volumes').length, 'volume'),
  ].join(', ');
}

function localLayers(records: LayerRecords): LayerRecord[] {
  return records.listAll().filter(({ cloud }) => hasLocalDisks(cloud));
}
