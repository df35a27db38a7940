import { Option } from 'commander';
import { listRuns, type RunSummary } from '../../runtime/runs/run_folder.js';
import { type RunResult, resultOf } from '../../runtime/runs/run_result.js';
import { duration } from '../reports/lines.js';
import { stateText } from '../run_state.js';
import type { RunsJson } from '../schemas/runs.js';
import { stateFolder } from '../state.js';
import { print, printError, printJson, table } from '../terminal/output.js';
import { count, jsonOption, stateOption, type Verb } from '../verbs.js';
import { addRunsPrune } from './runs/prune.js';

/** Declares `chrootfile runs` and `chrootfile runs prune`. */
export const verb: Verb = (program) => {
  const command = program
    .command('runs')
    .description('list runs with their time, state and failed task')
    .addOption(new Option('--failed', 'list only runs that did not succeed').default(false))
    .addOption(new Option('--limit <n>', 'list only the newest n runs').argParser(count))
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sudo chrootfile runs\n  sudo chrootfile runs --failed --limit 5\n  sudo chrootfile runs --json\n  sudo chrootfile runs prune --older 30d --keep 20',
    )
    .action((options) => runs(options));
  addRunsPrune(command);
};

interface RunsOptions {
  readonly state?: string;
  readonly failed: boolean;
  readonly limit?: number;
  readonly json: boolean;
}

/** `chrootfile runs`: lists runs, oldest first. */
function runs({ state: named, failed, limit, json }: RunsOptions): void {
  const state = stateFolder(named);
  const all = listRuns(state).map((folder) => ({ folder, run: folder.summary() }));
  const wanted = failed ? all.filter(({ run }) => !['running', 'succeeded', 'destroyed'].includes(run.state)) : all;
  const shown = wanted.slice(-(limit ?? wanted.length)).map(({ folder, run }) => ({ ...run, ...resultOf(folder) }));
  if (json) return printJson({ version: 1, runs: shown.map(recordOf) } satisfies RunsJson);
  if (all.length === 0) return print(`no runs in ${state}`);
  if (shown.length === 0) return print('no failed runs');
  print(...table([['RUN', 'STARTED (UTC)', 'TIME', 'STATE', 'OPEN', 'FAILED TASK', 'RECIPE'], ...shown.map(rowOf)]));
  for (const { error } of shown) if (error !== undefined) printError(`error: ${error}`);
}

type Shown = RunSummary & RunResult;

function recordOf({ failedTasks, isInterrupted: _, isOver: __, ...run }: Shown): RunsJson['runs'][number] {
  return { ...run, failed_tasks: [...failedTasks] };
}

function rowOf({ run, started, seconds, state, open, failedTasks, recipe }: Shown): string[] {
  const [first = '-', ...others] = failedTasks;
  const failed = others.length === 0 ? first : `${first} and ${others.length} more`;
  return [run, started.slice(0, 16).replace('T', ' '), seconds === undefined ? '-' : duration(seconds), stateText(state), String(open), failed, recipe];
}
