import { article } from '../recipe/inputs.js';
import type { Module } from '../recipe/module.js';
import type { Task } from '../recipe/types.js';
import type { Span } from '../syntax/source.js';
import { onlyReferenceIn, type Value } from '../syntax/values.js';
import { type Meaning, type Meaningless, meaningOf, taskNamed } from './names.js';

/** The chroot that `in` means. */
export type NamedChroot =
  | { readonly type: 'chroot'; readonly id: string }
  /** An input of a library that nobody includes. */
  | { readonly type: 'open' }
  | (Meaningless & { readonly span?: Span });

/** Finds the chroot that a name in `in` means: a task, or (`inputs.NAME`) the one whose path an include gives for an input. */
export function chrootNamed(name: string, module: Module): NamedChroot {
  const path = name.split('.');
  if (path[0] === 'inputs') return chrootGiven(name, path, module);
  const found = taskNamed(name, module);
  if (found.type === 'fault') {
    // An output of a library may stand for the chroot whose path it is.
    const meaning = meaningOf({ path, start: 0, end: 0, optional: false, inText: false }, module);
    return (meaning.type === 'expression' && chrootMeant(meaning, [])) || found;
  }
  const [id, ...more] = found.ids;
  if (!isChroot(found.task) || found.released || id === undefined) return fault(`"${name}" is not a chroot task`, '"in" names a task with "uses: chroot"');
  if (more.length === 0) return { type: 'chroot', id };
  return fault(`"${name}" is ${more.length + 1} chroots, one for each instance`, `name one, e.g. ${id}, or give this task the same axes`);
}

function chrootGiven(name: string, path: readonly string[], module: Module): NamedChroot {
  const meaning = meaningOf({ path, start: 0, end: 0, optional: false, inText: false }, module);
  if (meaning.type === 'fault') return meaning;
  const type = module.recipe.inputs.get(path[1] ?? '')?.type ?? 'string';
  if (type !== 'string' && type !== 'path') return fault(`"${name}" is ${article(type)}, and the path of a chroot is a string`, 'e.g. chroot: {type: string}');
  const chroot = chrootMeant(meaning, []);
  if (chroot !== undefined) return chroot;
  const given = meaning.type === 'expression' ? { span: meaning.value.at.document.spanOf(meaning.value.at.pointer) } : {};
  return { ...fault(`"${name}" must be the path of a chroot: the library runs tasks in it`, 'e.g. "{{ ami.chroot.path }}"'), ...given };
}

/** The chroot whose path a name means, and nothing else; through inputs and outputs of libraries too. */
function chrootMeant(meaning: Meaning | Meaningless, open: readonly Value[]): NamedChroot | undefined {
  if (meaning.type === 'task' && isChroot(meaning.task) && meaning.output === 'path' && !meaning.list) return { type: 'chroot', id: meaning.ids[0] as string };
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

function fault(message: string, help: string): Meaningless {
  return { type: 'fault', code: 'in', message, help };
}
