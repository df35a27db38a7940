import { hintFor } from '../dsl/diagnostics/suggest.js';
import { makePlan, type Plan, upTo } from '../dsl/plan/plan.js';
import { withShell } from '../dsl/plan/shell_task.js';
import type { Cloud } from '../dsl/recipe/types.js';
import { isWith, keeperOf } from '../linux/namespace_holder.js';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { type Ended, isOfOtherVersion, type KeptRun, nodesDone, readKept } from '../runtime/runs/resume_state.js';
import { isUnfinished, newRunId, RunFolder } from '../runtime/runs/run_folder.js';
import type { CloudOptions } from './cloud.js';
import { ExitError, exits } from './exit_codes.js';
import { findRun } from './find_run.js';
import { inputsOf, type LoadedRecipe, loadRecipe, mustBePlaced, pair } from './recipe_file.js';
import type { ReportFormat } from './reports/index.js';
import { stateText } from './run_state.js';
import { stateFolder, statePath } from './state.js';
import type { FailureMode } from './terminal/debugging.js';

/** The arguments and options of `chrootfile run`. */
export interface RunOptions extends CloudOptions {
  readonly state?: string;
  readonly input: readonly string[];
  readonly inputs: readonly string[];
  readonly arguments: readonly string[];
  readonly manifest?: string;
  /** Bytes. */
  readonly logLimit?: number;
  readonly jobs?: number;
  readonly keepGoing: boolean;
  readonly force: boolean;
  /** Whether content of volumes is cached; if absent, the recipe decides. */
  readonly cache?: boolean;
  /** Tasks that run even if they are up to date or a layer has what they leave. */
  readonly refresh: readonly string[];
  /** Whether everything is undone even if the run succeeds. */
  readonly discards?: boolean;
  /** A task that runs in any case, and all that come after it. */
  readonly from?: string;
  readonly onFailure: FailureMode;
  readonly step: boolean;
  readonly resume?: string;
  /** Whether only the process that keeps the mounts of the run to resume is printed. */
  readonly printKeeper: boolean;
  readonly format: ReportFormat;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly timeout?: number;
  readonly sandbox: boolean;
  /** Whether the launcher could not make a mount namespace. */
  readonly sandboxRefused: boolean;
}

/** A run with everything checked, ready to start or resume. */
export interface PreparedRun {
  readonly loaded: LoadedRecipe;
  readonly plan: Plan;
  readonly inputs: ReadonlyMap<string, unknown>;
  readonly folder: RunFolder;
  /** For a new run, once it is known. */
  readonly cloud?: Cloud;
  /** For a resumed run: its saved state, and the tasks that succeeded. */
  readonly kept?: KeptRun;
  readonly done: ReadonlyMap<string, Ended>;
  /** The tasks that run in any case. */
  readonly forced: ReadonlySet<string>;
}

/** Prepares to run a recipe, or some of its goals. */
export function prepareRun(file: string, goals: readonly string[], options: RunOptions): PreparedRun {
  const loaded = loadRecipe(file, options);
  return newRun(loaded, makePlan(loaded.module, loaded.tasks, goals, options.cache), options);
}

function newRun(loaded: LoadedRecipe, plan: Plan, options: RunOptions): PreparedRun {
  mustBePlaced(plan);
  const inputs = inputsOf(loaded);
  const folder = new RunFolder(statePath(options.state), newRunId(loaded.module.recipe.name, new Date()));
  return { loaded, plan, inputs, folder, done: new Map(), forced: forcedIn(plan, options) };
}

/** The tasks that run in any case. @throws ExitError for a task that the run does not have. */
function forcedIn({ tasks, nodes }: Plan, { force, refresh, from }: RunOptions): Set<string> {
  if (force) return new Set(tasks.keys());
  for (const [option, names] of [
    ['--refresh', refresh],
    ['--from', from === undefined ? [] : [from]],
  ] as const) {
    const unknown = names.find((name) => !tasks.has(name));
    if (unknown !== undefined)
      throw new ExitError(exits.invalid, `${option}: this run has no task "${unknown}"\n  help: ${hintFor(unknown, [...tasks.keys()])}`);
  }
  const followers = new Set(from === undefined ? [] : [from]);
  for (const node of nodes) if (node.after.some((edge) => followers.has(edge.from))) followers.add(node.id);
  return new Set([...refresh, ...followers]);
}

/** Prepares to open a shell before or after a task, on a volume that is deleted at the end. */
export function prepareShell(file: string, task: string, after: boolean, options: RunOptions): PreparedRun {
  const loaded = loadRecipe(file, options);
  if (!loaded.tasks.has(task)) {
    const known = [...loaded.tasks.keys()];
    throw new ExitError(exits.invalid, `there is no task "${task}"\n  help: ${hintFor(task, known)}`);
  }
  const { tasks, shell } = withShell(loaded.tasks, task, after);
  const plan = upTo(makePlan(loaded.module, tasks, [], options.cache, [shell]), shell);
  return newRun(loaded, plan, options);
}

/** Prepares to resume a kept run: with the recipe as it is now, and the saved values and results. */
export function prepareResume(options: RunOptions): PreparedRun {
  const { folder, kept } = findKept(options);
  const keeper = keeperOf(folder.keeper);
  if (keeper !== undefined && !isWith(keeper))
    throw refusal(folder, 'this process cannot see its mounts', 'remove --no-sandbox, and start chrootfile by bin/chrootfile');
  const given = options.input.map(pair).filter(([name]) => name in kept.inputs);
  if (given.length > 0 || options.inputs.length > 0)
    throw refusal(folder, `these inputs are already set: ${Object.keys(kept.inputs).join(', ')}`, 'set only secret inputs');
  process.chdir(kept.folder);
  const loaded = loadRecipe(kept.recipe, { ...options, kept: new Map(Object.entries(kept.inputs)) });
  const plan = makePlan(loaded.module, loaded.tasks, kept.goals, options.cache);
  mustBePlaced(plan);
  const inputs = inputsOf(loaded);
  const { done, obstacle } = nodesDone(kept, plan);
  if (obstacle !== undefined) throw refusal(folder, obstacle, `revert the change; or ${undoOf(folder)}, and run the recipe again`);
  return { loaded, plan, inputs, folder, kept, done, forced: forcedIn(plan, options) };
}

/** The kept run that `--resume` names. @throws ExitError when there is none, or when it cannot be resumed. */
export function findKept({ state, resume }: Pick<RunOptions, 'state' | 'resume'>): { folder: RunFolder; kept: KeptRun } {
  const folder = findRun(stateFolder(state), resume);
  const kept = readKept(folder);
  if (kept === undefined) {
    const summary = folder.summary();
    const help = isUnfinished(summary)
      ? undoOf(folder)
      : `only a run that failed with --on-failure keep can be resumed; see ${commandToType(folder.state, 'runs')}`;
    throw new ExitError(exits.invalid, `run ${folder.id} is not paused, so it cannot be resumed: its state is "${stateText(summary.state)}"\n  help: ${help}`);
  }
  if (isOfOtherVersion(kept)) throw refusal(folder, 'another version of chrootfile kept it', `${undoOf(folder)}, and run the recipe again`);
  if (kept.sandbox && keeperOf(folder.keeper) === undefined)
    throw refusal(folder, 'its mounts no longer exist, for example because the machine was restarted', undoOf(folder));
  return { folder, kept };
}

function undoOf({ state, id }: RunFolder): string {
  return commandToType(state, `undo ${id}`);
}

function refusal(folder: RunFolder, why: string, help: string): ExitError {
  return new ExitError(exits.invalid, `run ${folder.id} cannot be resumed: ${why}\n  help: ${help}`);
}
