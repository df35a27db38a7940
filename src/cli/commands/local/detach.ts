import { existsSync } from 'node:fs';
import { lock } from '../../../linux/lock.js';
import { inUse, localFolder, openLocalEc2, serverLock } from '../../embedded_ec2.js';
import { exits } from '../../exit_codes.js';
import { mustBeRoot, stateFolder } from '../../state.js';
import { printError } from '../../terminal/output.js';
import { stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local detach`. */
export const verb: Verb = (local, { exit }) => {
  local
    .command('detach')
    .description('detach volumes that were in use when their server ended')
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile local detach')
    .action(async (options) => exit(await detachLocal(options.state)));
};

/** `chrootfile local detach`: detaches volumes that an ended server left attached for its clients; returns the exit code. */
async function detachLocal(folder: string | undefined): Promise<number> {
  mustBeRoot('detach needs root', 'local detach', folder);
  const state = stateFolder(folder);
  // A running server detaches volumes for its clients, and the rest when it ends.
  const release = await lock(serverLock(state), 'local detach');
  try {
    const left = existsSync(localFolder(state)) ? await (await openLocalEc2(state)).detachServed() : [];
    for (const { volume, device } of left) printError(inUse(volume, device, state));
    return left.length === 0 ? exits.done : exits.left;
  } finally {
    await release();
  }
}
