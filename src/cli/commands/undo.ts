import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import { removeDrafts } from '../../linux/atomic_write.js';
import { removeDeadHostLocks } from '../../linux/host_locks.js';
import { LockedError, removeDeadLocks } from '../../linux/lock.js';
import type { Left } from '../../runtime/engine/events.js';
import { removeDeadMakers } from '../../runtime/layers/making.js';
import { commandToType } from '../../runtime/runs/command_to_type.js';
import { FormatError } from '../../runtime/runs/format.js';
import { isUnfinished, listRuns, type RunFolder, tidyRuns } from '../../runtime/runs/run_folder.js';
import { localFolder, makeRoom, openLocalEc2 } from '../embedded_ec2.js';
import { ExitError, exits } from '../exit_codes.js';
import { findRun } from '../find_run.js';
import { mustBeRoot, stateFolder, usualUmask } from '../state.js';
import { lockFolders } from '../store_findings.js';
import { print, printError, printJson } from '../terminal/output.js';
import { type Interruption, watchSignals } from '../terminal/signals.js';
import { type UndoRunOptions, undoRun } from '../undo_run.js';
import { inputOption, jsonOption, stateOption, type Verb } from '../verbs.js';

/** Declares `chrootfile undo`. */
export const verb: Verb = (program, { exit }) => {
  program
    .command('undo')
    .description('clean up after a run that was killed or could not undo everything')
    .argument('[run]', 'id of the run, or a unique prefix of it')
    .addOption(new Option('--all', 'undo all such runs').default(false))
    .addOption(inputOption())
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile undo --all\n  sudo chrootfile undo 20261122-0915')
    .action(async (run: string | undefined, options) => exit(await undo(run, options)));
};

interface UndoOptions extends UndoRunOptions {
  readonly state?: string;
  readonly all: boolean;
}

/** The result of undoing one run. `locked`: another process has it. */
interface Result {
  readonly run: string;
  readonly undone: number;
  readonly left: readonly Left[];
  readonly locked?: string;
}

/** `chrootfile undo`: cleans up after runs that were killed or could not undo everything. */
async function undo(id: string | undefined, options: UndoOptions): Promise<number> {
  mustBeRoot('undo needs root', `undo ${options.all ? '--all' : (id ?? '')}`.trim(), options.state);
  process.umask(usualUmask);
  const state = stateFolder(options.state);
  if (options.all && id !== undefined) throw new ExitError(exits.invalid, 'undo takes a run or --all, not both');
  if (!options.all && id === undefined) throw new ExitError(exits.invalid, `undo needs a run or --all\n  help: ${commandToType(state, 'runs')}`);
  if (existsSync(state)) await makeRoom(state);
  const folders = options.all ? listRuns(state).filter((run) => isUnfinished(run.summary())) : [findRun(state, id)];
  const interruption = watchSignals();
  // A copy, since the SDK changes the environment, and scripts must not see that.
  const environment = { ...process.env };
  const results: Result[] = [];
  try {
    for (const folder of folders) results.push(await resultOf(folder, options, environment, interruption));
    if (options.all && !interruption.signal.aborted) await tidy(state).catch((error: Error) => printError(`warning: ${error.message}`));
  } finally {
    interruption.stop();
  }
  if (options.json) printJson(results);
  else if (results.length === 0) print('nothing to undo');
  if (results.some(({ left }) => left.length > 0)) return exits.left;
  if (results.some(({ locked }) => locked !== undefined)) return exits.locked;
  return interruption.exit() ?? exits.done;
}

/** Undoes one run. With `--all`, a run that cannot be undone does not stop the others. */
async function resultOf(folder: RunFolder, options: UndoOptions, environment: NodeJS.ProcessEnv, interruption: Interruption): Promise<Result> {
  try {
    return { run: folder.id, ...(await undoRun(folder, options, environment, interruption)) };
  } catch (error) {
    if (!options.all || error instanceof FormatError) throw error;
    const { message } = error as Error;
    printError(`error: ${folder.id}: ${message}`);
    if (error instanceof LockedError) return { run: folder.id, undone: 0, left: [], locked: message };
    return { run: folder.id, undone: 0, left: [{ task: 'run', kind: 'journal', error: message, by_hand: [] }] };
  }
}

/** Removes what killed processes left in a state folder and their journals do not record, such as drafts and locks. */
async function tidy(state: string): Promise<void> {
  removeDeadHostLocks();
  if (!existsSync(state)) return;
  await tidyRuns(state);
  for (const folder of [state, join(state, 'up_to_date'), join(state, 'layers')]) removeDrafts(folder, 'dead');
  removeDeadMakers(state);
  if (existsSync(localFolder(state))) await (await openLocalEc2(state)).recover();
  for (const folder of lockFolders(state)) removeDeadLocks(folder);
}
