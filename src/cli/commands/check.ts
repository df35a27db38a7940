import { Option } from 'commander';
import { type Diagnostic, RecipeError } from '../../dsl/diagnostics/diagnostic.js';
import { makePlan } from '../../dsl/plan/plan.js';
import { defaultRecipe } from '../default_recipe.js';
import { exits } from '../exit_codes.js';
import { type GivenInputs, loadRecipe } from '../recipe_file.js';
import { type DiagnosticFormat, printDiagnostics } from '../reports/diagnostics.js';
import { counted } from '../reports/lines.js';
import { print } from '../terminal/output.js';
import { inputOption, inputsOption, type Verb } from '../verbs.js';

/** Declares `chrootfile check`. */
export const verb: Verb = (program, { exit }) => {
  program
    .command('check')
    .description('validate recipes without running them')
    .argument('[files...]', 'recipe files (default: chrootfile.yml)')
    .addOption(inputOption())
    .addOption(inputsOption())
    .addOption(new Option('--format <format>', 'output format').choices(['text', 'json', 'github']).default('text'))
    .addHelpText(
      'after',
      '\nExamples:\n  chrootfile check recipes/*.yml\n  chrootfile check recipes/base.yml --format github\n\n"chrootfile explain CODE" explains an error by the code at the end of its message.',
    )
    .action((files: string[], options) => exit(check(files.length > 0 ? files : [defaultRecipe()], options)));
};

/** `chrootfile check`: prints the errors and warnings of recipes and their libraries, without running anything. */
function check(files: readonly string[], { format, ...given }: GivenInputs & { readonly format: DiagnosticFormat }): number {
  const found: Diagnostic[] = [];
  for (const file of files) {
    try {
      const { module, tasks, warnings: ofScripts } = loadRecipe(file, given);
      const { nodes, warnings } = makePlan(module, tasks, []);
      found.push(...ofScripts, ...warnings);
      const count = nodes.filter((node) => node.type === 'task').length;
      if (format === 'text') print(`${file}: ok, ${counted(count, 'task')}`);
    } catch (error) {
      if (!(error instanceof RecipeError)) throw error;
      found.push(...error.diagnostics);
    }
  }
  printDiagnostics(found, format);
  return found.every(({ severity }) => severity === 'warning') ? exits.done : exits.invalid;
}
