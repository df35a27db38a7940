import { article, isValueType } from '../recipe/inputs.js';
import type { Module } from '../recipe/module.js';
import type { Task } from '../recipe/types.js';
import type { Span } from '../syntax/source.js';
import { onlyReferenceIn, type Value } from '../syntax/values.js';
import { type Binding, bindingOf, taskNamed, type Unresolved } from './names.js';

/** The chroot that `in` means. */
export type NamedChroot =
  | { readonly type: 'chroot'; readonly id: string }
  /** An input of a library that nobody includes. */
  | { readonly type: 'open' }
  | (Unresolved & { readonly span?: Span });

/** Finds the chroot that a name in `in` means: a task, or (`inputs.NAME`) the one whose path an include gives for an input. */
export function chrootNamed(name: string, module: Module): NamedChroot {
  const path = name.split('.');
  if (path[0] === 'inputs') return chrootGiven(name, path, module);
  const found = taskNamed(name, module);
  if (found.type === 'unresolved') {
    // An output of a library may stand for the chroot whose path it is.
    const binding = bindingOf({ path, start: 0, end: 0, optional: false, inText: false }, module);
    return (binding.type === 'expression' && chrootMeant(binding, [])) || found;
  }
  const [id, ...more] = found.ids;
  if (!isChroot(found.task) || found.released || id === undefined) return unresolved(`"${name}" is not a chroot task`, '"in" names a task with "uses: chroot"');
  if (more.length === 0) return { type: 'chroot', id };
  return unresolved(`"${name}" is ${more.length + 1} chroots, one for each instance`, `name one, e.g. ${id}, or give this task the same axes`);
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
  return { ...unresolved(`"${name}" must be the path of a chroot: the library runs tasks in it`, 'e.g. "{{ ami.chroot.path }}"'), ...given };
}

/** The chroot whose path a name means, and nothing else; through inputs and outputs of libraries too. */
function chrootMeant(binding: Binding | Unresolved, open: readonly Value[]): NamedChroot | undefined {
  if (binding.type === 'task' && isChroot(binding.task) && binding.output === 'path' && !binding.list) return { type: 'chroot', id: binding.ids[0] as string };
  if (binding.type === 'input' && binding.module.parent === undefined) return { type: 'open' };
  // Values that refer to each other are told by `checkValue`.
  if (binding.type !== 'expression' || binding.rest.length > 0 || open.includes(binding.value)) return undefined;
  const reference = onlyReferenceIn(binding.value);
  return reference && chrootMeant(bindingOf(reference, binding.module), [...open, binding.value]);
}

/** Tasks with errors of their own may be anything. */
function isChroot({ action }: Task): boolean {
  return action.type === 'unknown' || (action.type === 'kind' && action.kind.name === 'chroot');
}

function unresolved(message: string, help: string): Unresolved {
  return { type: 'unresolved', code: 'in', message, help };
}
