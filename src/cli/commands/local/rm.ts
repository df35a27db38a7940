import type { Ec2 } from '../../../aws/client.js';
import { openLocalEc2 } from '../../embedded_ec2.js';
import { exits } from '../../exit_codes.js';
import { openHostContext } from '../../host_context.js';
import { mustBeRoot, stateFolder } from '../../state.js';
import { print, printError } from '../../terminal/output.js';
import { watchSignals } from '../../terminal/signals.js';
import { stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local rm`. */
export const verb: Verb = (local, { exit }) => {
  local
    .command('rm')
    .description('delete images, snapshots and volumes')
    .argument('<ids...>', 'ids of images, snapshots or volumes')
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sudo chrootfile local rm ami-0123456789abcdef0 snap-0123456789abcdef0\n\nAn image, snapshot or volume in use is not deleted: the reason is printed, and the exit code is 1.',
    )
    .action(async (ids: string[], options) => exit(await removeLocal(ids, options.state)));
};

const kinds = ['images', 'volumes', 'snapshots'] as const;

/** `chrootfile local rm`: deletes through the EC2 API, which refuses to delete what is in use; returns the exit code. */
async function removeLocal(ids: readonly string[], folder: string | undefined): Promise<number> {
  mustBeRoot('rm needs root', `local rm ${ids.join(' ')}`, folder);
  const state = stateFolder(folder);
  const local = await openLocalEc2(state);
  const interruption = watchSignals();
  const context = openHostContext({ cloud: { provider: 'local' }, state, signal: interruption.signal, warn: (message) => printError(`warning: ${message}`) });
  let failed = false;
  const unknown = new Set(ids);
  try {
    // An image uses its snapshots, so images go first.
    for (const kind of kinds) {
      for (const id of new Set(ids)) {
        const region = local.regions.find((each) => local.storeOf(each).get(kind, id) !== undefined);
        if (region === undefined) continue;
        unknown.delete(id);
        try {
          await remove(await context.ec2(region), kind, id);
          print(`${id} deleted`);
        } catch (error) {
          printError(`error: ${id}: ${(error as Error).message}`);
          failed = true;
        }
      }
    }
    for (const id of unknown) {
      printError(`error: ${id}: no image, snapshot or volume has this id`);
      failed = true;
    }
  } finally {
    interruption.stop();
  }
  return interruption.exit() ?? (failed ? exits.failed : exits.done);
}

async function remove({ client, sdk }: Ec2, kind: (typeof kinds)[number], id: string): Promise<void> {
  if (kind === 'images') await client.send(new sdk.DeregisterImageCommand({ ImageId: id }));
  else if (kind === 'snapshots') await client.send(new sdk.DeleteSnapshotCommand({ SnapshotId: id }));
  else await client.send(new sdk.DeleteVolumeCommand({ VolumeId: id }));
}
