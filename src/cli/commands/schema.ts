import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from 'commander';
import { RecipeError } from '../../dsl/diagnostics/diagnostic.js';
import type { Module } from '../../dsl/recipe/module.js';
import { expandMatrices } from '../../dsl/resolve/matrix.js';
import { schemaOfRecipe } from '../../dsl/schema/for_recipe.js';
import { schema as general } from '../../tasks/validators.js';
import { defaultFile } from '../default_recipe.js';
import { outlineOf } from '../recipe_file.js';
import { print, printError, printJson } from '../terminal/output.js';
import type { Verb } from '../verbs.js';

/** Declares `chrootfile schema`. */
export const verb: Verb = (program) => {
  program
    .command('schema')
    .description('print the JSON Schema of recipes, or of one recipe with its own names, or write it for editors')
    .argument('[files...]', 'recipe files')
    .addOption(new Option('--write', 'write .chrootfile/NAME.schema.json next to each recipe (default: chrootfile.yml)').default(false))
    .addOption(new Option('--watch', 'write it, and write it again whenever a recipe or one of its libraries changes, until Ctrl-C').default(false))
    .addHelpText(
      'after',
      '\nExamples:\n  chrootfile schema > recipe.schema.json\n  chrootfile schema --write recipes/*.yml\n  chrootfile schema --watch web.yml',
    )
    .action(schema);
};

/** The folder for schemas, next to each recipe. */
const folderName = '.chrootfile';

/**
 * `chrootfile schema`: the JSON Schema of recipes, for editors; with `--write`, one of this version for each recipe
 * beside it; with `--watch`, it writes them again whenever a recipe or one of its libraries changes, until the program ends.
 */
async function schema(files: readonly string[], { write, watch }: { readonly write: boolean; readonly watch: boolean }): Promise<void> {
  if (!write && !watch) return printJson(files[0] === undefined ? general : schemaOfRecipe(general, expanded(outlineOf(files[0]).module)));
  // Only in this folder: nothing must be written to one above.
  const wanted = files.length > 0 ? files : existsSync(defaultFile) ? [defaultFile] : [];
  if (wanted.length === 0) return print(writeGeneral('.'));
  const all = wanted.map((file) => {
    const made = writeAndPrint(file);
    printFirstLine(file);
    return made;
  });
  if (watch) await Promise.all(all.map(writeWhenChanged));
}

/** A schema that was written, the files it was made from, and their state then. */
interface Written {
  readonly file: string;
  readonly sources: readonly string[];
  readonly state: string;
}

function writeAndPrint(file: string): Written {
  const { written, sources } = writeFor(file);
  const state = stateOf(sources);
  print(written);
  return { file, sources, state };
}

/** Polling interval in milliseconds. Files are polled by path, since editors replace a file when they save it. */
const lookEveryMs = 500;

/** Writes the schema of a recipe again whenever a file that it was made from changes, until the program ends. */
async function writeWhenChanged(last: Written): Promise<never> {
  for (;;) {
    await sleep(lookEveryMs);
    const state = stateOf(last.sources);
    if (state === last.state) continue;
    try {
      last = writeAndPrint(last.file);
    } catch (error) {
      // The recipe may be unfinished: the last good schema stays.
      if (!(error instanceof RecipeError)) printError((error as Error).message);
      last = { ...last, state };
    }
  }
}

/** When files last changed; missing files count as `none`. */
function stateOf(files: readonly string[]): string {
  return files.map((file) => statSync(file, { bigint: true, throwIfNoEntry: false })?.ctimeNs ?? 'none').join();
}

/** The editor line of a recipe whose schema is written beside it. */
export function editorLine(file: string): string {
  return `# yaml-language-server: $schema=${folderName}/${schemaName(file)}`;
}

/** Writes the schema of all recipes into a folder's `.chrootfile`; gives its path. */
export function writeGeneral(folder: string): string {
  return writeJson(join(folder, folderName, 'recipe.schema.json'), general);
}

/** Writes the schema of one recipe beside it; gives its path, and the files it was made from. */
export function writeFor(file: string): { written: string; sources: string[] } {
  const module = expanded(outlineOf(file).module);
  const written = writeJson(join(dirname(file), folderName, schemaName(file)), schemaOfRecipe(general, module));
  return { written, sources: filesOf(module) };
}

function expanded(module: Module): Module {
  // "check" reports errors in matrices; here they only leave out instances.
  expandMatrices(
    module,
    { inputs: new Map([...module.recipe.inputs].map(([name, input]) => [name, input.default])), environment: (name) => process.env[name] },
    [],
  );
  return module;
}

function filesOf(module: Module): string[] {
  return [module.recipe.document.source.path, ...[...module.children.values()].flatMap(filesOf)];
}

function schemaName(file: string): string {
  return `${basename(file).replace(/\.ya?ml$/, '')}.schema.json`;
}

function writeJson(path: string, value: unknown): string {
  const text = `${JSON.stringify(value)}\n`;
  mkdirSync(dirname(path), { recursive: true });
  // Editors reload it when it changes.
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  return relative('.', path);
}

function printFirstLine(file: string): void {
  const line = editorLine(file);
  if (!readFileSync(file, 'utf8').includes(line)) printError(`${file}: to use it in editors, begin the recipe with this line:`, `  ${line}`);
}
