import { makePlan } from '../../dsl/plan/plan.js';
import { fileAndTasks, type GivenInputs, inputsOf, loadRecipe, mustBePlaced } from '../recipe_file.js';
import { printDiagnostics } from '../reports/diagnostics.js';
import { planJson, printPlan } from '../reports/plan.js';
import { printJson } from '../terminal/output.js';
import { inputOption, inputsOption, jsonOption, type Verb } from '../verbs.js';

/** Declares `chrootfile plan`. */
export const verb: Verb = (program, { passed }) => {
  program
    .command('plan')
    .description('show what a run would do, in which order and why, and how it would be undone')
    .argument('[words...]', 'recipe file (default: chrootfile.yml), then tasks')
    .addOption(inputOption())
    .addOption(inputsOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  chrootfile plan recipes/base.yml\n  chrootfile plan recipes/base.yml image --json')
    .action((words: string[], options) => {
      const { file, tasks } = fileAndTasks(words);
      plan(file, tasks, { ...options, arguments: passed });
    });
};

interface PlanOptions extends GivenInputs {
  readonly json: boolean;
}

/** `chrootfile plan`: what a run would do, in which order and why, and what its undo would be. */
export function plan(file: string, goals: readonly string[], options: PlanOptions): void {
  const loaded = loadRecipe(file, options);
  const made = makePlan(loaded.module, loaded.tasks, goals);
  mustBePlaced(made);
  inputsOf(loaded);
  printDiagnostics(made.warnings, 'text');
  if (options.json) return printJson(planJson(made));
  printPlan(made, file, goals);
}
