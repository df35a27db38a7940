import { article, isValueType } from '../recipe/inputs.js';
import type { Module } from '../recipe/module.js';
import type { Task } from '../recipe/types.js';
import type { Span } from '../syntax/source.js';
import { onlyReferenceIn, type Value } from '../syntax/values.js';
import { type Binding, bindingOf, taskNamed, type Unresolved } from './names.js';
import { shapeOf } from './scope_rules.js';

/** The chroot that `in` names. */
export type NamedChroot =
  | { readonly type: 'chroot'; readonly id: string }
  /** An input of a library that is not included. */
  | { readonly type: 'open' }
  | (Unresolved & { readonly span?: Span });

/** Finds the chroot that a name in `in` means: a task, or (`inputs.NAME`) the one whose path an include sets for an input. */
export function chrootNamed(name: string, module: Module): NamedChroot {
  const path = name.split('.');
  if (path[0] === 'inputs') return chrootGiven(name, path, module);
  const found = taskNamed(name, module);
  if (found.type === 'unresolved') {
    // An output of a library may be the path of a chroot.
    const binding = bindingOf({ path, start: 0, end: 0, optional: false, inText: false }, module);
    return (binding.type === 'expression' && chrootMeant(binding, [])) || helpedWithPath(path, module, found);
  }
  const [id, ...more] = found.ids;
  if (!isChroot(found.task) || found.released || id === undefined) return unresolved(`"${name}" is not a chroot task`, '"in" names a task with "uses: chroot"');
  if (more.length === 0) return { type: 'chroot', id };
  return unresolved(`"${name}" is ${more.length + 1} chroots, one for each instance`, `name one, e.g. ${id}, or give this task the same axes`);
}

/** The error for `in: ami.chroot.path`, where the chroot itself is to be named. */
function helpedWithPath(path: readonly string[], module: Module, found: Unresolved): Unresolved {
  const name = path.slice(0, -1).join('.');
  // An include is meant as the chroot in it.
  const [inside] = path.length === 1 && module.children.has(path[0] ?? '') ? chrootPaths(module).filter((each) => each.startsWith(`{{ ${path[0]}.`)) : [];
  if (inside !== undefined) return { ...found, help: `write in: ${inside.replace(/^\{\{ | \}\}$/g, '').replace(/\.path$/, '')}` };
  return path.at(-1) === 'path' && chrootNamed(name, module).type === 'chroot' ? { ...found, help: `write in: ${name}` } : found;
}

function chrootGiven(name: string, path: readonly string[], module: Module): NamedChroot {
  const binding = bindingOf({ path, start: 0, end: 0, optional: false, inText: false }, module);
  if (binding.type === 'unresolved') return binding;
  const type = module.recipe.inputs.get(path[1] ?? '')?.type ?? 'string';
  if (isValueType(type) && type !== 'string' && type !== 'path')
    return unresolved(`"${name}" is ${article(type)}, and the path of a chroot is a string`, 'e.g. chroot: {type: string}');
  const chroot = chrootMeant(binding, []);
  if (chroot !== undefined) return chroot;
  const given = binding.type === 'expression' ? { span: binding.value.at.document.spanOf(binding.value.at.pointer) } : {};
  const [example = '{{ ami.chroot.path }}'] = module.parent === undefined ? [] : chrootPaths(module.parent.module);
  return { ...unresolved(`"${name}" must be the path of a chroot: the library runs tasks in it`, `e.g. "${example}"`), ...given };
}

/** What a recipe may write for the paths of chroots: of its own tasks, and of the tasks and outputs of its includes. */
function chrootPaths(module: Module): string[] {
  const ofTasks = ({ recipe }: Module, before: string) =>
    [...recipe.tasks.values()].filter((task) => isChroot(task) && !(before && task.internal)).map(({ name }) => `{{ ${before}${name}.path }}`);
  const ofIncludes = [...module.children].flatMap(([namespace, child]) => [
    ...[...child.recipe.outputs].filter(([, value]) => isChrootPath(value, child)).map(([name]) => `{{ ${namespace}.${name} }}`),
    ...ofTasks(child, `${namespace}.`),
  ]);
  return [...ofTasks(module, ''), ...ofIncludes];
}

/** Whether a value is the path of a chroot, so that `in` may name it. */
export function isChrootPath(value: Value, module: Module): boolean {
  return chrootMeant({ type: 'expression', module, value, rest: [] }, [])?.type === 'chroot';
}

/** The chroot whose path is the value of a name, also through inputs and outputs of libraries. */
function chrootMeant(binding: Binding | Unresolved, open: readonly Value[]): NamedChroot | undefined {
  if (binding.type === 'task' && isChroot(binding.task) && binding.output === 'path' && !binding.list) return { type: 'chroot', id: binding.ids[0] as string };
  if (binding.type === 'input' && binding.module.parent === undefined) return { type: 'open' };
  // `checkValue` reports names inside values that mean nothing, and values that refer to each other.
  if (open.length > 0 && (binding.type === 'unresolved' || (binding.rest.length > 0 && shapeOf(binding) === 'text'))) return { type: 'open' };
  if (binding.type !== 'expression' || binding.rest.length > 0 || open.includes(binding.value)) return undefined;
  const reference = onlyReferenceIn(binding.value);
  return reference && chrootMeant(bindingOf(reference, binding.module), [...open, binding.value]);
}

/** Tasks with errors are not checked. */
function isChroot({ action }: Task): boolean {
  return action.type === 'unknown' || (action.type === 'kind' && action.kind.name === 'chroot');
}

function unresolved(message: string, help: string): Unresolved {
  return { type: 'unresolved', code: 'in', message, help };
}
