import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { openPool, removePool } from '../../../local/pool.js';
import { regionsIn } from '../../../local/store.js';
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
    .description('delete all images, snapshots and volumes, and the file system of "local init"')
    .addOption(new Option('--yes', 'confirm the deletion').default(false))
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile local reset --yes')
    .action(async (options) => resetLocal(options.state, options.yes));
};

/** `chrootfile local reset`: deletes all images, snapshots and volumes of the embedded EC2, and its pool. */
async function resetLocal(folder: string | undefined, yes: boolean): Promise<void> {
  const state = stateFolder(folder, 'change');
  const root = localFolder(state);
  if (existsSync(state)) await makeRoom(state);
  await whilePoolStays(state, async () => {
    await openPool(runCommand, root);
    mustBeIdle(state);
    const stores = regionsIn(root).map((region) => localEc2(state, region).store);
    const count = (what: 'image' | 'snapshot' | 'volume') => stores.reduce((sum, store) => sum + store.list(`${what}s`).length, 0);
    const counts = (['image', 'snapshot', 'volume'] as const).map((what) => counted(count(what), what)).join(', ');
    if (!yes) throw new ExitError(exits.invalid, `reset deletes ${counts}\n  help: ${commandToType(state, 'local reset --yes')}`);
    await removePool(runCommand, root);
    print(`deleted ${counts}`);
  });
}
