import { hintFor } from '../../dsl/diagnostics/suggest.js';
import { makePlan } from '../../dsl/plan/plan.js';
import type { Verdict } from '../../runtime/layers/why.js';
import { cacheVerdicts, type WouldBeRun } from '../cache_verdicts.js';
import { ExitError, exits } from '../exit_codes.js';
import { fileAndTasks, type GivenInputs, loadRecipe } from '../recipe_file.js';
import { duration } from '../reports/lines.js';
import type { WhyJson } from '../schemas/why.js';
import { stateFolder } from '../state.js';
import { print, printJson, styled, table } from '../terminal/output.js';
import { addCloudOptions, inputOption, inputsOption, jsonOption, stateOption, type Verb } from '../verbs.js';

/** Declares `chrootfile why`. */
export const verb: Verb = (program, { passed }) => {
  const command = program
    .command('why')
    .description('show which tasks a run would take from layers, and why it would run the others')
    .argument('[words...]', 'recipe file (default: chrootfile.yml), then tasks to show')
    .addOption(inputOption())
    .addOption(inputsOption());
  addCloudOptions(command)
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile why recipes/base.yml\n  sudo chrootfile why recipes/base.yml grub')
    .action(async (words: string[], options) => {
      const { file, tasks } = fileAndTasks(words);
      await why(file, tasks, { ...options, arguments: passed });
    });
};

interface WhyOptions extends GivenInputs, WouldBeRun {
  readonly state?: string;
  readonly arguments: readonly string[];
  readonly json: boolean;
}

/** `chrootfile why`: compares the tasks that leave content on volumes with the newest records of them. */
async function why(file: string, asked: readonly string[], options: WhyOptions): Promise<void> {
  const loaded = loadRecipe(file, options);
  const plan = makePlan(loaded.module, loaded.tasks, [], true);
  const isOn = makePlan(loaded.module, loaded.tasks, []).chains.length > 0;
  const verdicts = await cacheVerdicts(plan, loaded, stateFolder(options.state), options);
  const unknown = asked.find((task) => !verdicts.some((verdict) => verdict.task === task));
  if (unknown !== undefined) throw refusal(unknown, [...loaded.tasks.keys()], verdicts);
  const shown = verdicts.filter(({ task }) => asked.length === 0 || asked.includes(task));
  if (options.json) return printJson({ version: 1, tasks: shown.map(recordOf) } satisfies WhyJson);
  if (shown.length === 0) return print('no task leaves content on a volume, so nothing is cached');
  const rows = shown.map(({ task, cached, reason, seconds }) => [
    task,
    cached ? styled('green', 'cached') : 'runs',
    seconds === undefined ? '' : duration(seconds),
    reason,
  ]);
  print(...table([['TASK', '', 'TOOK', 'REASON'], ...rows]).map((line) => line.trimEnd()));
  if (!isOn) print('', 'The recipe has no "cache": these are the layers of runs with --cache.');
}

function recordOf({ seconds, ...verdict }: Verdict): WhyJson['tasks'][number] {
  return { ...verdict, ...(seconds === undefined ? {} : { seconds }) };
}

function refusal(task: string, known: readonly string[], verdicts: readonly Verdict[]): ExitError {
  if (!known.includes(task)) return new ExitError(exits.invalid, `there is no task "${task}"\n  help: ${hintFor(task, known)}`);
  const help = verdicts.length === 0 ? '' : `\n  help: these tasks do: ${verdicts.map((verdict) => verdict.task).join(', ')}`;
  return new ExitError(exits.invalid, `"${task}" leaves nothing on a volume, so it is never cached${help}`);
}
