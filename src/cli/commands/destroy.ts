import { Option } from 'commander';
import { artifactsOf } from '../../runtime/runs/artifacts.js';
import { commandToType } from '../../runtime/runs/command_to_type.js';
import { Journal } from '../../runtime/runs/journal.js';
import { lockRun } from '../../runtime/runs/locked_run.js';
import type { RunFolder } from '../../runtime/runs/run_folder.js';
import { endUndo, undoersOf, undoNotes } from '../../runtime/runs/undo.js';
import { kinds } from '../../tasks/index.js';
import { makeRoom } from '../embedded_ec2.js';
import { ExitError, exits } from '../exit_codes.js';
import { findRun } from '../find_run.js';
import { openHostContext } from '../host_context.js';
import { printLeft } from '../reports/summary.js';
import { stateFolder } from '../state.js';
import { asked } from '../terminal/debugging.js';
import { print, printError, printJson, styled } from '../terminal/output.js';
import { type Interruption, watchSignals } from '../terminal/signals.js';
import { jsonOption, stateOption, type Verb } from '../verbs.js';

/** Declares `chrootfile destroy`. */
export const verb: Verb = (program, { exit }) => {
  program
    .command('destroy')
    .description('delete what a successful run created: its images and their snapshots, in all regions')
    .argument('<run>', 'id of the run, or a unique prefix of it')
    .addOption(new Option('--yes', 'do not ask for confirmation').default(false))
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile destroy 20261122-0915\n  sudo chrootfile destroy 20261122-0915 --yes --json')
    .action(async (id: string, options) => exit(await destroy(id, options)));
};

interface DestroyOptions {
  readonly state?: string;
  readonly yes: boolean;
  readonly json: boolean;
}

/** `chrootfile destroy`: deletes the images and snapshots that a successful run created, in every region. */
async function destroy(id: string, options: DestroyOptions): Promise<number> {
  const folder = findRun(stateFolder(options.state, 'change'), id);
  await makeRoom(folder.state);
  const interruption = watchSignals();
  try {
    return await destroyArtifacts(folder, options, interruption);
  } finally {
    interruption.stop();
  }
}

async function destroyArtifacts(folder: RunFolder, options: DestroyOptions, interruption: Interruption): Promise<number> {
  const { journal, release } = await lockRun({
    folder,
    purpose: 'destroy',
    openJournal: () => Journal.open(folder.journal),
    prepare: ({ ended }) => {
      if (ended === 'committed') return;
      const help = ended === 'destroyed' ? '' : `\n  help: ${commandToType(folder.state, `undo ${folder.id}`)}`;
      throw new ExitError(exits.invalid, `run ${folder.id} keeps nothing: ${ended === 'destroyed' ? 'it was destroyed' : 'it did not succeed'}${help}`);
    },
  });
  try {
    const artifacts = artifactsOf(journal.open, kinds);
    if (!options.json) print(...artifacts.map(({ type, region, id: thing }) => `${region}  ${type}  ${thing}`));
    if (!options.yes && !(await agreed(folder, interruption.signal))) throw new ExitError(exits.invalid, 'nothing was deleted');
    const warn = (message: string) => printError(`warning: ${message}`);
    const host = openHostContext({ cloud: journal.head.cloud, state: folder.state, signal: interruption.signal, warn });
    // Not the notes whose undo would restore images that this run replaced.
    const notes = journal.open.filter(({ kind, data }) => kind.startsWith('ec2.') && !('retired' in (data as object)));
    const undo = { journal, undoers: undoersOf(kinds), emit: () => {}, gates: 'resources', stop: interruption.signal } as const;
    const left = endUndo(
      journal,
      await interruption.inUndo((signal) => undoNotes(notes, { ...undo, host: { ...host, mountsGone: true, signal } })),
      'destroyed',
    );
    if (options.json) printJson({ run: folder.id, destroyed: artifacts, left });
    else if (left.length > 0) printLeft(left, folder, 'destroy');
    else print(`${styled('green', '✔')} run ${folder.id}: everything it created was deleted`);
    return left.length > 0 ? exits.left : exits.done;
  } finally {
    journal.close();
    await release();
  }
}

/** @throws ExitError without a terminal to ask on. */
async function agreed({ state, id }: RunFolder, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new ExitError(exits.invalid, `destroy asks for confirmation, and there is no terminal\n  help: ${commandToType(state, `destroy ${id} --yes`)}`);
  return (await asked('Delete these permanently? [y/N] ', signal))?.toLowerCase() === 'y';
}
