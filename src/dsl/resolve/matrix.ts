import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { evaluate, type Facts } from '../evaluate.js';
import { asType, errorOfInput } from '../recipe/inputs.js';
import { type Instance, instanceKey, type Module } from '../recipe/module.js';
import type { Strategy, Task } from '../recipe/types.js';
import { axisValueHelp, axisValuePattern } from '../syntax/lexical.js';
import { limits, limitText } from '../syntax/limits.js';
import type { Span } from '../syntax/source.js';
import { referencesIn, type Value } from '../syntax/values.js';
import { checkValue } from './scope_rules.js';

/** What the plan may know before anything runs. */
export interface KnownBefore {
  /** Values of the inputs of the recipe that is run; unknown ones are absent. */
  readonly inputs: ReadonlyMap<string, unknown>;
  /** A variable of the program's own environment. */
  environment(name: string): string | undefined;
}

/** What is known before anything runs, as facts: reading anything else throws. */
export function factsBefore({ inputs, environment }: KnownBefore): Facts {
  return {
    run: new Proxy({} as Facts['run'], { get: () => notYet('the facts of a run') }),
    inputs: new Proxy(inputs as Map<string, unknown>, {
      get: (map, key) => (key === 'get' ? (name: string) => (map.has(name) ? map.get(name) : notGiven(name)) : Reflect.get(map, key)),
    }),
    environment,
    commandOutput: () => notYet('the output of a command'),
    output: () => notYet('an output of a task'),
    secret: () => {},
  };
}

/** A value as far as it is known before anything runs; undefined if it is unknown or contains a secret. */
export function valueBefore(value: Value, module: Module, known: KnownBefore): { readonly value: unknown } | undefined {
  let isSecret = false;
  try {
    const plain = evaluate(value, module, { ...factsBefore(known), secret: () => (isSecret = true) });
    return isSecret ? undefined : { value: plain };
  } catch {
    return undefined;
  }
}

/** Whether the condition of a task is known to be true before the run, or it has none. */
export function isSureToRun({ task, module }: { readonly task: Task; readonly module: Module }, known: KnownBefore): boolean {
  return task.if === undefined || String(valueBefore(task.if, module, known)?.value) === 'true';
}

/** The errors in values that an include sets, as far as they are known before anything runs. */
export function* unfitValues({ recipe, parent }: Module, known: KnownBefore): Generator<Diagnostic> {
  for (const [name, value] of parent?.include.with ?? []) {
    const declared = recipe.inputs.get(name);
    if (declared === undefined || parent === undefined || referencesIn(value).length === 0) continue;
    let plain: unknown;
    try {
      plain = evaluate(value, parent.module, factsBefore(known));
    } catch {
      continue;
    }
    const error = plain === null ? undefined : errorOfInput(asType(plain, declared.type), declared);
    const shown = error === undefined ? undefined : valueBefore(value, parent.module, known);
    const help = shown && `its value is ${JSON.stringify(shown.value).slice(0, 80)}`;
    if (error !== undefined) yield { code: 'input', message: `input "${name}" ${error}`, span: value.at.document.spanOf(value.at.pointer), help };
  }
}

/** Finds the instances of every task with a matrix, in a recipe and its libraries; errors are added to `diagnostics`. */
export function expandMatrices(module: Module, known: KnownBefore, diagnostics: Diagnostic[]): void {
  for (const child of module.children.values()) expandMatrices(child, known, diagnostics);
  for (const task of module.recipe.tasks.values()) {
    if (task.strategy === undefined) continue;
    const expansion = new Expansion(module, task.strategy, known, diagnostics);
    (module.instances as Map<string, readonly Instance[]>).set(task.name, expansion.instances(task));
  }
}

/** A module as one instance of a task sees it. */
export function seenBy(module: Module, instance: Instance | undefined): Module {
  return instance === undefined ? module : { ...module, instance };
}

type Row = Record<string, unknown>;

class Expansion {
  private failed = false;

  constructor(
    private readonly module: Module,
    private readonly strategy: Strategy,
    private readonly known: KnownBefore,
    private readonly diagnostics: Diagnostic[],
  ) {}

  instances(task: Task): readonly Instance[] {
    const { strategy } = this;
    const axes = [...strategy.axes].map(([name, value]) => [name, this.axis(name, value)] as const);
    const include = strategy.include.map((value) => this.row(value));
    const exclude = strategy.exclude.map((value) => this.row(value));
    const combined = this.failed ? [] : this.included(this.excluded(this.product(axes), exclude), include);
    this.countInstances(combined.length);
    const names = [...new Set([...strategy.axes.keys(), ...[...combined, ...include].flatMap(Object.keys)])];
    const keys = axes.length > 0 ? axes.map(([name]) => name) : Object.keys(include[0] ?? {}).slice(0, 1);
    if (!this.failed && combined.length === 0 && names.length === 0) this.failed = true;
    if (!this.failed && combined.length === 0) this.report('this matrix has no instances: "exclude" removes them all', strategy.at);
    const found = this.failed ? [] : this.named(combined, keys, names, task);
    if (!this.failed) return found;
    return [{ key: '', values: Object.fromEntries(names.map((name) => [name, null])), axes: keys, unknown: true }];
  }

  private axis(name: string, value: Value): readonly unknown[] {
    const plain = this.evaluated(value);
    if (this.failed) return [];
    // The schema reported literals that are not lists, and invalid literal values.
    if (value.type === 'literal') {
      this.failed = true;
      return [];
    }
    if (!Array.isArray(plain) || plain.length === 0) {
      this.report(`the axis "${name}" must be a list of values, not ${JSON.stringify(plain)}`, value.at);
      return [];
    }
    const seen = new Set<unknown>();
    for (const [i, item] of plain.entries()) {
      const fits = typeof item === 'number' || typeof item === 'boolean' || (typeof item === 'string' && new RegExp(axisValuePattern).test(item));
      const written = value.type === 'list' ? value.items[i] : undefined;
      const at = written?.at ?? value.at;
      if (!fits && written?.type === 'literal') this.failed = true;
      else if (!fits) this.report(`invalid value ${JSON.stringify(item)} on a matrix axis: it becomes part of task names`, at, axisValueHelp);
      else if (seen.has(item)) this.report(`duplicate value ${JSON.stringify(item)} in matrix axis "${name}"`, at, 'remove one of them');
      seen.add(item);
    }
    return plain;
  }

  private row(value: Value): Row {
    const plain = this.evaluated(value);
    return typeof plain === 'object' && plain !== null ? (plain as Row) : {};
  }

  private evaluated(value: Value): unknown {
    const before = this.diagnostics.length;
    const hasEnv = (name: string) => this.module.recipe.env.has(name) || this.known.environment(name) !== undefined;
    checkValue(value, this.module, { tasks: false, secrets: false, place: 'a matrix' }, hasEnv, this.diagnostics);
    if (this.diagnostics.length > before) {
      this.failed = true;
      return undefined;
    }
    try {
      return evaluate(value, this.module, factsBefore(this.known));
    } catch (error) {
      this.report((error as Error).message.replace(/^[^ ]+:\d+:\d+: /, ''), value.at);
      return undefined;
    }
  }

  private product(axes: readonly (readonly [string, readonly unknown[]])[]): Row[] {
    const count = axes.reduce((all, [, values]) => all * values.length, 1);
    if (!this.countInstances(count) || axes.length === 0) return [];
    return axes.reduce<Row[]>((rows, [name, values]) => rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))), [{}]);
  }

  /** Whether the number of instances, with all their values, is within the limits. */
  private countInstances(count: number): boolean {
    const { axes, include, exclude, at } = this.strategy;
    const entries = [...include, ...exclude].map((entry) => (entry.type === 'map' ? entry.entries.size : 1));
    const each = axes.size + entries.reduce((sum, size) => sum + size, 0);
    if (this.failed) return false;
    if (count > limits.instances) this.report(`this matrix has ${count} instances; the limit is ${limits.instances}`, at);
    else if (count * each > limits.names || axes.size > limits.depth)
      this.report(`this matrix has ${count} instances with ${each} values each; the limit is ${limitText(limits.names)} values`, at);
    return !this.failed;
  }

  private excluded(rows: readonly Row[], exclude: readonly Row[]): Row[] {
    for (const [i, out] of exclude.entries()) {
      if (this.failed || rows.some((row) => agrees(row, out))) continue;
      const at = this.strategy.exclude[i]?.at ?? this.strategy.at;
      this.report('this entry excludes nothing', at, `axes: ${[...this.strategy.axes.keys()].join(', ')}`);
    }
    return rows.filter((row) => !exclude.some((out) => agrees(row, out)));
  }

  /** As in GitHub Actions: an entry adds to the combinations whose axes it does not change, otherwise it adds a combination. */
  private included(rows: readonly Row[], include: readonly Row[]): Row[] {
    const grown = rows.map((row) => ({ ...row }));
    const more: Row[] = [];
    for (const entry of include) {
      const onAxes = Object.fromEntries(Object.entries(entry).filter(([name]) => this.strategy.axes.has(name)));
      const fitting = grown.filter((_, i) => agrees(rows[i] ?? {}, onAxes));
      for (const row of fitting) Object.assign(row, entry);
      if (fitting.length === 0) more.push({ ...entry });
    }
    return [...grown, ...more];
  }

  private named(rows: readonly Row[], axes: readonly string[], names: readonly string[], task: Task): Instance[] {
    const seen = new Set<string>();
    return rows.map((row) => {
      const key = instanceKey(axes, row);
      const nameable = axes.every((axis) => typeof row[axis] !== 'object' && (row[axis] === undefined || new RegExp(axisValuePattern).test(String(row[axis]))));
      if (key === '[]' || !nameable) {
        this.report(
          `an instance of "${task.name}" cannot be named: its values are ${JSON.stringify(row)}`,
          this.strategy.at,
          'begin each entry of "include" with a short string',
        );
      } else if (seen.has(key))
        this.report(`two instances have the name ${task.name}${key}`, this.strategy.at, 'the first value of an entry names it: make those differ');
      seen.add(key);
      return { key, axes, values: Object.fromEntries(names.map((name) => [name, row[name] ?? null])) };
    });
  }

  private report(message: string, at: Value['at'], help?: string): void {
    this.failed = true;
    const span: Span = at.document.spanOf(at.pointer);
    this.diagnostics.push({ code: 'matrix', message, span, help });
  }
}

function agrees(row: Row, wanted: Row): boolean {
  return Object.entries(wanted).every(
    ([name, value]) => row[name] === value || (typeof value === 'object' && JSON.stringify(row[name]) === JSON.stringify(value)),
  );
}

function notYet(what: string): never {
  throw new Error(`a matrix cannot use ${what}: it must be known before the run`);
}

function notGiven(name: string): never {
  throw new Error(`the matrix needs the value of the input "${name}": set it with -i ${name}=…`);
}
