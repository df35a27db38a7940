import { Option } from 'commander';
import { makePlan } from '../../dsl/plan/plan.js';
import { fileAndTasks, type GivenInputs, inputsOf, knownTo, loadRecipe, mustBePlaced } from '../recipe_file.js';
import { printDiagnostics } from '../reports/diagnostics.js';
import { planJson, printPlan } from '../reports/plan.js';
import { printJson } from '../terminal/output.js';
import { inputOption, inputsOption, jsonOption, type Verb } from '../verbs.js';

/** Declares `chrootfile plan`. */
export const verb: Verb = (program, { passed }) => {
  program
    .command('plan')
    .description('show what a run would do, one line per task')
    .argument('[words...]', 'recipe file (default: chrootfile.yml), then tasks')
    .addOption(inputOption())
    .addOption(inputsOption())
    .addOption(new Option('--why', 'also show why each task is there, what it waits for, and its undo').default(false))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  chrootfile plan recipes/base.yml\n  chrootfile plan recipes/base.yml image --why\n  chrootfile plan recipes/base.yml --json',
    )
    .action((words: string[], options) => {
      const { file, tasks } = fileAndTasks(words);
      plan(file, tasks, { ...options, arguments: passed });
    });
};

interface PlanOptions extends GivenInputs {
  readonly why: boolean;
  readonly json: boolean;
}

/** `chrootfile plan`: shows what a run would do. */
export function plan(file: string, goals: readonly string[], options: PlanOptions): void {
  const loaded = loadRecipe(file, options);
  const made = makePlan(loaded.module, loaded.tasks, goals);
  mustBePlaced(made);
  inputsOf(loaded);
  printDiagnostics([...loaded.warnings, ...made.warnings], 'text');
  if (options.json) return printJson(planJson(made, knownTo(loaded)));
  printPlan(made, { file, goals, known: knownTo(loaded), why: options.why });
}
