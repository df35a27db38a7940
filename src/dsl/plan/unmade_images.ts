import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Module } from '../recipe/module.js';
import type { LinkedTask } from '../resolve/link.js';
import { tasksIn } from '../resolve/names.js';

/** The part of a plan that matters for this warning. */
interface Planned {
  readonly tasks: ReadonlyMap<string, LinkedTask>;
  /** The goals set on the command line or in the recipe. */
  readonly named?: { readonly by: 'command' | 'recipe'; readonly goals: readonly string[] } | undefined;
}

/**
 * A warning for each chroot of a library in which tasks of other recipes run while no planned task freezes its volume:
 * the run would succeed, but delete their changes together with the volume.
 */
export function unmadeImages(module: Module, all: ReadonlyMap<string, LinkedTask>, { tasks, named }: Planned): Diagnostic[] {
  const workers = new Map<string, LinkedTask>();
  for (const task of tasks.values()) {
    const chroot = task.in === undefined ? undefined : all.get(task.in);
    if (chroot === undefined || workers.has(chroot.id)) continue;
    const library = libraryOf(chroot);
    if (library !== '' && libraryOf(task) !== library) workers.set(chroot.id, task);
  }
  return [...workers].flatMap(([id, worker]) => {
    const chroot = all.get(id) as LinkedTask;
    const freezers = [...all.values()].filter((task) => task.freezes.some(({ resource }) => chroot.uses.has(resource)));
    const own = freezers.filter((task) => libraryOf(task) === libraryOf(chroot));
    const [freezer] = own;
    if (freezer === undefined || freezers.some((task) => tasks.has(task.id))) return [];
    const { at } = worker.task;
    return {
      code: 'no-image',
      severity: 'warning',
      message: `no image is created from what "${worker.id}" changes in "${id}": no planned task needs "${freezer.id}"`,
      span: at.document.spanOf(`${at.pointer}/in`),
      help: helpFor(module, libraryOf(chroot), all, new Set(own.map((task) => task.id)), named),
    };
  });
}

/** The include of the recipe that a task belongs to; empty for its own tasks. */
function libraryOf({ module }: LinkedTask): string {
  return module.namespace.split('.')[0] ?? '';
}

/** What to write so that one of the freezers is planned; undefined if no output of the library comes from one. */
function helpFor(
  module: Module,
  library: string,
  all: ReadonlyMap<string, LinkedTask>,
  freezers: ReadonlySet<string>,
  named: Planned['named'],
): string | undefined {
  const child = module.children.get(library);
  for (const [output, value] of child?.recipe.outputs ?? []) {
    const [task] = tasksIn(value, child as Module).filter(({ id }) => needsOne(id, freezers, all));
    if (task === undefined) continue;
    const line = `${output}: "{{ ${library}.${output} }}"`;
    if (named === undefined) return module.recipe.outputs.size === 0 ? `outputs: {${line}}` : `add to the outputs: ${line}`;
    const goals = [...named.goals, task.id];
    return named.by === 'recipe' ? `goals: [${goals.join(', ')}]` : `chrootfile run ${module.recipe.document.source.file} ${goals.join(' ')}`;
  }
  return undefined;
}

/** Whether a task is one of these, or needs one, directly or not. */
function needsOne(start: string, wanted: ReadonlySet<string>, all: ReadonlyMap<string, LinkedTask>): boolean {
  const seen = new Set<string>();
  const open = [start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (wanted.has(id)) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    open.push(...(all.get(id)?.links.map((link) => link.to) ?? []));
  }
  return false;
}
