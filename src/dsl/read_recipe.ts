import { basename, dirname, resolve } from 'node:path';
import type { Diagnostic } from './diagnostic.js';
import { type ParsedDocument, pointerStep } from './document.js';
import { diagnosticsOf } from './faults.js';
import { faultOfInput, type InputDeclaration, type ValueType } from './inputs.js';
import type { KindDeclaration, Language } from './kind.js';
import type { Action, Cloud, Recipe, Task, Variable } from './recipe.js';
import { helperNames } from './template.js';
import { below, type Place, readValue, readValues, type Value } from './values.js';
import { durationMs, durationPattern, reservedNames } from './words.js';

/** Reads a text by its absolute path; throws as `fs.readFileSync` does. */
export type ReadText = (path: string) => string;

/** Checks a document against the language and gives the recipe in it; all faults are added to `diagnostics`. */
export function readRecipe(document: ParsedDocument, language: Language, read: ReadText, diagnostics: Diagnostic[]): Recipe | undefined {
  const faults = language.validateRecipe(document.value);
  diagnostics.push(...diagnosticsOf(faults, document));
  // What is not a map of maps cannot be read further; other faults leave enough to look for more.
  const broken = faults.some(({ keyword, instancePath }) => keyword === 'type' && outline.test(instancePath));
  if (broken || typeof document.value !== 'object' || document.value === null) return undefined;
  const reader = new Reader(document, language, read, diagnostics, document.value as RecipeText);
  return reader.recipe();
}

/** The places whose types everything else in a recipe builds on. */
const outline =
  /^(\/(inputs|vars|includes|env|tasks|goals|outputs|cloud|name)(\/[^/]+)?|\/inputs\/[^/]+\/pattern|\/includes\/[^/]+\/(recipe|with)|\/tasks\/[^/]+\/(uses|with|in|needs(\/\d+)?|before(\/\d+)?|env|shell|retries|outputs(\/[^/]+)?|run(\/file)?|undo(\/run(\/file)?)?))?$/;

interface RecipeText {
  readonly name?: string;
  readonly description?: string;
  readonly cloud?: Cloud;
  readonly inputs?: Record<string, InputDeclaration>;
  readonly vars?: Record<string, unknown>;
  readonly includes?: Record<string, { recipe: string; with?: object }>;
  readonly env?: object;
  readonly tasks?: Record<string, TaskText>;
  readonly goals?: readonly string[];
  readonly outputs?: object;
}

/** A script, or the file it is in. */
type ScriptText = string | { readonly file: string };

interface TaskText {
  readonly description?: string;
  readonly uses?: string;
  readonly with?: object;
  readonly run?: ScriptText;
  readonly in?: string;
  readonly needs?: readonly string[];
  readonly before?: readonly string[];
  readonly if?: boolean | string;
  readonly env?: object;
  readonly dir?: string;
  readonly shell?: readonly string[];
  readonly timeout?: string;
  readonly retries?: number | { limit: number; delay?: string; backoff?: number };
  readonly continue_on_error?: boolean;
  readonly outputs?: Record<string, { type?: ValueType; secret?: boolean } | null>;
  readonly undo?: { run: ScriptText; when?: 'failure' | 'always' };
  readonly internal?: boolean;
  readonly template?: boolean;
}

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
    return {
      document: this.document,
      name: text.name ?? basename(this.document.source.file).replace(/\.[^.]*$/, ''),
      description: text.description,
      cloud: text.cloud,
      inputs: this.inputs(),
      vars: this.vars(),
      includes: new Map(
        Object.entries(text.includes ?? {}).map(([name, include]) => {
          const at = below(below(root, 'includes'), name);
          return [name, { recipe: String(include?.recipe ?? ''), with: readValues(include?.with, below(at, 'with'), diagnostics), at }];
        }),
      ),
      env: readValues(text.env, below(root, 'env'), diagnostics),
      tasks: new Map(Object.entries(text.tasks ?? {}).map(([name, task]) => [name, this.task(name, task)])),
      goals: text.goals?.map((name, i) => ({ name, at: below(below(root, 'goals'), i) })),
      outputs: readValues(text.outputs, below(root, 'outputs'), diagnostics),
    };
  }

  /** Includes, tasks and outputs share one name space; some names have a meaning of their own. */
  private checkNames(): void {
    const seen = new Map<string, string>();
    for (const section of ['includes', 'tasks', 'outputs'] as const) {
      for (const name of Object.keys(this.text[section] ?? {})) {
        const span = this.document.keySpanOf(`/${section}${pointerStep(name)}`);
        const other = seen.get(name);
        if (reservedNames.has(name) || helperNames.includes(name)) {
          this.diagnostics.push({ code: 'name', message: `"${name}" has a meaning of its own in templates`, span, help: 'take another name' });
        } else if (other !== undefined) {
          this.diagnostics.push({
            code: 'name',
            message: `"${name}" is the name of two things`,
            span,
            help: 'includes, tasks and outputs share one name space',
            notes: [{ message: 'the other one', span: this.document.keySpanOf(`/${other}${pointerStep(name)}`) }],
          });
        }
        seen.set(name, section);
      }
    }
  }

  private inputs(): Map<string, InputDeclaration> {
    const inputs = new Map(Object.entries(this.text.inputs ?? {}));
    for (const [name, declared] of inputs) {
      const pointer = `/inputs/${name}`;
      if (declared.pattern !== undefined && !isPattern(declared.pattern)) {
        this.diagnostics.push({ code: 'value', message: 'this is not a regular expression', span: this.document.spanOf(`${pointer}/pattern`) });
      } else if (declared.default !== undefined && declared.type !== undefined) {
        const fault = faultOfInput(declared.default, declared);
        if (fault !== undefined) {
          this.diagnostics.push({ code: 'input', message: `the default of input "${name}" ${fault}`, span: this.document.spanOf(`${pointer}/default`) });
        }
      }
    }
    return inputs;
  }

  private vars(): Map<string, Variable> {
    const at = below(this.root, 'vars');
    return new Map(
      Object.entries(this.text.vars ?? {}).map(([name, plain]): [string, Variable] => {
        const sh = typeof plain === 'object' && plain !== null && Object.keys(plain).join() === 'sh' ? (plain as { sh: unknown }).sh : undefined;
        const place = below(at, name);
        if (sh !== undefined && typeof sh !== 'string') {
          this.diagnostics.push({
            code: 'type',
            message: 'must be a string',
            span: this.document.spanOf(below(place, 'sh').pointer),
            help: 'the command whose output is the value',
          });
        }
        return sh === undefined
          ? [name, { sh: false, value: readValue(plain, place, this.diagnostics) }]
          : [name, { sh: true, value: readValue(String(sh), below(place, 'sh'), this.diagnostics) }];
      }),
    );
  }

  private task(name: string, task: TaskText | null): Task {
    const at = below(below(this.root, 'tasks'), name);
    const text = task ?? {};
    const retries = typeof text.retries === 'number' ? { limit: text.retries } : text.retries;
    return {
      name,
      at,
      description: text.description,
      action: this.action(text, at),
      in: text.in === undefined ? undefined : { name: text.in, at: below(at, 'in') },
      needs: (text.needs ?? []).map((need, i) => ({ name: need, at: below(below(at, 'needs'), i) })),
      before: (text.before ?? []).map((later, i) => ({ name: later, at: below(below(at, 'before'), i) })),
      if: text.if === undefined ? undefined : readValue(text.if, below(at, 'if'), this.diagnostics),
      timeoutMs: this.duration(text.timeout, below(at, 'timeout')),
      retries: {
        limit: retries?.limit ?? 0,
        delayMs: this.duration(retries?.delay, below(below(at, 'retries'), 'delay')) ?? 0,
        backoff: retries?.backoff ?? 1,
      },
      continueOnError: text.continue_on_error ?? false,
      internal: text.internal ?? false,
    };
  }

  private duration(text: string | undefined, at: Place): number | undefined {
    const ms = text === undefined ? undefined : durationMs(text);
    // Texts that are no durations were told already.
    if (ms === undefined && text !== undefined && new RegExp(durationPattern).test(text)) {
      this.diagnostics.push({ code: 'range', message: 'this is longer than 24 days', span: this.document.spanOf(at.pointer) });
    }
    return ms;
  }

  private action(text: TaskText, at: Place): Action {
    const kind = this.language.kinds.get(text.uses ?? '');
    if (kind !== undefined) {
      this.checkNulls(kind, text.with, below(at, 'with'));
      return { type: 'kind', kind, with: readValues(text.with, below(at, 'with'), this.diagnostics) };
    }
    if (text.uses !== undefined) return { type: 'unknown' };
    if (text.run === undefined) {
      const known = ['description', 'needs', 'before', 'if', 'internal', 'continue_on_error'];
      const more = Object.keys(text).filter((key) => !known.includes(key));
      for (const key of more.filter((k) => ['in', 'timeout', 'retries'].includes(k))) {
        this.diagnostics.push({
          code: 'exclusive',
          message: `"${key}" does not stand without "run" or "uses"`,
          span: this.document.keySpanOf(below(at, key).pointer),
        });
      }
      if (more.length > 0) return { type: 'unknown' };
      if (text.needs === undefined) {
        this.diagnostics.push({
          code: 'missing-key',
          message: `task "${at.pointer.split('/').at(-1)}" does nothing`,
          span: this.document.keySpanOf(at.pointer),
          help: 'give it "run", "uses", or as a group of others "needs"',
        });
      }
      return { type: 'group' };
    }
    const script = (plain: ScriptText, key: Place) => this.script(plain, key, text.template !== false);
    return {
      type: 'run',
      script: script(text.run, below(at, 'run')),
      shell: text.shell,
      dir: text.dir === undefined ? undefined : readValue(text.dir, below(at, 'dir'), this.diagnostics),
      env: readValues(text.env, below(at, 'env'), this.diagnostics),
      outputs: new Map(
        Object.entries(text.outputs ?? {}).map(([name, declared]) => [name, { type: declared?.type ?? 'string', secret: declared?.secret ?? false }]),
      ),
      undo: text.undo && { script: script(text.undo.run, below(below(at, 'undo'), 'run')), when: text.undo.when ?? 'failure' },
    };
  }

  /** A script of a file is taken as it is: braces mean something else in most of them. */
  private script(plain: ScriptText, at: Place, template: boolean): Value {
    const literal = (text: string): Value => ({ type: 'literal', value: text, at });
    if (typeof plain === 'string') return template ? readValue(plain, at, this.diagnostics) : literal(plain);
    const path = resolve(dirname(this.document.source.path), String(plain.file ?? ''));
    try {
      return literal(this.read(path));
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
      const span = this.document.spanOf(below(at, 'file').pointer);
      this.diagnostics.push({ code: 'script-file', message: `cannot read "${plain.file}": ${reason}`, span, help: 'it is relative to this file' });
      return literal('');
    }
  }

  private checkNulls(kind: KindDeclaration, given: object | undefined, at: Place): void {
    for (const name of kind.params.required ?? []) {
      if ((given as Record<string, unknown> | undefined)?.[name] !== null) continue;
      this.diagnostics.push({ code: 'missing-key', message: `"${name}" must have a value`, span: this.document.keySpanOf(at.pointer + pointerStep(name)) });
    }
  }
}

function isPattern(text: string): boolean {
  try {
    return Boolean(new RegExp(text, 'u'));
  } catch {
    return false;
  }
}
