import type { Diagnostic } from './diagnostic.js';
import { type Module, taskId } from './module.js';
import type { Task, Variable } from './recipe.js';
import type { Span } from './source.js';
import { hintFor } from './suggest.js';
import type { Reference } from './template.js';
import { onlyReferenceIn, type PlacedReference, referencesIn, type Value } from './values.js';

/** Facts of a run that templates may name: `{{ run.id }}`. */
export const runFacts = ['id', 'timestamp', 'started', 'dir', 'isotime', 'uuid'] as const;
export type RunFact = (typeof runFacts)[number];

/** What a reference means in the module it stands in. `rest` is the way into the value, e.g. of a map. */
export type Meaning =
  | { readonly type: 'run'; readonly fact: RunFact; readonly rest: readonly string[] }
  | { readonly type: 'env'; readonly module: Module; readonly name: string; readonly rest: readonly string[] }
  /** An input of the recipe that is run, or of a library that was left to its default. */
  | { readonly type: 'input'; readonly module: Module; readonly name: string; readonly rest: readonly string[] }
  /** An expression that stands elsewhere: what an include gives for an input, or an output a library declares. */
  | {
      readonly type: 'expression';
      readonly module: Module;
      readonly value: Value;
      readonly rest: readonly string[];
      readonly input?: { readonly module: Module; readonly name: string };
    }
  | { readonly type: 'var'; readonly module: Module; readonly name: string; readonly variable: Variable; readonly rest: readonly string[] }
  | { readonly type: 'task'; readonly id: string; readonly module: Module; readonly task: Task; readonly output: string; readonly rest: readonly string[] };

/** Why a reference means nothing. */
export interface Meaningless {
  readonly type: 'fault';
  readonly code: Diagnostic['code'];
  readonly message: string;
  readonly help?: string | undefined;
}

/** Finds what a reference means in a module. */
export function meaningOf(reference: Reference, module: Module): Meaning | Meaningless {
  const [first = '', second, ...rest] = reference.path;
  const { recipe } = module;
  switch (first) {
    case 'run':
      if (second === undefined) return fault('unknown-name', '"run" needs a name after it', `run.${runFacts.join(', run.')}`);
      if (!runFacts.includes(second as RunFact)) return fault('unknown-name', `there is no "run.${second}"`, hintFor(second, runFacts));
      return { type: 'run', fact: second as RunFact, rest };
    case 'env':
      if (second === undefined) return fault('unknown-name', '"env" needs a name after it', 'e.g. env.HOME');
      return { type: 'env', module, name: second, rest };
    case 'inputs': {
      const declared = second === undefined ? undefined : recipe.inputs.get(second);
      if (second === undefined || declared === undefined) return missing('input', second, [...recipe.inputs.keys()]);
      const value = module.parent?.include.with.get(second);
      if (module.parent === undefined || value === undefined || (value.type === 'literal' && value.value === null)) {
        return { type: 'input', module, name: second, rest };
      }
      return { type: 'expression', module: module.parent.module, value, rest, input: { module, name: second } };
    }
    case 'vars': {
      const variable = second === undefined ? undefined : recipe.vars.get(second);
      if (second === undefined || variable === undefined) return missing('variable', second, [...recipe.vars.keys()]);
      return { type: 'var', module, name: second, variable, rest };
    }
    default:
      return taskMeaning(reference.path, module, module, false);
  }
}

/** A task somebody named, or (`released`) its release. */
export interface NamedTask {
  readonly type: 'task';
  readonly module: Module;
  readonly task: Task;
  readonly id: string;
  readonly released: boolean;
}

/** Finds the task a name in `needs`, `before`, `in` or `goals` means; `released` is cut off and told. */
export function taskNamed(name: string, module: Module): NamedTask | Meaningless {
  const path = name.split('.');
  const released = path.length > 1 && path.at(-1) === 'released';
  if (released) path.pop();
  let at = module;
  for (const step of path.slice(0, -1)) {
    const child = at.children.get(step);
    if (child === undefined) return unknownTask(name, module);
    at = child;
  }
  const task = at.recipe.tasks.get(path.at(-1) ?? '');
  if (task === undefined) return unknownTask(name, module);
  if (task.internal && at !== module) return fault('unknown-task', `"${name}" is internal to its library`);
  if (released && lifetimeOf(task) !== 'hold' && task.action.type !== 'unknown')
    return fault('unknown-task', `"${path.join('.')}" is not a hold, so it is never released`);
  return { type: 'task', module: at, task, id: taskId(at, task.name), released };
}

/** The chroot that `in` means. */
export type NamedChroot =
  | { readonly type: 'chroot'; readonly id: string }
  /** An input of a library that nobody includes. */
  | { readonly type: 'open' }
  | (Meaningless & { readonly span?: Span });

/** Finds the chroot that a name in `in` means: a task, or (`inputs.NAME`) the one whose path an include gives for an input. */
export function chrootNamed(name: string, module: Module): NamedChroot {
  const path = name.split('.');
  if (path[0] !== 'inputs') {
    const found = taskNamed(name, module);
    if (found.type === 'fault') return found;
    if (isChroot(found.task) && !found.released) return { type: 'chroot', id: found.id };
    return fault('in', `"${name}" is not a chroot task`, '"in" names a task with "uses: chroot"');
  }
  const meaning = meaningOf({ path, start: 0, end: 0, optional: false }, module);
  if (meaning.type === 'fault') return meaning;
  const chroot = chrootMeant(meaning, []);
  if (chroot !== undefined) return chroot;
  const given = meaning.type === 'expression' ? { span: meaning.value.at.document.spanOf(meaning.value.at.pointer) } : {};
  return { ...fault('in', `"${name}" must be the path of a chroot: the library runs tasks in it`, 'e.g. "{{ ami.chroot.path }}"'), ...given };
}

/** The chroot whose path a name means, and nothing else; through inputs and outputs of libraries too. */
function chrootMeant(meaning: Meaning | Meaningless, open: readonly Value[]): NamedChroot | undefined {
  if (meaning.type === 'task' && isChroot(meaning.task) && meaning.output === 'path') return { type: 'chroot', id: meaning.id };
  if (meaning.type === 'input' && meaning.module.parent === undefined) return { type: 'open' };
  // Values that refer to each other are told by `checkValue`.
  if (meaning.type !== 'expression' || meaning.rest.length > 0 || open.includes(meaning.value)) return undefined;
  const reference = onlyReferenceIn(meaning.value);
  return reference && chrootMeant(meaningOf(reference, meaning.module), [...open, meaning.value]);
}

/** Tasks with faults of their own may be anything. */
function isChroot({ action }: Task): boolean {
  return action.type === 'unknown' || (action.type === 'kind' && action.kind.name === 'chroot');
}

/** Whether a task holds something until what stands on it has ended. */
export function lifetimeOf(task: Task): 'step' | 'hold' {
  if (task.action.type === 'kind') return task.action.kind.lifetime;
  return task.action.type === 'run' && task.action.undo?.when === 'always' ? 'hold' : 'step';
}

/** The names of the outputs a task gives. */
export function outputsOf(task: Task): string[] {
  if (task.action.type === 'kind') return Object.keys(task.action.kind.outputs.properties);
  return task.action.type === 'run' ? [...task.action.outputs.keys()] : [];
}

/** A task that a value refers to, with the place and the words of the reference. */
export interface TaskReference {
  readonly id: string;
  readonly task: Task;
  readonly module: Module;
  readonly span: Span;
  readonly text: string;
}

/** The tasks a value refers to, through inputs of libraries and their outputs too. */
export function tasksIn(value: Value, module: Module): TaskReference[] {
  const found: TaskReference[] = [];
  // An output of a library may refer to another of its outputs; two that refer to each other are told by `checkValue`.
  const seen = new Set<Value>();
  const visit = (inner: Value, at: Module, outer?: PlacedReference): void => {
    if (seen.has(inner)) return;
    seen.add(inner);
    for (const reference of referencesIn(inner)) {
      const meaning = meaningOf(reference, at);
      const written = outer ?? reference;
      if (meaning.type === 'task') found.push({ id: meaning.id, task: meaning.task, module: meaning.module, span: written.span, text: written.path.join('.') });
      else if (meaning.type === 'expression') visit(meaning.value, meaning.module, written);
    }
    seen.delete(inner);
  };
  visit(value, module);
  return found;
}

/** What may be used in a place of a recipe. */
export interface Allowed {
  readonly tasks: boolean;
  readonly secrets: boolean;
  /** What the place is called in messages, e.g. `"if"`. */
  readonly place: string;
}

/** Checks every name in a value: that it means something, and something that may be used there. */
export function checkValue(value: Value, module: Module, allowed: Allowed, env: (name: string) => boolean, diagnostics: Diagnostic[]): void {
  for (const reference of referencesIn(value)) {
    const meaning = meaningOf(reference, module);
    const say = (code: Diagnostic['code'], message: string, help?: string) => diagnostics.push({ code, message, span: reference.span, help });
    if (meaning.type === 'fault') say(meaning.code, meaning.message, meaning.help);
    else if (meaning.type === 'env' && !reference.optional && !env(meaning.name)) {
      say('unknown-name', `"env.${meaning.name}" is not set`, `set it, or write {{ default env.${meaning.name} "…" }}`);
    } else {
      const outcome = traits(meaning);
      if (outcome.cycle) say('cycle', `"${reference.path.join('.')}" refers to itself`);
      else if (outcome.tasks && !allowed.tasks) say('unknown-name', `${allowed.place} cannot use tasks: it must be known before the first one runs`);
      else if (outcome.secret && !allowed.secrets)
        say('secret', `a secret cannot be used in ${allowed.place}`, 'use it in "run", "env" or the "with" of an include');
    }
  }
}

/** Whether what a name means comes from a secret. */
export function isSecret(meaning: Meaning): boolean {
  return traits(meaning).secret;
}

/** A `{sh: …}` variable, and the module it stands in. */
export interface CommandVariable {
  readonly module: Module;
  readonly name: string;
  readonly command: Value;
}

/** The `{sh: …}` variables a value reads, each after those that its command reads. */
export function commandVariablesIn(value: Value, module: Module, seen = new Set<Value>()): CommandVariable[] {
  if (seen.has(value)) return [];
  seen.add(value);
  return referencesIn(value).flatMap((reference) => {
    const meaning = meaningOf(reference, module);
    switch (meaning.type) {
      case 'expression':
        return commandVariablesIn(meaning.value, meaning.module, seen);
      case 'env': {
        const inner = meaning.module.recipe.env.get(meaning.name);
        return inner === undefined ? [] : commandVariablesIn(inner, meaning.module, seen);
      }
      case 'var': {
        const { variable, name } = meaning;
        const inner = commandVariablesIn(variable.value, meaning.module, seen);
        return variable.sh ? [...inner, { module: meaning.module, name, command: variable.value }] : inner;
      }
      default:
        return [];
    }
  });
}

interface Traits {
  readonly tasks: boolean;
  readonly secret: boolean;
  readonly cycle: boolean;
}

function traits(meaning: Meaning, open: readonly Value[] = []): Traits {
  switch (meaning.type) {
    case 'task': {
      const action = meaning.task.action;
      return { tasks: true, secret: action.type === 'run' && (action.outputs.get(meaning.output)?.secret ?? false), cycle: false };
    }
    case 'input':
      return { tasks: false, secret: meaning.module.recipe.inputs.get(meaning.name)?.secret ?? false, cycle: false };
    case 'env':
    case 'expression':
    case 'var': {
      const value = meaning.type === 'var' ? meaning.variable.value : meaning.type === 'env' ? meaning.module.recipe.env.get(meaning.name) : meaning.value;
      // A variable of the environment that names itself means the program's own.
      if (value === undefined || (open.includes(value) && meaning.type === 'env')) return { tasks: false, secret: false, cycle: false };
      if (open.includes(value)) return { tasks: false, secret: false, cycle: true };
      const all = referencesIn(value)
        .map((reference) => meaningOf(reference, meaning.module))
        .filter((inner): inner is Meaning => inner.type !== 'fault')
        .map((inner) => traits(inner, [...open, value]));
      const declared = meaning.type === 'expression' && meaning.input ? meaning.input.module.recipe.inputs.get(meaning.input.name)?.secret : false;
      return { tasks: all.some((t) => t.tasks), secret: Boolean(declared) || all.some((t) => t.secret), cycle: all.some((t) => t.cycle) };
    }
    default:
      return { tasks: false, secret: false, cycle: false };
  }
}

function taskMeaning(path: readonly string[], module: Module, asker: Module, inside: boolean): Meaning | Meaningless {
  const [first = '', second, ...rest] = path;
  const child = module.children.get(first);
  if (child !== undefined) {
    if (second === undefined) return fault('unknown-name', `"${first}" is an include; name a task or an output of it`, hintFor('', publicNames(child)));
    return taskMeaning([second, ...rest], child, asker, true);
  }
  const output = inside ? module.recipe.outputs.get(first) : undefined;
  if (output !== undefined) return { type: 'expression', module, value: output, rest: path.slice(1) };
  const task = module.recipe.tasks.get(first);
  if (task === undefined || (inside && task.internal)) {
    const known = inside ? publicNames(module) : [...module.recipe.tasks.keys(), ...module.children.keys(), 'inputs', 'vars', 'env', 'run'];
    return fault('unknown-name', `nothing is called "${first}" here`, hintFor(first, known));
  }
  if (task.action.type === 'unknown') return { type: 'task', id: taskId(module, first), module, task, output: second ?? '', rest };
  const outputs = outputsOf(task);
  if (second === undefined || !outputs.includes(second)) {
    const message = second === undefined ? `"${first}" is a task; name one of its outputs` : `task "${first}" has no output "${second}"`;
    return fault(
      'unknown-output',
      message,
      outputs.length === 0 ? 'it has none' : second === undefined ? `outputs: ${outputs.join(', ')}` : hintFor(second, outputs),
    );
  }
  return { type: 'task', id: taskId(module, first), module, task, output: second, rest };
}

function publicNames(module: Module): string[] {
  return [...module.recipe.outputs.keys(), ...[...module.recipe.tasks.values()].filter((task) => !task.internal).map((task) => task.name)];
}

function unknownTask(name: string, module: Module): Meaningless {
  const known = [...module.recipe.tasks.keys()];
  for (const [namespace, child] of module.children) {
    for (const task of child.recipe.tasks.values()) if (!task.internal) known.push(`${namespace}.${task.name}`);
  }
  return fault('unknown-task', `there is no task "${name}"`, hintFor(name, known));
}

function missing(what: string, name: string | undefined, known: readonly string[]): Meaningless {
  const message = name === undefined ? `"${what === 'input' ? 'inputs' : 'vars'}" needs a name after it` : `there is no ${what} "${name}"`;
  return fault('unknown-name', message, name === undefined ? hintFor('', known) : (hintFor(name, known) ?? `this recipe declares no ${what}s`));
}

function fault(code: Diagnostic['code'], message: string, help?: string): Meaningless {
  return { type: 'fault', code, message, help };
}
