import { dirname, resolve } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { type ParsedDocument, pointerStep } from '../syntax/document.js';
import { durationMs, durationPattern } from '../syntax/duration.js';
import { below, type Place, readUntyped, readValue, readValues, type Value } from '../syntax/values.js';
import type { ValueType } from './inputs.js';
import type { KindDeclaration, Language } from './kind.js';
import type { Action, CacheWish, Freshness, Retries, Strategy, Task } from './types.js';

/** Reads a script by its absolute path, its lines ended by LF alone; throws like `fs.readFileSync`. */
export type ReadText = (path: string) => string;

/** A script, or the file it is in. */
type ScriptText = string | { readonly file: string };

type RetriesText = number | { readonly limit: number; readonly delay?: string; readonly backoff?: number };

/** `defaults` as written. */
export interface DefaultsText {
  readonly shell?: readonly string[];
  readonly timeout?: string;
  readonly retries?: RetriesText;
}

/** A task as written. */
export interface TaskText extends DefaultsText {
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
  readonly continue_on_error?: boolean;
  readonly strategy?: { readonly matrix?: Record<string, unknown>; readonly max_parallel?: number };
  readonly preconditions?: readonly { readonly sh?: string; readonly message?: string }[];
  readonly sources?: readonly string[];
  readonly generates?: readonly string[];
  readonly status?: readonly string[];
  readonly locks?: readonly string[];
  readonly outputs?: Record<string, { type?: ValueType; secret?: boolean } | null>;
  readonly undo?: { run: ScriptText; when?: 'failure' | 'always' };
  readonly reopen?: ScriptText;
  readonly cache?: CacheText;
  readonly interactive?: boolean;
  readonly internal?: boolean;
  readonly template?: boolean;
}

/** `cache` as written. */
export type CacheText = boolean | { readonly max_age?: string; readonly layer?: boolean };

/** Keys about the work of a task. They mean nothing for a group, which does no work of its own. */
const workingKeys = ['in', 'timeout', 'retries', 'strategy', 'preconditions', 'locks', 'cache'];

/** Reads the tasks of a recipe; the schema was checked before, and its errors do not stop this. */
export class TaskReader {
  constructor(
    private readonly document: ParsedDocument,
    private readonly language: Language,
    private readonly read: ReadText,
    private readonly diagnostics: Diagnostic[],
    private readonly defaults: DefaultsText,
  ) {}

  task(name: string, task: TaskText | null): Task {
    const at: Place = { document: this.document, pointer: `/tasks${pointerStep(name)}` };
    const text = task ?? {};
    const preset: Place = { document: this.document, pointer: '/defaults' };
    const names = (key: 'needs' | 'before') => (text[key] ?? []).map((other, i) => ({ name: other, at: below(below(at, key), i) }));
    const read: Task = {
      name,
      at,
      description: text.description,
      action: this.action(text, at),
      in: text.in === undefined ? undefined : { name: text.in, at: below(at, 'in') },
      needs: names('needs'),
      before: names('before'),
      if: text.if === undefined ? undefined : this.value(text.if, below(at, 'if')),
      timeoutMs: this.duration(text.timeout, below(at, 'timeout')) ?? this.duration(this.defaults.timeout, below(preset, 'timeout')),
      retries: text.retries === undefined ? this.retries(this.defaults.retries, preset) : this.retries(text.retries, at),
      continueOnError: text.continue_on_error ?? false,
      strategy: text.strategy && this.strategy(text.strategy, below(at, 'strategy')),
      preconditions: (text.preconditions ?? []).map(({ sh, message }, i) => {
        const place = below(below(at, 'preconditions'), i);
        return { sh: this.value(sh, below(place, 'sh')), message: message === undefined ? undefined : this.value(message, below(place, 'message')) };
      }),
      freshness: this.freshness(text, at),
      locks: [...new Set(text.locks ?? [])].sort(),
      cache: this.cache(text.cache, at),
      internal: text.internal ?? false,
    };
    this.checkFreshness(read, text);
    checkShell(text.shell, below(at, 'shell'), this.diagnostics);
    return read;
  }

  private value(plain: unknown, at: Place): Value {
    return readValue(plain, at, this.diagnostics);
  }

  private duration(text: string | undefined, at: Place): number | undefined {
    // The schema reported anything that is not text.
    if (typeof text !== 'string') return undefined;
    const ms = durationMs(text);
    // The schema reported texts that are not durations.
    if (ms === undefined && new RegExp(durationPattern).test(text)) {
      this.diagnostics.push({ code: 'range', message: 'a duration is at most 24 days', span: this.document.spanOf(at.pointer), help: 'write at most 576h' });
    }
    return ms;
  }

  /** The wish of a task, or of the recipe. */
  cache(text: CacheText | undefined, at: Place): CacheWish | undefined {
    if (text === true) return {};
    // The schema reported anything else.
    if (typeof text !== 'object' || text === null) return text === false ? false : undefined;
    return { maxAgeMs: this.duration(text.max_age, below(below(at, 'cache'), 'max_age')), layer: text.layer ?? false };
  }

  private retries(text: RetriesText | undefined, at: Place): Retries {
    const { limit = 0, delay, backoff = 1 } = typeof text === 'object' && text !== null ? text : { limit: text };
    return { limit, delayMs: this.duration(delay, below(below(at, 'retries'), 'delay')) ?? 0, backoff };
  }

  private strategy({ matrix, max_parallel }: NonNullable<TaskText['strategy']>, at: Place): Strategy {
    const place = below(at, 'matrix');
    const { include, exclude, ...axes } = matrix ?? {};
    const rows = (plain: unknown, key: string) => (Array.isArray(plain) ? [...readUntyped(plain, below(place, key), this.diagnostics).values()] : []);
    return {
      axes: readUntyped(axes, place, this.diagnostics),
      include: rows(include, 'include'),
      exclude: rows(exclude, 'exclude'),
      maxParallel: max_parallel,
      at: place,
    };
  }

  private freshness(text: TaskText, at: Place): Freshness | undefined {
    const { sources, generates, status } = text;
    if (sources === undefined && status === undefined) return undefined;
    const values = (list: readonly string[] | undefined, key: string) => (list ?? []).map((item, i) => this.value(item, below(below(at, key), i)));
    return { sources: values(sources, 'sources'), generates: values(generates, 'generates'), status: values(status, 'status') };
  }

  /** Reports a task that can never be up to date, or that could be skipped wrongly. */
  private checkFreshness({ action, at, freshness }: Task, text: TaskText): void {
    if (freshness === undefined || action.type !== 'run') return;
    const report = (message: string, help: string) => {
      const key = text.sources === undefined ? 'status' : 'sources';
      this.diagnostics.push({ code: 'up-to-date', message, span: this.document.keySpanOf(below(at, key).pointer), help });
    };
    if (action.undo?.when === 'always') report('a resource is never up to date: it is released at the end of every run', 'remove this key, or "when: always"');
    else if ([...action.outputs.values()].some(({ secret }) => secret))
      report('a task with a secret output is never up to date, because secrets are not kept', 'create the secret in a separate task');
    else if (text.in !== undefined && text.status === undefined && text.generates === undefined)
      report(
        'files of the build host do not show whether the work in a chroot is done: the image may be another one',
        'add "generates" or "status", which are checked inside the chroot',
      );
  }

  private action(text: TaskText, at: Place): Action {
    const kind = this.language.kinds.get(text.uses ?? '');
    if (kind !== undefined) {
      this.checkNulls(kind, text.with, below(at, 'with'));
      return { type: 'kind', kind, with: readValues(text.with, below(at, 'with'), this.diagnostics) };
    }
    if (text.uses !== undefined) return { type: 'unknown' };
    if (text.run === undefined) return this.group(text, at);
    const script = (plain: ScriptText, key: Place) => this.script(plain, key, text.template !== false);
    return {
      type: 'run',
      script: script(text.run, below(at, 'run')),
      shell: text.shell ?? this.defaults.shell,
      dir: text.dir === undefined ? undefined : this.value(text.dir, below(at, 'dir')),
      interactive: text.interactive ?? false,
      env: readUntyped(text.env, below(at, 'env'), this.diagnostics),
      outputs: new Map(
        Object.entries(text.outputs ?? {}).map(([name, declared]) => [name, { type: declared?.type ?? 'string', secret: declared?.secret ?? false }]),
      ),
      reopen: text.reopen === undefined ? undefined : this.reopen(text.reopen, text, at),
      undo: text.undo && { script: script(text.undo.run, below(below(at, 'undo'), 'run')), when: text.undo.when ?? 'failure' },
    };
  }

  private reopen(plain: ScriptText, text: TaskText, at: Place): Value {
    const place = below(at, 'reopen');
    if (text.undo?.when !== 'always') {
      const help = 'add undo: {run: …, when: always}, or remove "reopen": what a step leaves on the volume is on the restored disk';
      this.diagnostics.push({ code: 'exclusive', message: '"reopen" requires a resource', span: this.document.keySpanOf(place.pointer), help });
    }
    return this.script(plain, place, text.template !== false);
  }

  private group(text: TaskText, at: Place): Action {
    const known = ['description', 'needs', 'before', 'if', 'internal', 'continue_on_error'];
    const more = Object.keys(text).filter((key) => !known.includes(key));
    for (const key of more.filter((k) => workingKeys.includes(k))) {
      this.diagnostics.push({
        code: 'exclusive',
        message: `"${key}" requires "run" or "uses"`,
        span: this.document.keySpanOf(below(at, key).pointer),
        help: `add "run" or "uses"; or remove "${key}", since a group only names other tasks`,
      });
    }
    if (more.length > 0) return { type: 'unknown' };
    if (text.needs === undefined) {
      this.diagnostics.push({
        code: 'does-nothing',
        message: `task "${at.pointer.split('/').at(-1)}" does nothing`,
        span: this.document.keySpanOf(at.pointer),
        help: 'add "run", "uses" or, for a group of tasks, "needs"',
      });
    }
    return { type: 'group' };
  }

  /** A script from a file is not a template: braces mean something else in most scripts. */
  private script(plain: ScriptText, at: Place, template: boolean): Value {
    const literal = (text: string): Value => ({ type: 'literal', value: text, at });
    if (typeof plain === 'string') return template ? this.value(plain, at) : literal(plain);
    // The schema reported it: it is neither text nor a file.
    if (typeof plain?.file !== 'string') return literal('');
    const path = resolve(dirname(this.document.source.path), plain.file);
    try {
      return literal(this.read(path));
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
      const span = this.document.spanOf(below(at, 'file').pointer);
      this.diagnostics.push({ code: 'script-file', message: `cannot read "${plain.file}": ${reason}`, span, help: 'the path is relative to this file' });
      return literal('');
    }
  }

  private checkNulls(kind: KindDeclaration, given: object | undefined, at: Place): void {
    for (const name of kind.params.required ?? []) {
      if ((given as Record<string, unknown> | undefined)?.[name] !== null) continue;
      this.diagnostics.push({
        code: 'missing-key',
        message: `"${name}" must have a value`,
        span: this.document.keySpanOf(at.pointer + pointerStep(name)),
        help: descriptionIn(kind, name),
      });
    }
  }
}

function descriptionIn({ params }: KindDeclaration, name: string): string | undefined {
  return (params.properties as Readonly<Record<string, { readonly description?: string }>> | undefined)?.[name]?.description;
}

/** The interpreters whose option `-c` takes the script as an argument. */
const takesWord = /^(.*\/)?((ba|da|k|mk|z|fi|a)?sh|python[0-9.]*)$/;

/** Also among other letters. Long options of bash may have one dash, and -W and -X of Python take an argument. */
const optionC = /^-(?!(norc|rcfile|restricted)$)[A-VYZa-z]*c[A-Za-z]*$/;

/** Finds the option `-c` of an interpreter: the script is passed as a file, whose path the interpreter would run as the script. */
export function checkShell(shell: readonly string[] | undefined, at: Place, diagnostics: Diagnostic[]): void {
  const words = (shell ?? []).map(String);
  const program = words.findLastIndex((word) => takesWord.test(word));
  const option = program < 0 ? -1 : words.findIndex((word, i) => i > program && optionC.test(word));
  if (option < 0) return;
  const right = words.map((word, i) => (i === option ? word.replace('c', '') : word)).filter((word) => word !== '-');
  diagnostics.push({
    code: 'shell',
    message: `"${words[option]}" expects the script as an argument, but the script is passed as a file`,
    span: at.document.spanOf(below(at, option).pointer),
    help: `write shell: [${right.join(', ')}]`,
  });
}
