import { basename } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { diagnosticsOf } from '../diagnostics/schema_errors.js';
import { type ParsedDocument, pointerStep } from '../syntax/document.js';
import { reservedNames } from '../syntax/lexical.js';
import { errorOfPattern } from '../syntax/linear_pattern.js';
import type { Span } from '../syntax/source.js';
import { helperNames } from '../syntax/template_helpers.js';
import { below, checkTexts, type Place, readUntyped, readValue, readValues } from '../syntax/values.js';
import { article, asType, errorOfInput, type InputDeclaration, isValueType } from './inputs.js';
import type { Language } from './kind.js';
import { misindentedKeys } from './misindented_keys.js';
import { type CacheText, checkShell, type DefaultsText, type ReadText, TaskReader, type TaskText } from './read_task.js';
import type { Cloud, Recipe, Variable } from './types.js';

/** Checks a document against the language and returns the recipe in it; all errors are added to `diagnostics`. */
export function readRecipe(document: ParsedDocument, language: Language, read: ReadText, diagnostics: Diagnostic[]): Recipe | undefined {
  const errors = language.validateRecipe(document.value);
  const misindented = errors.length === 0 ? [] : misindentedKeys(document);
  if (misindented.length > 0) {
    // Every other error may follow from these.
    diagnostics.push(...misindented);
    return undefined;
  }
  diagnostics.push(...diagnosticsOf(errors, document, language.kinds));
  // If the outline is broken, reading stops; after other errors it continues, to find more.
  const broken = errors.some(({ keyword, instancePath }) => keyword === 'type' && outline.test(instancePath));
  if (broken || typeof document.value !== 'object' || document.value === null) return undefined;
  const reader = new Reader(document, language, read, diagnostics, document.value as RecipeText);
  return reader.recipe();
}

/** The places whose types everything else in a recipe builds on. */
const task =
  'uses|with|in|needs(/\\d+)?|before(/\\d+)?|env|shell|retries|outputs(/[^/]+)?|run(/file)?|undo(/run(/file)?)?|strategy(/matrix(/[^/]+(/\\d+)?)?)?|' +
  'preconditions(/\\d+(/sh|/message)?)?|(sources|generates|status|locks)(/\\d+)?';
const outline = new RegExp(
  `^(/(inputs|vars|includes|env|tasks|goals|outputs|cloud|name|defaults)(/[^/]*)?|/inputs/[^/]*/(type|pattern|enum)|/cloud/assume_role|/includes/[^/]*/(recipe|with)|/tasks/[^/]*/(${task}))?$`,
);

interface RecipeText {
  readonly name?: string;
  readonly description?: string;
  readonly cloud?: Cloud;
  readonly cache?: CacheText;
  readonly inputs?: Record<string, InputDeclaration>;
  readonly vars?: Record<string, unknown>;
  readonly includes?: Record<string, { recipe: string; with?: object }>;
  readonly env?: object;
  readonly defaults?: DefaultsText;
  readonly tasks?: Record<string, TaskText>;
  readonly goals?: readonly string[];
  readonly outputs?: object;
}

const patternHelp = 'for a fixed set of values write enum: [VALUE, VALUE]; \\ before a sign makes it part of the text';

class Reader {
  private readonly root: Place;

  constructor(
    private readonly document: ParsedDocument,
    private readonly language: Language,
    private readonly read: ReadText,
    private readonly diagnostics: Diagnostic[],
    private readonly text: RecipeText,
  ) {
    this.root = { document, pointer: '' };
  }

  recipe(): Recipe {
    const { text, root, diagnostics } = this;
    this.checkNames();
    checkShell(text.defaults?.shell, below(below(root, 'defaults'), 'shell'), diagnostics);
    const tasks = new TaskReader(this.document, this.language, this.read, diagnostics, text.defaults ?? {});
    return {
      document: this.document,
      name: text.name ?? basename(this.document.source.file).replace(/\.[^.]*$/, ''),
      description: text.description,
      cloud: text.cloud,
      cache: tasks.cache(text.cache, root),
      inputs: this.inputs(),
      vars: this.vars(),
      includes: new Map(
        Object.entries(text.includes ?? {}).map(([name, include]) => {
          const at = below(below(root, 'includes'), name);
          return [name, { recipe: String(include?.recipe ?? ''), with: readValues(include?.with, below(at, 'with'), diagnostics), at }];
        }),
      ),
      env: readUntyped(text.env, below(root, 'env'), diagnostics),
      tasks: new Map(Object.entries(text.tasks ?? {}).map(([name, task]) => [name, tasks.task(name, task)])),
      goals: text.goals?.map((name, i) => ({ name, at: below(below(root, 'goals'), i) })),
      outputs: readUntyped(text.outputs, below(root, 'outputs'), diagnostics),
    };
  }

  /** Includes, tasks and outputs share one name space, in which some names are reserved. */
  private checkNames(): void {
    const seen = new Map<string, { readonly name: string; readonly span: Span }>();
    for (const section of ['includes', 'tasks', 'outputs'] as const) {
      for (const name of Object.keys(this.text[section] ?? {})) {
        const span = this.document.keySpanOf(`/${section}${pointerStep(name)}`);
        // Readers confuse names that differ only in - and _.
        const read = name.replaceAll('-', '_');
        const other = seen.get(read);
        if (reservedNames.has(name) || helperNames.includes(name))
          this.refuseName(span, `"${name}" is a reserved name`, name === 'default' ? 'rename it; the tasks to run by default are goals: [NAME]' : 'rename it');
        else if (name.startsWith('else-')) this.refuseName(span, `"${name}" begins with "else-", which templates read as "else"`, 'rename it');
        else if (other?.name === name)
          this.refuseName(span, `the name "${name}" is used twice`, 'includes, tasks and outputs share one name space', {
            message: 'first used here',
            span: other.span,
          });
        else if (other !== undefined)
          this.refuseName(span, `"${name}" and "${other.name}" differ only in - and _`, 'rename one of them', { message: 'the other name', span: other.span });
        if (other === undefined) seen.set(read, { name, span });
      }
    }
  }

  private refuseName(span: Span, message: string, help: string, ...notes: NonNullable<Diagnostic['notes']>): void {
    this.diagnostics.push({ code: 'name', message, span, help, ...(notes.length > 0 ? { notes } : {}) });
  }

  private inputs(): Map<string, InputDeclaration> {
    const inputs = new Map(Object.entries(this.text.inputs ?? {}));
    for (const [name, declared] of inputs) {
      const pointer = `/inputs/${name}`;
      this.checkLimits(name, declared);
      const wrong = declared.pattern === undefined ? undefined : errorOfPattern(declared.pattern);
      if (wrong !== undefined) {
        this.diagnostics.push({ code: 'pattern', message: wrong, span: this.document.spanOf(`${pointer}/pattern`), help: patternHelp });
        const { pattern: _, ...rest } = declared;
        inputs.set(name, rest);
      } else if (declared.default !== undefined && declared.type !== undefined) {
        const error = errorOfInput(declared.default, declared);
        if (error !== undefined) {
          const right = asType(declared.default, declared.type);
          const isNull = declared.default === null;
          const help = isNull
            ? 'remove "default": an input without a value is null'
            : right === declared.default
              ? declared.description
              : `write ${JSON.stringify(right)}`;
          this.diagnostics.push({ code: 'input', message: `the default of input "${name}" ${error}`, span: this.document.spanOf(`${pointer}/default`), help });
        }
      }
    }
    return inputs;
  }

  /** Reports a rule that says nothing about values of the type. */
  private checkLimits(name: string, declared: InputDeclaration): void {
    const isText = declared.type === 'string' || declared.type === 'path';
    const isNumber = declared.type === 'integer' || declared.type === 'number';
    for (const key of ['pattern', 'minimum', 'maximum'] as const) {
      if (declared[key] === undefined || !isValueType(declared.type) || (key === 'pattern' ? isText : isNumber)) continue;
      this.diagnostics.push({
        code: 'exclusive',
        message: `"${key}" does not apply to ${article(declared.type)}`,
        span: this.document.keySpanOf(`/inputs/${name}/${key}`),
        help: isText ? 'write pattern: REGULAR-EXPRESSION' : isNumber ? 'write minimum: NUMBER, maximum: NUMBER' : `remove "${key}"`,
      });
    }
  }

  private vars(): Map<string, Variable> {
    const at = below(this.root, 'vars');
    const vars = new Map(
      Object.entries(this.text.vars ?? {}).map(([name, plain]): [string, Variable] => {
        const sh = typeof plain === 'object' && plain !== null && Object.keys(plain).join() === 'sh' ? (plain as { sh: unknown }).sh : undefined;
        const place = below(at, name);
        if (sh !== undefined && typeof sh !== 'string') {
          this.diagnostics.push({
            code: 'type',
            message: 'must be a string',
            span: this.document.spanOf(below(place, 'sh').pointer),
            help: Array.isArray(sh) ? `write {sh: ${JSON.stringify(sh.join(' '))}}` : 'the command whose output is the value',
          });
        }
        return sh === undefined
          ? [name, { sh: false, value: readValue(plain, place, this.diagnostics) }]
          : [name, { sh: true, value: readValue(String(sh), below(place, 'sh'), this.diagnostics) }];
      }),
    );
    for (const { value } of vars.values()) checkTexts(value, this.diagnostics);
    return vars;
  }
}
