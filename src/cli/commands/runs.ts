import { readFileSync } from 'node:fs';
import { listRuns } from '../../runtime/runs/run_folder.js';
import { ExitError, exits } from '../exit_codes.js';
import { findRun } from '../find_run.js';
import { stateFolder } from '../state.js';
import { harmless, print, printError, printJson, table } from '../terminal/output.js';

/** `chrootfile runs`: what was run, and whether anything of it is left. */
export function runs(state: string | undefined, json: boolean): void {
  const all = listRuns(stateFolder(state)).map((run) => run.summary());
  if (json) return printJson(all);
  if (all.length === 0) return print('no runs yet');
  print(...table([['RUN', 'STATE', 'OPEN', 'RECIPE'], ...all.map(({ run, state: how, open, recipe }) => [run, how, String(open), recipe])]));
  for (const { error } of all) if (error !== undefined) printError(`chrootfile: ${error}`);
}

/** `chrootfile logs`: the output of one task, or of all tasks of a run; the last run unless one is named. */
export function logs(state: string | undefined, id: string | undefined, task: string | undefined): void {
  const folder = findRun(stateFolder(state), id);
  const names = folder.tasksLogged;
  if (task !== undefined && !names.includes(task)) {
    throw new ExitError(
      exits.invalid,
      `run ${folder.id} has no output of a task "${task}"\n  help: ${names.length === 0 ? 'no task printed anything' : `tasks with output: ${names.join(', ')}`}`,
    );
  }
  for (const name of task === undefined ? names : [task]) {
    const text = readFileSync(folder.logOf(name), 'utf8');
    if (task === undefined) print(`==> ${name} <==`);
    process.stdout.write(harmless(text));
  }
}
