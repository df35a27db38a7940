import { listRuns } from '../../runtime/runs/run_folder.js';
import { stateFolder } from '../state.js';
import { print, printError, printJson, table } from '../terminal/output.js';
import { jsonOption, stateOption, type Verb } from '../verbs.js';

/** Declares `chrootfile runs`. */
export const verb: Verb = (program) => {
  program
    .command('runs')
    .description('list runs, and whether anything of them is left')
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile runs --json')
    .action((options) => runs(options.state, options.json));
};

/** `chrootfile runs`: what was run, and whether anything of it is left. */
function runs(state: string | undefined, json: boolean): void {
  const all = listRuns(stateFolder(state)).map((run) => run.summary());
  if (json) return printJson(all);
  if (all.length === 0) return print('no runs yet');
  print(...table([['RUN', 'STATE', 'OPEN', 'RECIPE'], ...all.map(({ run, state: how, open, recipe }) => [run, how, String(open), recipe])]));
  for (const { error } of all) if (error !== undefined) printError(`chrootfile: ${error}`);
}
