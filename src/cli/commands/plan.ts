import { makePlan } from '../../dsl/plan/plan.js';
import { type GivenInputs, inputsOf, loadRecipe, mustBePlaced } from '../recipe_file.js';
import { printDiagnostics } from '../reports/diagnostics.js';
import { planJson, printPlan } from '../reports/plan.js';
import { printJson } from '../terminal/output.js';

export interface PlanOptions extends GivenInputs {
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
