import { Option } from 'commander';
import { makePlan } from '../../dsl/plan/plan.js';
import { cacheVerdicts, type WouldBeRun } from '../cache_verdicts.js';
import { fileAndTasks, type GivenInputs, inputsOf, knownTo, loadRecipe, mustBePlaced } from '../recipe_file.js';
import { printDiagnostics } from '../reports/diagnostics.js';
import { planJson, printPlan } from '../reports/plan.js';
import { closedIn, statePath } from '../state.js';
import { printJson } from '../terminal/output.js';
import { inputOption, inputsOption, jsonOption, stateOption, type Verb } from '../verbs.js';

/** Declares `chrootfile plan`. */
export const verb: Verb = (program, { passed }) => {
  program
    .command('plan')
    .description('show what a run would do, one line per task')
    .argument('[words...]', 'recipe file (default: chrootfile.yml), then tasks')
    .addOption(inputOption())
    .addOption(inputsOption())
    .addOption(new Option('--why', 'also show why each task is there, what it waits for, its undo, and whether it is cached').default(false))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  chrootfile plan recipes/base.yml\n  chrootfile plan recipes/base.yml image --why\n  chrootfile plan recipes/base.yml --json',
    )
    .addOption(stateOption())
    .action(async (words: string[], options) => {
      const { file, tasks } = fileAndTasks(words);
      await plan(file, tasks, { ...options, arguments: passed });
    });
};

interface PlanOptions extends GivenInputs, WouldBeRun {
  readonly state?: string;
  readonly arguments: readonly string[];
  readonly cache?: boolean;
  readonly why: boolean;
  readonly json: boolean;
}

/** `chrootfile plan`: shows what a run would do. */
export async function plan(file: string, goals: readonly string[], options: PlanOptions): Promise<void> {
  const loaded = loadRecipe(file, options);
  const made = makePlan(loaded.module, loaded.tasks, goals, options.cache);
  mustBePlaced(made);
  inputsOf(loaded);
  printDiagnostics([...loaded.warnings, ...made.warnings], 'text');
  if (options.json) return printJson(planJson(made, knownTo(loaded)));
  const state = statePath(options.state);
  // A plan needs no state: a user who may not read it gets the rest.
  const isCached = options.why && made.chains.length > 0 && closedIn(state, 'change') === undefined;
  const cache = isCached ? await cacheVerdicts(made, loaded, state, options) : [];
  printPlan(made, { file, goals, known: knownTo(loaded), why: options.why, cache });
}
