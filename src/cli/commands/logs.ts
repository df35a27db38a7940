import { readFileSync } from 'node:fs';
import { ExitError, exits } from '../exit_codes.js';
import { findRun } from '../find_run.js';
import { stateFolder } from '../state.js';
import { harmless, print } from '../terminal/output.js';
import { stateOption, type Verb } from '../verbs.js';

/** Declares `chrootfile logs`. */
export const verb: Verb = (program) => {
  program
    .command('logs')
    .description('print the output of the tasks of a run')
    .argument('[run]', 'id of the run, or a unique prefix of it (default: the last run)')
    .argument('[task]', 'print only this task')
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile logs\n  sudo chrootfile logs 20261122-0915 grub')
    .action((run: string | undefined, task: string | undefined, options) => logs(options.state, run, task));
};

/** `chrootfile logs`: the output of one task, or of all tasks of a run; without a name, of the last run. */
function logs(state: string | undefined, id: string | undefined, task: string | undefined): void {
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
