import type { LinkedTask } from '../resolve/link.js';
import { tasksIn } from '../resolve/names.js';
import type { Value } from '../syntax/values.js';

/** Volumes and the tasks that leave content on them, in the order in which they run. Volumes that share a task share a chain. */
export interface Chain {
  /** The volumes themselves are members too. The first member is a volume. */
  readonly members: readonly LinkedTask[];
  /** Tasks that look for something on the volumes, each with the number of members that come before it. */
  readonly looks: readonly { readonly task: LinkedTask; readonly after: number }[];
  /** Why later tasks are not in the chain: they run in every run. */
  readonly end?: { readonly task: string; readonly reason: string } | undefined;
  /** Tasks after the end that leave content on the volumes. */
  readonly later: readonly LinkedTask[];
}

/**
 * The chains of a plan.
 * @param order all tasks in the order in which they may run.
 */
export function chainsOf(order: readonly LinkedTask[]): Chain[] {
  const chains = groupsOf(order).map((volumes): Chain => {
    const members: LinkedTask[] = [];
    const looks: Chain['looks'][number][] = [];
    const later: LinkedTask[] = [];
    let end: Chain['end'];
    for (const task of order) {
      if (!isOn(volumes, task)) continue;
      const part = partOf(task);
      if (task.task.action.type === 'kind' && task.task.action.kind.looks) looks.push({ task, after: members.length });
      if (part.type === 'handle') continue;
      if (part.type === 'end') end ??= { task: task.id, reason: part.reason };
      if (end === undefined) members.push(task);
      else if (task.task.action.type === 'run' || part.type === 'content') later.push(task);
    }
    return { members, looks, later, end };
  });
  return chains.filter(({ members: [first] }) => first !== undefined && makesDisk(first));
}

/** Tasks, not of the chain, that decide what the tasks of a chain leave: they must run before its first member. */
export function deciders(chain: Chain, all: Iterable<LinkedTask>): LinkedTask[] {
  const volumes = volumesOf(chain);
  const found = new Map<string, LinkedTask>();
  const byId = new Map([...all].map((task) => [task.id, task]));
  for (const task of byId.values()) {
    if (!isOn(volumes, task) || (task.lifetime === 'step' && !chain.members.includes(task))) continue;
    const referred = valuesOf(task).flatMap((value) => tasksIn(value, task.module).map(({ id }) => id));
    // Files that it reads may be made by a task that it only needs.
    const needed = readsFiles(task) ? task.links.map(({ to }) => to) : [];
    for (const id of [...referred, ...needed]) {
      const other = byId.get(id);
      if (other !== undefined && !isHandle(other) && !isOn(volumes, other)) found.set(id, other);
    }
  }
  return [...found.values()];
}

/** Whether its outputs stand for something that is made in every run, such as a mount point. The outputs of scripts are values. */
export function isHandle({ lifetime, task: { action } }: LinkedTask): boolean {
  return lifetime === 'resource' && action.type === 'kind';
}

/** Whether files of the build host decide what it leaves. */
export function readsFiles({ task: { action, freshness } }: LinkedTask): boolean {
  return (freshness?.sources.length ?? 0) > 0 || (action.type === 'kind' && action.kind.copies !== undefined);
}

/**
 * Nodes of a plan that do not happen at the same time, each with the one it waits for: a task of a chain, and whatever else
 * is done with its volumes before and after. That is also the creation and the release of resources such as mounts.
 * @param nodes all nodes in the order in which they may happen.
 */
export function inTurn<Node extends { readonly id: string; readonly task: LinkedTask }>(chain: Chain, nodes: readonly Node[]): [Node, before: Node][] {
  const volumes = volumesOf(chain);
  const members = new Set(chain.members.map(({ id }) => id));
  const found: [Node, Node][] = [];
  let last: Node | undefined;
  let between: Node[] = [];
  for (const node of nodes) {
    if (!isOn(volumes, node.task)) continue;
    if (last !== undefined) found.push([node, last]);
    if (members.has(node.id)) {
      for (const other of between) found.push([node, other]);
      [last, between] = [node, []];
    } else between.push(node);
  }
  return found;
}

/** Whether a task makes one of some volumes, or uses one. */
export function isOn(volumes: ReadonlySet<string>, { id, uses }: LinkedTask): boolean {
  return volumes.has(id) || [...volumes].some((volume) => uses.has(volume));
}

/** The volumes of a chain. */
export function volumesOf({ members }: Pick<Chain, 'members'>): ReadonlySet<string> {
  return new Set(members.filter(makesDisk).map(({ id }) => id));
}

/** The values that decide what a task does. */
export function valuesOf({ task, module }: LinkedTask): Value[] {
  const { action, freshness } = task;
  const own = action.type === 'kind' ? [...action.with.values()] : [];
  const script = action.type === 'run' ? [action.script, action.dir, ...module.recipe.env.values(), ...action.env.values()] : [];
  return [task.if, ...own, ...script, ...(freshness?.sources ?? [])].filter((value) => value !== undefined);
}

export function makesDisk({ task: { action } }: LinkedTask): boolean {
  return action.type === 'kind' && action.kind.deletesDisk === true;
}

/** Volumes, grouped: two that a task uses both are in one group. */
function groupsOf(order: readonly LinkedTask[]): ReadonlySet<string>[] {
  const groups = new Map(order.filter(makesDisk).map(({ id }) => [id, new Set([id])]));
  for (const { uses } of order) {
    const [first, ...others] = [...uses].flatMap((id) => groups.get(id) ?? []);
    for (const other of others) {
      if (first === undefined || other === first) continue;
      for (const id of other) groups.set(id, first.add(id));
    }
  }
  return [...new Set(groups.values())];
}

type Part = { readonly type: 'content' | 'handle' } | { readonly type: 'end'; readonly reason: string };

/** What a task that uses a volume is in its chain. */
function partOf(linked: LinkedTask): Part {
  const { task, module } = linked;
  const { action } = task;
  const end = (reason: string): Part => ({ type: 'end', reason });
  if (action.type === 'group') return { type: 'handle' };
  if (task.cache === false) return end('it has cache: false');
  if (task.cache === undefined && module.parent !== undefined && module.recipe.cache === false) return end('its library has cache: false');
  if (makesDisk(linked)) return { type: 'content' };
  if (action.type === 'kind') {
    if (action.kind.content !== undefined) return { type: 'content' };
    return action.kind.lifetime === 'resource' ? { type: 'handle' } : end(`${action.kind.name} runs in every run`);
  }
  if (action.type !== 'run') return end('it has errors');
  if (action.interactive) return end('it is interactive');
  if (action.undo?.when === 'always' && action.reopen === undefined) return end('it is a resource without "reopen"');
  if ([...action.outputs.values()].some(({ secret }) => secret)) return end('it has a secret output');
  return { type: 'content' };
}
