import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { type Diagnostic, RecipeError } from '../dsl/diagnostics/diagnostic.js';
import type { Plan } from '../dsl/plan/plan.js';
import { builtInLibraries, builtInReference } from '../dsl/recipe/built_in.js';
import { type InputsFile, resolveInputs } from '../dsl/recipe/inputs.js';
import { folderOf, loadModule, type Module } from '../dsl/recipe/module.js';
import { unfitParameters } from '../dsl/resolve/known_parameters.js';
import { type LinkedTask, linkModule } from '../dsl/resolve/link.js';
import type { KnownBefore } from '../dsl/resolve/matrix.js';
import { parseDocument } from '../dsl/syntax/document.js';
import { parseDotenv } from '../dsl/syntax/dotenv.js';
import { limits } from '../dsl/syntax/limits.js';
import { readRegularFile } from '../linux/regular_file.js';
import { language } from '../tasks/language.js';
import { defaultFile, defaultRecipe } from './default_recipe.js';
import { scriptErrors } from './script_syntax.js';

/** The folder of the built-in libraries, seen from `dist/` and from `src/cli/`. */
const builtIn = ['../recipes/lib', '../../recipes/lib'].map((path) => join(import.meta.dirname, path)).find((path) => existsSync(path)) ?? '';

/** A recipe with its libraries and all names resolved. */
export interface LoadedRecipe {
  readonly file: string;
  readonly module: Module;
  readonly tasks: ReadonlyMap<string, LinkedTask>;
  /** What is allowed, but probably a mistake. */
  readonly warnings: readonly Diagnostic[];
  /** The known values of its inputs, and the errors in them. */
  readonly inputs: { readonly values: Map<string, unknown>; readonly diagnostics: readonly Diagnostic[] };
}

/** The inputs on the command line: `-i name=value` and files; and the words it passes to the recipe. */
export interface GivenInputs {
  readonly input?: readonly string[];
  readonly inputs?: readonly string[];
  /** The words after `--`, which are `run.arguments`. */
  readonly arguments?: readonly string[];
  /** Fixed values: those of a resumed run. */
  readonly kept?: ReadonlyMap<string, unknown>;
}

/** Loads and checks a recipe. @throws RecipeError with all diagnostics, ExitError when the file cannot be read. */
export function loadRecipe(file: string, given: GivenInputs = {}): LoadedRecipe {
  const { module, diagnostics } = outlineOf(file);
  if (given.arguments?.length && !module.recipe.document.source.text.includes('run.arguments'))
    diagnostics.push({
      code: 'command-line',
      message: `words after "--" are "run.arguments", which ${file} does not use`,
      help: 'write tasks and options before "--"',
    });
  const ofScripts = scriptErrors(module, diagnostics);
  diagnostics.push(...ofScripts.filter(({ severity }) => severity === undefined));
  const inputs = inputsFor(module, given);
  // A missing value is an error only when something runs; an invalid one is an error now.
  const unfit = inputs.diagnostics.filter(({ code }) => code !== 'missing-input');
  const known = knownTo({ inputs });
  const tasks = linkModule(module, [...diagnostics, ...unfit], known);
  const unfitForKinds = unfitParameters(tasks.values(), known, language);
  if (unfitForKinds.length > 0) throw new RecipeError(unfitForKinds);
  return { file, module, tasks, inputs, warnings: ofScripts };
}

/** What the plan of a recipe may use before anything runs. */
export function knownTo({ inputs }: Pick<LoadedRecipe, 'inputs'>): KnownBefore {
  return { inputs: inputs.values, environment: (name) => process.env[name] };
}

/** Loads a recipe and its libraries without resolving names. */
export function outlineOf(file: string): { module: Module; diagnostics: Diagnostic[] } {
  try {
    return loadModule(builtInFile(file) ?? file, language, { read, builtIn, resolvePackage, show: shown });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    if (file.startsWith('chrootfile:')) throw new RecipeError([{ code: 'command-line', message: `there is no built-in library "${file}"`, help: builtInHelp }]);
    const help = 'name a recipe, e.g. chrootfile run base.yml, or create one with chrootfile init';
    throw new RecipeError([{ code: 'command-line', message: `cannot read ${file}: ${reasonOf(error)}`, help: file === defaultFile ? help : undefined }]);
  }
}

const builtInHelp = `the built-in libraries are ${Object.keys(builtInLibraries).map(builtInReference).join(', ')}`;

/** The file of a built-in library: `chrootfile:cleanup`. */
function builtInFile(file: string): string | undefined {
  const name = Object.keys(builtInLibraries).find((each) => builtInReference(each) === file);
  return name === undefined ? undefined : join(builtIn, `${name}.yml`);
}

function read(file: string, isTyped?: boolean): string {
  return readRegularFile(file, limits.fileBytes, isTyped).toString('utf8');
}

/** As Node resolves a module from a folder: `node_modules` there and above, and what a package exports. */
function resolvePackage(name: string, folder: string): string {
  return createRequire(join(folder, 'recipe.cjs')).resolve(name);
}

/**
 * Separates the recipe from the tasks on the command line: the first word is a file when it looks like one or is one.
 */
export function fileAndTasks(words: readonly string[]): { file: string; tasks: string[] } {
  const [first, ...rest] = words;
  if (first !== undefined && (/\.ya?ml$|^chrootfile:/.test(first) || first.includes('/') || statSync(first, { throwIfNoEntry: false })?.isFile()))
    return { file: first, tasks: rest };
  return { file: defaultRecipe(), tasks: [...words] };
}

function inputsFor(module: Module, { input = [], inputs = [], kept = new Map() }: GivenInputs): LoadedRecipe['inputs'] {
  return resolveInputs(module.recipe.inputs, {
    kept,
    commandLine: new Map(input.map(pair)),
    files: inputs.map(inputsFile),
    folder: folderOf(module),
    environment: (name) => process.env[name],
  });
}

/** The values of a recipe's inputs. @throws RecipeError with the missing and invalid ones. */
export function inputsOf({ inputs }: LoadedRecipe): Map<string, unknown> {
  if (inputs.diagnostics.length > 0) throw new RecipeError(inputs.diagnostics);
  return inputs.values;
}

/** @throws RecipeError when tasks of a plan run in a chroot that only an include can give. */
export function mustBePlaced(plan: Plan): void {
  const open = [...plan.tasks.values()].filter(({ task, in: chroot }) => task.in !== undefined && chroot === undefined);
  if (open.length === 0) return;
  const diagnostics = open.map(({ id, task }) => ({
    code: 'in' as const,
    message: `task "${id}" runs in a chroot that only a recipe that includes this one can provide`,
    span: task.at.document.spanOf(`${task.at.pointer}/in`),
    help: `include this recipe, with: {${task.in?.name.split('.')[1]}: "{{ CHROOT.path }}"}`,
  }));
  throw new RecipeError(diagnostics);
}

/** The name and the value of `name=value`, as given to `-i`. */
export function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new RecipeError([{ code: 'command-line', message: '-i takes name=value, e.g. -i size=8', help: pairHelp(text) }]);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** How to write a word without `=`. It may be a secret value. */
function pairHelp(text: string): string {
  const [, name = 'NAME'] = /^([a-z]\w*):/.exec(text) ?? [];
  return `write -i ${name}=VALUE`;
}

function inputsFile(file: string): InputsFile {
  let text: string;
  try {
    text = read(file, true);
  } catch (error) {
    throw new RecipeError([{ code: 'command-line', message: `cannot read the inputs in ${file}: ${reasonOf(error)}` }]);
  }
  const texts = file.endsWith('.env');
  const { document, diagnostics } = (texts ? parseDotenv : parseDocument)({ file, path: resolve(file), text, isPrivate: true });
  if (document === undefined || diagnostics.length > 0) throw new RecipeError(texts ? diagnostics : diagnostics.map((each) => withoutValues(each, text)));
  return { document, texts };
}

/** The diagnostic for a file of values, which may be secret: it quotes nothing, and has no word, from the file. */
function withoutValues({ code, message, span }: Diagnostic, text: string): Diagnostic {
  const [first = ''] = message.split('\n');
  const masked = first.replace(/"[^"]*"/g, (quoted) => (/^"\W"$/.test(quoted) ? quoted : '"…"'));
  const isHarmless = !masked.split(/[^\w]+/).some((word) => word.length > 2 && text.includes(word));
  return { code, message: isHarmless ? masked : 'this line is not valid YAML', span };
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message;
}

/** The shortest path to a file from the working directory. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('../../') ? path : near;
}
