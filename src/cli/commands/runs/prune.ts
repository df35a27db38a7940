import { type Command, Option } from 'commander';
import { LockedError } from '../../../linux/lock.js';
import { mountsUnder } from '../../../linux/mounts.js';
import { listRuns, type RunFolder, type RunState } from '../../../runtime/runs/run_folder.js';
import { addPrune, type PruneOptions } from '../../prune.js';
import { counted } from '../../reports/lines.js';
import { stateText } from '../../run_state.js';
import { print, printError, printJson } from '../../terminal/output.js';
import { count } from '../../verbs.js';

/** Declares `chrootfile runs prune`. */
export function addRunsPrune(runs: Command): void {
  addPrune(runs, {
    description: 'delete the records of old runs: logs, events and journal',
    older: 'delete only runs that started longer ago',
    keep: new Option('--keep <n>', 'keep the newest n runs').argParser(count),
    notes,
    example: '--older 30d --keep 20',
    prune,
  });
}

const notes = `With both options, a run is deleted when it is older and not among the newest n. A run is never deleted while it is
running or paused, or while it has something to undo.
Images and snapshots stay. Afterwards "chrootfile destroy" no longer knows the run, and "chrootfile local check --repair"
can no longer rebuild records from it.`;

/** `chrootfile runs prune`: deletes the folders of old runs that have nothing to undo. */
async function prune({ older, keep, state: folder, ...options }: PruneOptions): Promise<void> {
  const all = listRuns(folder);
  const before = Date.now() - (older ?? 0);
  const old = all.slice(0, Math.max(0, all.length - (keep ?? 0))).filter((run) => older === undefined || Date.parse(run.summary().started) < before);
  const pruned: { run: string; state: RunState }[] = [];
  for (const run of old) {
    const state = options.dryRun ? prunable(run) : await remove(run);
    if (state !== undefined) pruned.push({ run: run.id, state });
  }
  if (options.json) return printJson({ version: 1, dry_run: options.dryRun, pruned });
  print(...pruned.map(({ run, state }) => `${run}  ${stateText(state)}`));
  print(`${options.dryRun ? 'would delete' : 'deleted'} ${pruned.length} of ${counted(all.length, 'run')}`);
  if (!options.dryRun && pruned.some(({ state }) => state === 'succeeded'))
    print('Their images and snapshots stay; delete those with "chrootfile local rm", or in EC2: "chrootfile destroy" no longer knows these runs.');
}

/** The state of a run that may be deleted; undefined for any other. */
function prunable(run: RunFolder): RunState | undefined {
  const { state, isOver } = run.summary();
  return isOver ? state : undefined;
}

/** Deletes a run under its lock. @returns the state it had; undefined if it is not deleted. */
async function remove(run: RunFolder): Promise<RunState | undefined> {
  // A run in one of these states stays deletable, so the check before the lock is enough.
  const state = prunable(run);
  if (state === undefined) return undefined;
  let release: () => Promise<void>;
  try {
    release = await run.lock('runs prune');
  } catch (error) {
    if (error instanceof LockedError) return undefined;
    throw error;
  }
  try {
    // Never deletes through a mount, whatever the journal says.
    const [mount] = mountsUnder(run.path);
    if (mount === undefined) run.discard();
    else printError(`warning: run ${run.id} is not deleted: ${mount.path} is mounted`);
    return mount === undefined ? state : undefined;
  } finally {
    await release();
  }
}
