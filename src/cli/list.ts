import { loadRecipe } from './load.js';
import { print, printJson, table } from './output.js';

/** `chrootfile list`: the tasks of a recipe and the public ones of its libraries, its outputs and its inputs. */
export function list(file: string, json: boolean): void {
  const { module, tasks } = loadRecipe(file);
  const rows = [...tasks.values()]
    .filter(({ task }) => !task.internal)
    .map(({ id, task, in: place }) => ({
      id,
      uses: task.action.type === 'kind' ? task.action.kind.name : task.action.type,
      in: place,
      description: task.description,
    }));
  const own = rows.filter(({ id }) => !id.includes('.'));
  const inputs = [...module.recipe.inputs].map(([name, declared]) => ({
    name,
    type: declared.type,
    required: declared.required ?? false,
    default: declared.default,
    description: declared.description,
  }));
  const outputs = [...module.recipe.outputs.keys()];
  if (json) return printJson({ name: module.recipe.name, description: module.recipe.description, inputs, tasks: rows, outputs });
  if (module.recipe.description !== undefined) print(module.recipe.description, '');
  const libraries = rows.filter(({ id }) => id.includes('.'));
  print(...table([['TASK', 'DOES', 'DESCRIPTION'], ...[...own, ...libraries].map(({ id, uses, description }) => [id, uses, description ?? ''])]));
  if (outputs.length > 0) print('', `outputs: ${outputs.join(', ')}`);
  if (inputs.length === 0) return;
  print(
    '',
    ...table([
      ['INPUT', 'TYPE', 'DEFAULT', 'DESCRIPTION'],
      ...inputs.map((input) => [input.name, input.type, input.required ? 'required' : (JSON.stringify(input.default) ?? ''), input.description ?? '']),
    ]),
  );
}
