import { Option } from 'commander';
import { draftPool, hasPool, openPool, type PoolType, takePool } from '../../../local/pool.js';
import { claimState } from '../../../runtime/runs/format.js';
import { localFolder, mustBeIdle, runCommand, whilePoolStays } from '../../embedded_ec2.js';
import { ExitError, exits } from '../../exit_codes.js';
import { mustBeAbleToMount, mustHaveLoopDevices } from '../../requirements.js';
import { mustBeRoot, stateFolder } from '../../state.js';
import { print } from '../../terminal/output.js';
import { watchSignals } from '../../terminal/signals.js';
import { mustHave } from '../../tools.js';
import { bytes, stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local init`. */
export const verb: Verb = (local) => {
  local
    .command('init')
    .description('store the embedded EC2 on a copy-on-write file system, so volumes and snapshots are instant')
    .addOption(new Option('--size <size>', 'maximum size, e.g. 50G; the file is sparse').argParser(bytes).default(50 * 2 ** 30, '50G'))
    .addOption(new Option('--fs <type>', 'type of the file system').choices(['xfs', 'btrfs']).default('xfs'))
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sudo chrootfile local init --size 50G --fs xfs\n\nExisting images, volumes and snapshots move to it. "chrootfile local reset" deletes it.',
    )
    .action(async (options) => initLocal(options.state, options));
};

/** `chrootfile local init`: stores the embedded EC2 on a copy-on-write file system in a sparse file. */
async function initLocal(folder: string | undefined, { size, fs }: { readonly size: number; readonly fs: PoolType }): Promise<void> {
  mustBeRoot('init needs root', `local init --fs ${fs}`, folder);
  mustHave([{ program: `mkfs.${fs}`, package: poolPackages[fs] }]);
  mustBeAbleToMount(false);
  await mustHaveLoopDevices();
  const state = stateFolder(folder);
  const root = localFolder(state);
  const interruption = watchSignals();
  const { signal } = interruption;
  try {
    claimState(state);
    await whilePoolStays(state, async () => {
      await openPool(runCommand, root);
      if (hasPool(root)) throw new ExitError(exits.invalid, `${root} is already on a copy-on-write file system`);
      mustBeIdle(state);
      await draftPool((command, options) => runCommand(command, { ...options, signal }), root, fs, size);
      await takePool(runCommand, root);
    });
  } catch (error) {
    if (error instanceof ExitError || ['LockedError', 'FormatError'].includes((error as Error).name)) throw error;
    throw new ExitError(interruption.exit() ?? exits.host, `cannot create the file system: ${(error as Error).message}`);
  } finally {
    interruption.stop();
  }
  print(`${root} is on ${fs} now: volumes and snapshots share their blocks`);
}

const poolPackages: Readonly<Record<PoolType, string>> = { xfs: 'xfsprogs', btrfs: 'btrfs-progs' };
