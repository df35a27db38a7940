import { dirname, resolve } from 'node:path';
import { type Diagnostic, RecipeError } from './diagnostic.js';
import { parseDocument } from './document.js';
import { faultOfInput } from './inputs.js';
import type { Language } from './kind.js';
import { type ReadText, readRecipe } from './read_recipe.js';
import type { Include, Recipe } from './recipe.js';
import type { Source } from './source.js';
import { hintFor } from './suggest.js';
import { referencesIn, render } from './values.js';

/** A recipe in its place among those that include it. One file may be several modules. */
export interface Module {
  /** What stands before the names of its tasks: empty for the recipe itself, else e.g. `ami`. */
  readonly namespace: string;
  readonly recipe: Recipe;
  readonly parent?: { readonly module: Module; readonly include: Include };
  readonly children: ReadonlyMap<string, Module>;
}

/**
 * Loads a recipe and all it includes, each checked by itself; gives the faults of every file too.
 * @param file as it was named by the user; it is shown in messages.
 * @throws RecipeError when it is not even the outline of a recipe.
 * @throws what `read` throws for the file itself.
 */
export function loadModule(
  file: string,
  language: Language,
  read: ReadText,
  show: (path: string) => string = (path) => path,
): { module: Module; faults: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const path = resolve(file);
  const source = { file, path, text: read(path) };
  const loader = new Loader(language, read, show, diagnostics);
  const module = loader.module(source, '', [path]);
  if (module === undefined || loader.unreadable) throw new RecipeError(diagnostics);
  return { module, faults: diagnostics };
}

/** The folder of a recipe: relative paths in it are relative to this. */
export function folderOf({ recipe }: Pick<Module, 'recipe'>): string {
  return dirname(recipe.document.source.path);
}

/** The id of a task as seen from the recipe that is run. */
export function taskId(module: Module, name: string): string {
  return module.namespace === '' ? name : `${module.namespace}.${name}`;
}

class Loader {
  /** Whether a library could not be read, so that names in it cannot be told from names that are wrong. */
  unreadable = false;

  constructor(
    private readonly language: Language,
    private readonly read: ReadText,
    private readonly show: (path: string) => string,
    private readonly diagnostics: Diagnostic[],
  ) {}

  module(source: Source, namespace: string, trail: readonly string[], parent?: { module: Module; include: Include }): Module | undefined {
    const { document, diagnostics } = parseDocument(source);
    this.diagnostics.push(...diagnostics);
    const recipe = document && readRecipe(document, this.language, this.read, this.diagnostics);
    if (recipe === undefined) return undefined;
    const children = new Map<string, Module>();
    const module: Module = { namespace, recipe, children, ...(parent ? { parent } : {}) };
    if (parent !== undefined) this.checkInputs(recipe, parent.include);
    for (const [name, include] of recipe.includes) {
      const child = this.include(module, name, include, trail);
      if (child !== undefined) children.set(name, child);
      else this.unreadable = true;
    }
    return module;
  }

  private include(module: Module, name: string, include: Include, trail: readonly string[]): Module | undefined {
    const path = resolve(folderOf(module), include.recipe);
    const span = include.at.document.spanOf(`${include.at.pointer}/recipe`);
    if (trail.includes(path)) {
      const files = [...trail.slice(trail.indexOf(path)), path].map(this.show);
      this.diagnostics.push({ code: 'include', message: `recipes include each other: ${files.join(' -> ')}`, span });
      return undefined;
    }
    let text: string;
    try {
      text = this.read(path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const reason = code === 'ENOENT' ? 'there is no such file' : String((error as Error).message);
      this.diagnostics.push({ code: 'include', message: `cannot read "${include.recipe}": ${reason}`, span, help: `looked for ${this.show(path)}` });
      return undefined;
    }
    const namespace = module.namespace === '' ? name : `${module.namespace}.${name}`;
    return this.module({ file: this.show(path), path, text }, namespace, [...trail, path], { module, include });
  }

  /** Checks what an include gives against the inputs its library declares. */
  private checkInputs(library: Recipe, include: Include): void {
    const { document, pointer } = include.at;
    for (const [name, value] of include.with) {
      const declared = library.inputs.get(name);
      const at = `${pointer}/with/${name}`;
      if (declared === undefined) {
        this.diagnostics.push({
          code: 'unknown-input',
          message: `the library has no input "${name}"`,
          span: document.keySpanOf(at),
          help: hintFor(name, [...library.inputs.keys()]),
        });
      } else if (referencesIn(value).length === 0) {
        const plain = render(value, () => null);
        const fault = plain === null ? undefined : faultOfInput(plain, declared);
        if (fault !== undefined) this.diagnostics.push({ code: 'input', message: `input "${name}" ${fault}`, span: document.spanOf(at) });
      }
    }
    for (const [name, declared] of library.inputs) {
      const given = include.with.get(name);
      if (!declared.required || declared.default !== undefined || (given !== undefined && !(given.type === 'literal' && given.value === null))) continue;
      this.diagnostics.push({
        code: 'missing-key',
        message: `the library needs the input "${name}"`,
        span: document.keySpanOf(pointer),
        help: declared.description ?? `give it in "with"`,
        notes: [{ message: 'declared here', span: library.document.keySpanOf(`/inputs/${name}`) }],
      });
    }
  }
}
