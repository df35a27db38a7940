import { makePlan } from '../../dsl/plan/plan.js';
import { isWith, keeperOf } from '../../linux/namespace_holder.js';
import { type KeptRun, nodesDone, readKept } from '../../runtime/runs/resume_state.js';
import type { RunFolder } from '../../runtime/runs/run_folder.js';
import { ExitError, exits } from '../exit_codes.js';
import { inputsOf, loadRecipe, mustBePlaced, pair } from '../recipe_file.js';
import { stateFolder } from '../state.js';
import type { PreparedRun, RunOptions } from './run.js';
import { findRun } from './runs.js';

/** The kept run that `--resume` names. @throws ExitError when it is none, or cannot be gone on with. */
export function findKept({ state, resume }: Pick<RunOptions, 'state' | 'resume'>): { folder: RunFolder; kept: KeptRun } {
  const folder = findRun(stateFolder(state), resume);
  const kept = readKept(folder);
  if (kept === undefined) {
    const how = folder.summary()?.state;
    const help = how === 'dead' || how === 'left' ? `chrootfile undo ${folder.id}` : 'chrootfile runs; a run is kept by run --on-failure keep';
    throw new ExitError(exits.invalid, `run ${folder.id} was not kept, so it cannot be resumed: it is ${how}\n  help: ${help}`);
  }
  if (kept.sandbox && keeperOf(folder.keeper) === undefined)
    throw refusal(folder, 'its mounts are gone, as after a restart of the machine', `chrootfile undo ${folder.id}`);
  return { folder, kept };
}

/** Makes ready to go on with a kept run: the recipe as it is now, the values and results of then. */
export function prepareResume(options: RunOptions): PreparedRun {
  const { folder, kept } = findKept(options);
  const keeper = keeperOf(folder.keeper);
  if (keeper !== undefined && !isWith(keeper))
    throw refusal(folder, 'this program is not where its mounts are', 'leave out --no-sandbox, and start it by bin/chrootfile');
  const given = options.input.map(pair).filter(([name]) => name in kept.inputs);
  if (given.length > 0 || options.inputs.length > 0)
    throw refusal(folder, `it has its inputs: ${Object.keys(kept.inputs).join(', ')}`, 'give only those that are secret');
  process.chdir(kept.folder);
  const loaded = loadRecipe(kept.recipe, { ...options, kept: new Map(Object.entries(kept.inputs)) });
  const plan = makePlan(loaded.module, loaded.tasks, kept.goals);
  mustBePlaced(plan);
  const inputs = inputsOf(loaded);
  const { done, obstacle } = nodesDone(kept, plan);
  if (obstacle !== undefined) throw refusal(folder, obstacle, `take the change back, or chrootfile undo ${folder.id} and begin anew`);
  return { loaded, plan, inputs, folder, kept, done };
}

function refusal(folder: RunFolder, why: string, help: string): ExitError {
  return new ExitError(exits.invalid, `run ${folder.id} cannot be resumed: ${why}\n  help: ${help}`);
}
