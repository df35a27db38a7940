import { basename, dirname, join, resolve } from 'node:path';
import { type Diagnostic, RecipeError } from '../diagnostics/diagnostic.js';
import { hintFor } from '../diagnostics/suggest.js';
import { parseDocument } from '../syntax/document.js';
import { limits, limitText } from '../syntax/limits.js';
import { hasKeys, type Source, type Span, unixText } from '../syntax/source.js';
import { referencesIn, render } from '../syntax/values.js';
import { builtInLibraries, builtInReference } from './built_in.js';
import { errorOfInput } from './inputs.js';
import type { Language } from './kind.js';
import { readRecipe } from './read_recipe.js';
import type { Include, Recipe } from './types.js';

/** A recipe in its place among those that include it. One file may be several modules. */
export interface Module {
  /** The prefix of the names of its tasks: empty for the recipe itself, else e.g. `ami`. */
  readonly namespace: string;
  readonly recipe: Recipe;
  readonly parent?: { readonly module: Module; readonly include: Include };
  readonly children: ReadonlyMap<string, Module>;
  /** The instances of its tasks with a matrix, by the name of the task. */
  readonly instances: ReadonlyMap<string, readonly Instance[]>;
  /** Where this is the module as one instance of a task sees it: that instance. */
  readonly instance?: Instance;
}

/** One of the tasks that a matrix creates from one. */
export interface Instance {
  /** The suffix of the name of the task, e.g. `[arch=arm64]`. */
  readonly key: string;
  /** The values of `{{ matrix.x }}`; null for axes that only other instances have. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The names that tell the instances apart. */
  readonly axes: readonly string[];
  /** Whether it represents instances that are unknown because of an error in the matrix. */
  readonly unknown?: boolean;
}

/** Access to the files of libraries. */
export interface Libraries {
  /** The text of a file by its absolute path; `isTyped` is true for the one that the user named, and false for those that recipes name. Throws like `fs.readFileSync`. */
  read(path: string, isTyped?: boolean): string;
  /** The folder of the built-in libraries. */
  readonly builtIn: string;
  /**
   * The path of a file in an npm package, as Node resolves it from a folder.
   * @throws Error if the package or the file in it does not exist.
   */
  resolvePackage(name: string, folder: string): string;
  /** A path as it is shown in messages. */
  show(path: string): string;
}

/**
 * Loads a recipe and all it includes, each checked by itself; also returns the errors of every file.
 * @param file as named by the user; it is shown in messages.
 * @throws RecipeError if the file does not have the outline of a recipe.
 * @throws what `libraries.read` throws for the file itself.
 */
export function loadModule(file: string, language: Language, libraries: Libraries): { module: Module; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const path = resolve(file);
  const source = { file, path, text: libraries.read(path, true) };
  const loader = new Loader(language, libraries, diagnostics);
  const module = loader.module(source, '', [path]);
  if (module === undefined || loader.unreadable) throw new RecipeError(diagnostics);
  return { module, diagnostics };
}

/** The folder of a recipe: relative paths in it are relative to this. */
export function folderOf({ recipe }: Pick<Module, 'recipe'>): string {
  return dirname(recipe.document.source.path);
}

/** The id of a task, or of one of its instances, as seen from the top-level recipe. */
export function taskId(module: Module, name: string, instance?: Instance): string {
  return `${module.namespace === '' ? name : `${module.namespace}.${name}`}${instance?.key ?? ''}`;
}

/** The name of a package and a file in it. Source: npm, package.json, "name". */
const packagePattern = /^((?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*)\/.+\.ya?ml$/;

/** The key of the instance with these values; axes without a value do not count. */
export function instanceKey(axes: readonly string[], values: Readonly<Record<string, unknown>>): string {
  const known = axes.filter((axis) => values[axis] !== undefined && values[axis] !== null);
  return `[${known.map((axis) => `${axis}=${String(values[axis])}`).join(',')}]`;
}

/** How to include a built-in library, if a missing file has its name. */
function shippedInstead(path: string): string {
  const name = basename(path).replace(/\.ya?ml$/, '');
  return Object.hasOwn(builtInLibraries, name) ? `; the built-in library is recipe: "${builtInReference(name)}"` : '';
}

class Loader {
  /** Whether a library could not be read, so that references to its names cannot be checked. */
  unreadable = false;
  /** What may still be read: libraries, characters, values. */
  private readonly left = { modules: limits.modules + 1, characters: limits.fileBytes, values: limits.values };

  private readonly scripts = new Map<string, string>();

  constructor(
    private readonly language: Language,
    private readonly libraries: Libraries,
    private readonly diagnostics: Diagnostic[],
  ) {}

  module(source: Source, namespace: string, trail: readonly string[], parent?: { module: Module; include: Include }): Module | undefined {
    const { left } = this;
    left.modules -= 1;
    left.characters -= source.text.length;
    const { document, diagnostics } = parseDocument(source, left.values);
    left.values -= document?.size ?? 0;
    this.diagnostics.push(...diagnostics);
    const recipe = document && readRecipe(document, this.language, (path) => this.script(path), this.diagnostics);
    if (recipe === undefined) return undefined;
    const children = new Map<string, Module>();
    const module: Module = { namespace, recipe, children, instances: new Map(), ...(parent ? { parent } : {}) };
    if (parent !== undefined) this.checkInputs(recipe, parent.include);
    for (const [name, include] of recipe.includes) {
      if (this.left.modules < 0) break;
      const child = this.include(module, name, include, trail);
      if (child !== undefined) children.set(name, child);
      else this.unreadable = true;
    }
    return module;
  }

  /** The text of a script file, read once for all tasks. */
  private script(path: string): string {
    const known = this.scripts.get(path);
    if (known !== undefined) return known;
    const tooMuch = () => new Error(`a recipe has at most ${limitText(limits.fileBytes)} with all its libraries and script files`);
    if (this.left.characters < 0) throw tooMuch();
    const text = unixText(this.libraries.read(path));
    this.left.characters -= text.length;
    if (this.left.characters < 0) throw tooMuch();
    this.scripts.set(path, text);
    return text;
  }

  private include(module: Module, name: string, include: Include, trail: readonly string[]): Module | undefined {
    const { libraries, diagnostics } = this;
    // The schema reports that it is missing.
    if (include.recipe === '') return undefined;
    const span = include.at.document.spanOf(`${include.at.pointer}/recipe`);
    const path = include.recipe.includes('{{') ? this.isTemplate(span) : this.pathOf(include, folderOf(module), span);
    if (path === undefined) return undefined;
    if (trail.includes(path)) {
      const files = [...trail.slice(trail.indexOf(path)), path].map((file) => libraries.show(file));
      diagnostics.push({ code: 'include', message: `recipes include each other: ${files.join(' -> ')}`, span, help: 'remove one of these includes' });
      return undefined;
    }
    if (trail.length > limits.includeDepth) {
      diagnostics.push({ code: 'limit', message: `libraries include each other at most ${limits.includeDepth} deep`, span });
      return undefined;
    }
    let text: string;
    try {
      text = libraries.read(path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : String((error as Error).message);
      diagnostics.push({
        code: 'include',
        message: `cannot read "${include.recipe}": ${reason}`,
        span,
        help: code === 'EISDIR' ? 'name a file in it, such as ./lib.yml' : `looked for ${libraries.show(path)}${shippedInstead(path)}`,
      });
      return undefined;
    }
    // Not parsed: messages must not show anything of a file that is not a recipe.
    if (!hasKeys(text, 'version', 'tasks')) {
      const help = 'a library has the keys "version" and "tasks"';
      diagnostics.push({ code: 'include', message: `"${include.recipe}" is not a recipe`, span, help });
      return undefined;
    }
    if (this.left.modules === 0 || this.left.characters < text.length) {
      const most = this.left.modules === 0 ? `${limitText(limits.modules)} libraries` : `${limitText(limits.fileBytes)} of libraries and script files`;
      diagnostics.push({ code: 'limit', message: `a recipe includes at most ${most}, each counted as often as it is included`, span });
      // Reported once: it holds for all includes that follow.
      this.left.modules = -1;
      return undefined;
    }
    const namespace = module.namespace === '' ? name : `${module.namespace}.${name}`;
    return this.module({ file: libraries.show(path), path, text, includedAt: span }, namespace, [...trail, path], { module, include });
  }

  private isTemplate(span: Span): undefined {
    const help = 'write the path; what differs can be an input of the library';
    this.diagnostics.push({ code: 'include', message: 'the path of a library cannot be a template', span, help });
  }

  /** The file of an include; undefined, and reported, if it is invalid. */
  private pathOf({ recipe }: Include, folder: string, span: Span): string | undefined {
    const [, inPackage] = /^npm:(.*)$/s.exec(recipe) ?? [];
    const [, name] = packagePattern.exec(inPackage ?? '') ?? [];
    const report = (message: string, help?: string) => this.diagnostics.push({ code: 'package', message, span, help });
    const [, builtIn] = /^chrootfile:(.*)$/s.exec(recipe) ?? [];
    if (builtIn !== undefined) {
      if (Object.hasOwn(builtInLibraries, builtIn)) return join(this.libraries.builtIn, `${builtIn}.yml`);
      const names = Object.keys(builtInLibraries);
      report(`unknown built-in library "${builtIn}"`, hintFor(builtIn.replace(/\.ya?ml$/, ''), names));
    } else if (inPackage === undefined) {
      const [, scheme] = /^([a-z+]+):/.exec(recipe) ?? [];
      if (scheme === undefined) return resolve(folder, recipe);
      report(`a library is a file, built in, or in an npm package, not "${scheme}:"`, 'install it with npm and write npm:PACKAGE/FILE');
    } else if (name === undefined || inPackage.split('/').includes('..')) {
      report('this is not a file of an npm package', 'e.g. npm:@acme/images/base.yml');
    } else {
      try {
        return this.libraries.resolvePackage(inPackage, folder);
      } catch (error) {
        const why = (error as Error).message.split('\n')[0];
        report(`cannot find "${inPackage}" from ${this.libraries.show(folder) || '.'}: ${why}`, `npm install ${name}`);
      }
    }
    return undefined;
  }

  /** Checks the values that an include sets against the inputs that its library declares. */
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
        const error = plain === null ? undefined : errorOfInput(plain, declared);
        const isText = declared.type === 'string' && (typeof plain === 'number' || typeof plain === 'boolean');
        const help = isText ? `write "${document.writtenAt(at)}"` : declared.description;
        if (error !== undefined) this.diagnostics.push({ code: 'input', message: `input "${name}" ${error}`, span: document.spanOf(at), help });
      }
    }
    for (const [name, declared] of library.inputs) {
      const given = include.with.get(name);
      if (!declared.required || declared.default !== undefined || (given !== undefined && !(given.type === 'literal' && given.value === null))) continue;
      this.diagnostics.push({
        code: 'missing-input',
        message: `the library requires the input "${name}"`,
        span: document.keySpanOf(pointer),
        help: declared.description ?? `set it under "with"`,
        notes: [{ message: 'declared here', span: library.document.keySpanOf(`/inputs/${name}`) }],
      });
    }
  }
}
