import { readFileSync, statSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { parse } from 'yaml';
import { RecipeError } from '../dsl/diagnostic.js';
import { resolveInputs } from '../dsl/inputs.js';
import { type LinkedTask, linkModule } from '../dsl/link.js';
import { folderOf, loadModule, type Module } from '../dsl/module.js';
import type { Plan } from '../dsl/plan.js';
import { language } from '../tasks/language.js';
import { ExitError, exits } from './exits.js';

/** The recipe that is meant where none is named. */
const defaultFile = 'chrootfile.yml';

/** A recipe with its libraries, every name in it found. */
export interface LoadedRecipe {
  readonly file: string;
  readonly module: Module;
  readonly tasks: ReadonlyMap<string, LinkedTask>;
}

/** Loads and checks a recipe. @throws RecipeError with all faults, ExitError when the file cannot be read. */
export function loadRecipe(file: string): LoadedRecipe {
  const read = (path: string) => readFileSync(path, 'utf8');
  let loaded: ReturnType<typeof loadModule>;
  try {
    loaded = loadModule(file, language, read, shown);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : (error as Error).message;
    throw new ExitError(
      exits.invalid,
      `cannot read ${file}: ${reason}${file === defaultFile ? '\n  help: name a recipe, e.g. chrootfile run recipes/base.yml' : ''}`,
    );
  }
  const { module, faults } = loaded;
  return { file, module, tasks: linkModule(module, faults, (name) => process.env[name] !== undefined) };
}

/**
 * Tells the recipe from the tasks on the command line: the first word is a file when it looks like one or is one.
 */
export function fileAndTasks(words: readonly string[]): { file: string; tasks: string[] } {
  const [first, ...rest] = words;
  if (first !== undefined && (/\.ya?ml$/.test(first) || first.includes('/') || statSync(first, { throwIfNoEntry: false })?.isFile()))
    return { file: first, tasks: rest };
  return { file: defaultFile, tasks: [...words] };
}

/** The values of a recipe's inputs. @throws RecipeError with what is missing or unfit. */
export function inputsOf(module: Module, given: readonly string[], file: string | undefined): Map<string, unknown> {
  const { values, faults } = resolveInputs(module.recipe.inputs, {
    commandLine: new Map(given.map(pair)),
    file: file === undefined ? {} : inputsFile(file),
    folders: { file: dirname(file ?? '.'), recipe: folderOf(module) },
    environment: (name) => process.env[name],
  });
  if (faults.length > 0) throw new RecipeError(faults);
  return values;
}

/** @throws RecipeError when tasks of a plan run in a chroot that only an include can give. */
export function mustBePlaced(plan: Plan): void {
  const open = [...plan.tasks.values()].filter(({ task, in: chroot }) => task.in !== undefined && chroot === undefined);
  if (open.length === 0) return;
  const faults = open.map(({ id, task }) => ({
    code: 'in' as const,
    message: `task "${id}" runs in a chroot that only a recipe which includes this one can give`,
    span: task.at.document.spanOf(`${task.at.pointer}/in`),
    help: `include this recipe, with: {${task.in?.name.split('.')[1]}: "{{ CHROOT.path }}"}`,
  }));
  throw new RecipeError(faults);
}

/** The name and the value of `name=value`, as given to `-i`. */
export function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new ExitError(exits.invalid, `-i takes name=value, not "${text}"`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function inputsFile(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ExitError(exits.invalid, `cannot read the inputs in ${file}: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ExitError(exits.invalid, `${file} must be a map of inputs`);
  return value as Record<string, unknown>;
}

/** A path as short as it can be told from here. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('../../') ? path : near;
}
