import { existsSync, mkdirSync, readFileSync, watchFile, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { Option } from 'commander';
import { RecipeError } from '../../dsl/diagnostics/diagnostic.js';
import type { Module } from '../../dsl/recipe/module.js';
import { expandMatrices } from '../../dsl/resolve/matrix.js';
import { schemaOfRecipe } from '../../dsl/schema/for_recipe.js';
import { schema as general } from '../../tasks/validators.js';
import { defaultFile, outlineOf } from '../recipe_file.js';
import { print, printError, printJson } from '../terminal/output.js';
import type { Verb } from '../verbs.js';

/** Declares `chrootfile schema`. */
export const verb: Verb = (program) => {
  program
    .command('schema')
    .description('print the JSON Schema of recipes, or of one recipe with its own names; or write it for editors')
    .argument('[files...]', 'recipe files')
    .addOption(new Option('--write', 'write .chrootfile/NAME.schema.json beside each (default chrootfile.yml)').default(false))
    .addOption(new Option('--watch', 'write it, and again whenever a recipe or a library of it changes').default(false))
    .addHelpText('after', '\nExamples:\n  chrootfile schema > recipe.schema.json\n  chrootfile schema --write recipes/*.yml')
    .action(schema);
};

/** Where schemas of recipes are put: a folder beside each recipe. */
const folderName = '.chrootfile';

/** `chrootfile schema`: the JSON Schema of recipes, for editors; with `--write`, one of this version for each recipe beside it. */
function schema(files: readonly string[], { write, watch }: { readonly write: boolean; readonly watch: boolean }): void {
  if (!write && !watch) return printJson(files[0] === undefined ? general : schemaOfRecipe(general, expanded(outlineOf(files[0]).module)));
  const wanted = files.length > 0 ? files : existsSync(defaultFile) ? [defaultFile] : [];
  if (wanted.length === 0) print(writeGeneral('.'));
  for (const file of wanted) {
    const { written, sources } = writeFor(file);
    print(written);
    tellFirstLine(file);
    if (!watch) continue;
    const watched = new Set<string>();
    const watchAll = (paths: readonly string[]) => {
      for (const path of paths.filter((each) => !watched.has(each))) {
        watched.add(path);
        watchFile(path, { interval: 500 }, again);
      }
    };
    const again = () => {
      try {
        const made = writeFor(file);
        print(made.written);
        watchAll(made.sources);
      } catch (error) {
        // In the middle of typing: the last good one stays.
        if (!(error instanceof RecipeError)) printError((error as Error).message);
      }
    };
    watchAll(sources);
  }
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
  // Faults in matrices are told by check; here they only leave instances out.
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
  // Editors read it again when it changes.
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  return relative('.', path);
}

function tellFirstLine(file: string): void {
  const line = editorLine(file);
  if (!readFileSync(file, 'utf8').includes(line)) printError(`${file}: for editors to use it, begin the recipe with this line:`, `  ${line}`);
}
