import { type Diagnostic, RecipeError } from '../../dsl/diagnostics/diagnostic.js';
import { makePlan } from '../../dsl/plan/plan.js';
import { exits } from '../exit_codes.js';
import { type GivenInputs, loadRecipe } from '../recipe_file.js';
import { type DiagnosticFormat, printDiagnostics } from '../reports/diagnostics.js';
import { print } from '../terminal/output.js';

/** `chrootfile check`: all that is wrong with recipes and their libraries, and warnings, without running anything. */
export function check(files: readonly string[], { format, ...given }: GivenInputs & { readonly format: DiagnosticFormat }): number {
  const found: Diagnostic[] = [];
  for (const file of files) {
    try {
      const { module, tasks } = loadRecipe(file, given);
      const { nodes, warnings } = makePlan(module, tasks, []);
      found.push(...warnings);
      if (format === 'text') print(`${file}: ok, ${nodes.filter((node) => node.type === 'task').length} tasks`);
    } catch (error) {
      if (!(error instanceof RecipeError)) throw error;
      found.push(...error.diagnostics);
    }
  }
  printDiagnostics(found, format);
  return found.every(({ severity }) => severity === 'warning') ? exits.done : exits.invalid;
}
