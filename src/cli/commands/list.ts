import type { Module } from '../../dsl/recipe/module.js';
import { defaultRecipe } from '../default_recipe.js';
import { type GivenInputs, loadRecipe } from '../recipe_file.js';
import { print, printJson, styled, table } from '../terminal/output.js';
import { inputOption, inputsOption, jsonOption, type Verb } from '../verbs.js';

/** Declares `chrootfile list`. */
export const verb: Verb = (program) => {
  program
    .command('list')
    .description('list the tasks, outputs and inputs of a recipe')
    .argument('[file]', 'recipe file (default: chrootfile.yml here or in a folder above)')
    .addOption(inputOption())
    .addOption(inputsOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  chrootfile list recipes/base.yml\n  chrootfile list chrootfile:cleanup')
    .action((file: string | undefined, options) => list(file ?? defaultRecipe(), options));
};

/** `chrootfile list`: the tasks of a recipe and of its libraries, its outputs and its inputs. */
function list(file: string, options: GivenInputs & { readonly json: boolean }): void {
  const { module, tasks } = loadRecipe(file, options);
  const rows = [...tasks.values()]
    .filter(({ task }) => !task.internal)
    .map(({ id, task, in: place, module: own }) => ({
      id,
      library: own.namespace,
      uses: task.action.type === 'kind' ? task.action.kind.name : task.action.type,
      in: place,
      needs: task.action.type === 'group' ? task.needs.map(({ name }) => name) : undefined,
      description: task.description,
    }));
  const { recipe } = module;
  const inputs = [...recipe.inputs].map(([name, declared]) => ({
    name,
    type: declared.type,
    required: declared.required ?? false,
    default: declared.default,
    description: declared.description,
  }));
  const outputs = [...recipe.outputs.keys()];
  const libraries = librariesOf(module).map((child) => ({
    name: child.namespace,
    recipe: child.parent?.include.recipe,
    description: child.recipe.description,
    outputs: [...child.recipe.outputs.keys()],
  }));
  if (options.json) return printJson({ name: recipe.name, description: recipe.description, inputs, tasks: rows, libraries, outputs });
  if (recipe.description !== undefined) print(recipe.description, '');
  const groups = [{ name: '', recipe: '', description: undefined, outputs }, ...libraries];
  const cells = groups.map(({ name }) => {
    const own = rows.filter(({ library }) => library === name);
    return own.map(({ id, uses, needs, description }) => [id, uses, description ?? (needs === undefined ? '' : needs.join(', '))]);
  });
  // One table, so that all groups have the same columns.
  const [title = '', ...lines] = table([['TASK', 'DOES', 'DESCRIPTION'], ...cells.flat()]);
  print(title);
  for (const [i, group] of groups.entries()) {
    const own = lines.splice(0, cells[i]?.length ?? 0);
    if (i > 0) print('', `${styled('bold', group.name)}: ${group.description ?? group.recipe}`);
    print(...own);
    if (group.outputs.length > 0) print('', `outputs: ${group.outputs.map((output) => (i === 0 ? output : `${group.name}.${output}`)).join(', ')}`);
  }
  if (inputs.length === 0) return;
  print(
    '',
    ...table([
      ['INPUT', 'TYPE', 'DEFAULT', 'DESCRIPTION'],
      ...inputs.map((input) => [input.name, input.type, input.required ? 'required' : (JSON.stringify(input.default) ?? ''), input.description ?? '']),
    ]),
  );
}

function librariesOf(module: Module): Module[] {
  return [...module.children.values()].flatMap((child) => [child, ...librariesOf(child)]);
}
