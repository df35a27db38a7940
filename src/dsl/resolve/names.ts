import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { hintFor } from '../diagnostics/suggest.js';
import { hintForName } from '../diagnostics/template_hints.js';
import { type Instance, instanceKey, type Module, taskId } from '../recipe/module.js';
import type { Task, Variable } from '../recipe/types.js';
import type { Span } from '../syntax/source.js';
import { pathText, type Reference } from '../syntax/template.js';
import { type PlacedReference, referencesIn, type Value } from '../syntax/values.js';

/** Facts of a run that templates may use: `{{ run.id }}`. */
export const runFacts = ['id', 'timestamp', 'started', 'dir', 'isotime', 'uuid', 'arguments'] as const;
export type RunFact = (typeof runFacts)[number];

/** What a reference means in its module. `rest` is the path inside the value, e.g. of a map. */
export type Binding =
  | { readonly type: 'run'; readonly fact: RunFact; readonly rest: readonly string[] }
  | { readonly type: 'env'; readonly module: Module; readonly name: string; readonly rest: readonly string[] }
  /** An input of the top-level recipe, or of a library that uses its default. */
  | { readonly type: 'input'; readonly module: Module; readonly name: string; readonly rest: readonly string[] }
  /** An expression in another place: the value that an include sets for an input, or an output of a library. */
  | {
      readonly type: 'expression';
      readonly module: Module;
      readonly value: Value;
      readonly rest: readonly string[];
      readonly input?: { readonly module: Module; readonly name: string };
    }
  | { readonly type: 'var'; readonly module: Module; readonly name: string; readonly variable: Variable; readonly rest: readonly string[] }
  /** A value of the matrix instance that contains the reference. */
  | { readonly type: 'matrix'; readonly value: unknown; readonly rest: readonly string[] }
  /** An output of a task; of all its instances (`list`) if it has a matrix and the reference does not select one. */
  | {
      readonly type: 'task';
      readonly ids: readonly string[];
      readonly list: boolean;
      readonly module: Module;
      readonly task: Task;
      readonly output: string;
      readonly rest: readonly string[];
    };

/** Why a reference cannot be resolved. */
export interface Unresolved {
  readonly type: 'unresolved';
  readonly code: Diagnostic['code'];
  readonly message: string;
  readonly help?: string | undefined;
}

/** Finds what a reference means in a module. */
export function bindingOf(reference: Reference, module: Module): Binding | Unresolved {
  const [first = '', second, ...rest] = reference.path;
  const { recipe } = module;
  switch (first) {
    case 'run':
      if (second === undefined) return unresolved('unknown-name', '"run" needs a name after it', `run.${runFacts.join(', run.')}`);
      if (!runFacts.includes(second as RunFact)) return unresolved('unknown-name', `there is no "run.${second}"`, hintFor(second, runFacts));
      if (second === 'arguments' && module.parent !== undefined)
        return unresolved('unknown-name', '"run.arguments" is for the recipe that is run, not for its libraries', 'declare an input of type list');
      return { type: 'run', fact: second as RunFact, rest };
    case 'env':
      if (second === undefined) return unresolved('unknown-name', '"env" needs a name after it', 'e.g. env.HOME');
      return { type: 'env', module, name: second, rest };
    case 'inputs': {
      const declared = second === undefined ? undefined : recipe.inputs.get(second);
      if (second === undefined || declared === undefined) return missing('input', second, [...recipe.inputs.keys()], module);
      const value = module.parent?.include.with.get(second);
      if (module.parent === undefined || value === undefined || (value.type === 'literal' && value.value === null)) {
        return { type: 'input', module, name: second, rest };
      }
      return { type: 'expression', module: module.parent.module, value, rest, input: { module, name: second } };
    }
    case 'vars': {
      const variable = second === undefined ? undefined : recipe.vars.get(second);
      if (second === undefined || variable === undefined) return missing('variable', second, [...recipe.vars.keys()], module);
      return { type: 'var', module, name: second, variable, rest };
    }
    case 'matrix':
      return matrixBinding(second, rest, module);
    default:
      return taskBinding(reference.path, module, module, false);
  }
}

function matrixBinding(name: string | undefined, rest: readonly string[], { instance }: Module): Binding | Unresolved {
  if (instance === undefined) return unresolved('matrix', '"matrix" is available only in tasks with "strategy"', 'strategy: {matrix: {arch: [amd64, arm64]}}');
  const known = Object.keys(instance.values);
  if (name === undefined) return unresolved('unknown-name', '"matrix" needs a name after it', `matrix.${known.join(', matrix.')}`);
  if (!known.includes(name) && !instance.unknown) return unresolved('unknown-name', `there is no "matrix.${name}"`, hintFor(name, known));
  return { type: 'matrix', value: instance.values[name] ?? null, rest };
}

/** A named task, with the selected instances; or (`released`) their release. */
export interface NamedTask {
  readonly type: 'task';
  readonly module: Module;
  readonly task: Task;
  readonly ids: readonly string[];
  readonly released: boolean;
}

/** Finds the task that a name in `needs`, `before`, `in` or `goals` means; separates the key of an instance and `released`. */
export function taskNamed(name: string, module: Module): NamedTask | Unresolved {
  const [, dotted = '', key, release] = /^(.*?)(\[[^[\]]*\])?(\.released)?$/.exec(name) ?? [];
  const path = dotted.split('.');
  let at = module;
  for (const step of path.slice(0, -1)) {
    const child = at.children.get(step);
    if (child === undefined) return unknownTask(name, module);
    at = child;
  }
  const task = at.recipe.tasks.get(path.at(-1) ?? '');
  if (task === undefined) return unknownTask(name, module);
  if (task.internal && at.namespace !== module.namespace) return unresolved('internal', `"${name}" is internal to its library`, internalHelp);
  if (release !== undefined && lifetimeOf(task) !== 'resource' && task.action.type !== 'unknown')
    return unresolved('release', `"${dotted}" is not a resource, so it is never released`, `write needs: [${dotted}]`);
  const meant = instancesMeant(task, at, module, key);
  if ('type' in meant) return meant;
  return { type: 'task', module: at, task, ids: meant.ids, released: release !== undefined };
}

/**
 * The instances of a task that its name means: the one with the given key; the one with the same values, in a task
 * with the same axes; else all.
 */
function instancesMeant(task: Task, module: Module, asker: Module, key: string | undefined): { ids: readonly string[]; list: boolean } | Unresolved {
  const all = module.instances.get(task.name);
  const one = (instance?: Instance) => ({ ids: [taskId(module, task.name, instance)], list: false });
  if (all === undefined)
    return key === undefined ? one() : unresolved('instance', `"${task.name}" has no matrix, so there is no "${task.name}${key}"`, `write ${task.name}`);
  const [first] = all;
  if (first === undefined || first.unknown || asker.instance?.unknown) return one(first);
  const named = (wanted: string) => {
    const found = all.find((instance) => instance.key === wanted);
    if (found !== undefined) return one(found);
    const known = all.map((instance) => `${task.name}${instance.key}`);
    return unresolved('instance', `there is no "${task.name}${wanted}"`, hintFor(`${task.name}${wanted}`, known));
  };
  if (key !== undefined) return named(key);
  const same = asker.instance !== undefined && [...asker.instance.axes].sort().join() === [...first.axes].sort().join();
  if (same) return named(instanceKey(first.axes, asker.instance?.values ?? {}));
  return { ids: idsOf(all, (instance) => taskId(module, task.name, instance)), list: true };
}

/** The ids of all instances of a task: always the same list. */
function idsOf(instances: readonly Instance[], idOf: (instance: Instance) => string): readonly string[] {
  const ids = allIds.get(instances) ?? instances.map(idOf);
  allIds.set(instances, ids);
  return ids;
}

const allIds = new WeakMap<readonly Instance[], readonly string[]>();

/** Whether a task is a resource. */
export function lifetimeOf(task: Task): 'step' | 'resource' {
  if (task.action.type === 'kind') return task.action.kind.lifetime;
  return task.action.type === 'run' && task.action.undo?.when === 'always' ? 'resource' : 'step';
}

/** The names of the outputs of a task. */
export function outputsOf(task: Task): string[] {
  if (task.action.type === 'kind') return Object.keys(task.action.kind.outputs.properties);
  return task.action.type === 'run' ? [...task.action.outputs.keys()] : [];
}

/** A task that a value refers to, with the place and the text of the reference. */
export interface TaskReference {
  readonly id: string;
  readonly task: Task;
  readonly module: Module;
  readonly span: Span;
  readonly text: string;
}

/** The tasks a value refers to, also through inputs and outputs of libraries. */
export function tasksIn(value: Value, module: Module): TaskReference[] {
  const found: TaskReference[] = [];
  // A value behind several names is visited once, and many instances are named once.
  const seen = new Set<Value>();
  const lists = new Set<readonly string[]>();
  const visit = (inner: Value, at: Module, outer?: PlacedReference): void => {
    if (seen.has(inner)) return;
    seen.add(inner);
    for (const reference of referencesIn(inner)) {
      const binding = bindingOf(reference, at);
      const written = outer ?? reference;
      if (binding.type === 'task') {
        const { task, module: owner, ids, list } = binding;
        if (list && lists.has(ids)) continue;
        if (list) lists.add(ids);
        const text = pathText(written.path);
        for (const id of ids) found.push({ id, task, module: owner, span: written.span, text });
      } else if (binding.type === 'expression') visit(binding.value, binding.module, written);
    }
  };
  visit(value, module);
  return found;
}

function taskBinding(path: readonly string[], module: Module, asker: Module, inside: boolean): Binding | Unresolved {
  const [first = '', second, ...rest] = path;
  const child = module.children.get(first);
  if (child !== undefined) {
    if (second === undefined) return unresolved('unknown-name', `"${first}" is an include; name a task or an output of it`, hintFor('', publicNames(child)));
    return taskBinding([second, ...rest], child, asker, true);
  }
  const output = inside ? module.recipe.outputs.get(first) : undefined;
  if (output !== undefined) return { type: 'expression', module, value: output, rest: path.slice(1) };
  const task = module.recipe.tasks.get(first);
  if (task === undefined || (inside && task.internal)) {
    const known = inside ? publicNames(module) : [...module.recipe.tasks.keys(), ...module.children.keys(), 'inputs', 'vars', 'env', 'run'];
    if (task?.internal) return unresolved('internal', `"${first}" is internal to its library`, internalHelp);
    if (Object.hasOwn(asker.instance?.values ?? {}, first)) return unresolved('unknown-name', `unknown name "${first}"`, `write {{ matrix.${first} }}`);
    return unresolved('unknown-name', `unknown name "${first}"`, hintForName(path, namesOf(module)) ?? hintFor(first, known));
  }
  const key = second?.includes('=') ? `[${second}]` : undefined;
  const meant = instancesMeant(task, module, asker, key);
  if ('type' in meant) return meant;
  return outputMeant(task, module, meant, key === undefined ? path.slice(1) : rest);
}

function outputMeant(task: Task, module: Module, meant: { ids: readonly string[]; list: boolean }, [second, ...rest]: readonly string[]): Binding | Unresolved {
  if (task.action.type === 'unknown') return { type: 'task', ...meant, module, task, output: second ?? '', rest };
  const outputs = outputsOf(task);
  if (second === undefined || !outputs.includes(second)) {
    const message = second === undefined ? `"${task.name}" is a task; name one of its outputs` : `task "${task.name}" has no output "${second}"`;
    return unresolved('unknown-output', message, outputsHelp(task, second, outputs));
  }
  if (meant.list && rest.length > 0) {
    const key = module.instances.get(task.name)?.[0]?.key ?? '';
    return unresolved('instance', `"${task.name}.${second}" is a list with one value from each instance`, `name one: ${task.name}.${key}.${second}`);
  }
  return { type: 'task', ...meant, module, task, output: second, rest };
}

function outputsHelp(task: Task, name: string | undefined, outputs: readonly string[]): string | undefined {
  if (outputs.length === 0) return task.action.type === 'run' ? `declare it in the task: outputs: {${name ?? 'NAME'}: {}}` : 'it has no outputs';
  return name === undefined ? `write {{ ${task.name}.${outputs[0]} }}; its outputs are ${outputs.join(', ')}` : hintFor(name, outputs);
}

function publicNames(module: Module): string[] {
  return [...module.recipe.outputs.keys(), ...[...module.recipe.tasks.values()].filter((task) => !task.internal).map((task) => task.name)];
}

const internalHelp = 'name another task or an output of the library, or remove "internal" there';

function unknownTask(name: string, module: Module): Unresolved {
  const known = [...module.recipe.tasks.keys()];
  for (const [namespace, child] of module.children) {
    for (const task of child.recipe.tasks.values()) if (!task.internal) known.push(`${namespace}.${task.name}`);
  }
  return unresolved('unknown-task', `there is no task "${name}"`, helpForTask(name, module) ?? hintFor(name, known));
}

/** Advice for the name of an include, and for an instance named by a dot. */
function helpForTask(name: string, { children, instances }: Module): string | undefined {
  const child = children.get(name);
  const own = [...(child?.recipe.tasks.values() ?? [])].filter((task) => !task.internal).map((task) => `${name}.${task.name}`);
  if (child !== undefined) return `"${name}" is an include; name one of its tasks: ${own.sort().join(', ')}`;
  const [first = '', value] = name.split('.');
  const meant = instances.get(first)?.find((instance) => instance.axes.some((axis) => String(instance.values[axis]) === value));
  return meant && `write "${first}${meant.key}"`;
}

function namesOf({ recipe }: Module): { inputs: string[]; vars: string[]; others: string[] } {
  return { inputs: [...recipe.inputs.keys()], vars: [...recipe.vars.keys()], others: [...recipe.tasks.keys()] };
}

function missing(what: string, name: string | undefined, known: readonly string[], module: Module): Unresolved {
  const message = name === undefined ? `"${what === 'input' ? 'inputs' : 'vars'}" needs a name after it` : `there is no ${what} "${name}"`;
  const path = [what === 'input' ? 'inputs' : 'vars', name ?? ''];
  return unresolved(
    'unknown-name',
    message,
    name === undefined ? hintFor('', known) : (hintForName(path, namesOf(module)) ?? hintFor(name, known) ?? `this recipe declares no ${what}s`),
  );
}

function unresolved(code: Diagnostic['code'], message: string, help?: string): Unresolved {
  return { type: 'unresolved', code, message, help };
}
