import { cycleDiagnostic } from '../diagnostics/cycle.js';
import { type Diagnostic, RecipeError } from '../diagnostics/diagnostic.js';
import type { Module } from '../recipe/module.js';
import { type LinkedTask, nameTheTask } from '../resolve/link.js';
import { taskNamed, tasksIn } from '../resolve/names.js';
import type { Span } from '../syntax/source.js';
import { type Chain, chainsOf, deciders, inTurn } from './chains.js';
import { doubtfulTexts } from './doubtful_texts.js';
import { cycleIn, sorted } from './graph.js';
import { unmadeImages } from './unmade_images.js';

/** What a run will do: tasks and the releases of resources, in an order that respects every edge. */
export interface Plan {
  readonly module: Module;
  readonly tasks: ReadonlyMap<string, LinkedTask>;
  /** In order: an edge never points forward. */
  readonly nodes: readonly PlanNode[];
  readonly goals: readonly string[];
  /** If content of volumes is cached: the tasks whose content one layer holds. */
  readonly chains: readonly Chain[];
  /** Why each task is there: it is a goal, another one needs it, or one freezes what it uses. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Tasks that are not run: the recipe's own, and the public ones of its libraries. */
  readonly leftOut: readonly string[];
  /** What is allowed but probably a mistake. */
  readonly warnings: readonly Diagnostic[];
}

/** A task, or the release of a resource (`root.released`). */
export interface PlanNode {
  readonly id: string;
  readonly type: 'task' | 'release';
  readonly task: LinkedTask;
  readonly after: readonly Edge[];
}

/** Why a node waits for another one. */
export interface Edge {
  readonly from: string;
  readonly because: string;
  /** Whether `from` must have succeeded; otherwise it must only have ended. */
  readonly requires: boolean;
  readonly span: Span;
}

/**
 * The plan for some goals.
 * @param goals ids of tasks; if empty, those of the recipe, else all its tasks that are not internal.
 * @param also ids of tasks to plan besides the goals.
 * @param cached whether content of volumes is cached; by default the recipe decides.
 * @throws RecipeError for unknown goals and for tasks that wait for each other.
 */
export function makePlan(
  module: Module,
  all: ReadonlyMap<string, LinkedTask>,
  goals: readonly string[],
  cached = isCached(module),
  also: readonly string[] = [],
): Plan {
  const wanted = [...(goals.length > 0 ? goalsNamed(goals, module) : defaultGoals(module)), ...also];
  const reasons = closure(wanted, all);
  const tasks = new Map([...all].filter(([id]) => reasons.has(id)));
  const graph = new Map<string, PlanNode & { after: Edge[] }>();
  const users = new Users(tasks.values());
  for (const task of tasks.values()) {
    graph.set(task.id, { id: task.id, type: 'task', task, after: edgesOf(task, users) });
    if (task.lifetime === 'resource')
      graph.set(`${task.id}.released`, { id: `${task.id}.released`, type: 'release', task, after: releaseEdges(task, users, tasks) });
  }
  failOnCycle(graph);
  const rankOf = ranks(graph, all.size);
  orderChroots(graph);
  chainChroots(sortNodes(graph, rankOf));
  const chains = cached ? orderChains(graph, rankOf) : [];
  const nodes = sortNodes(graph, rankOf);
  const leftOut = [...all.values()]
    .filter(({ id, task, module: own }) => !reasons.has(id) && (own.namespace === module.namespace || !task.internal))
    .map(({ id }) => id);
  const own = module.recipe.goals?.map((goal) => goal.name);
  const named = goals.length > 0 ? { by: 'command' as const, goals } : own && { by: 'recipe' as const, goals: own };
  return {
    module,
    tasks,
    nodes,
    goals: wanted,
    chains,
    reasons,
    leftOut,
    warnings: [...unmadeImages(module, all, { tasks, named }), ...doubtfulTexts(module)],
  };
}

/** The part of a plan that comes before a task, with the task itself and the releases. */
export function upTo(plan: Plan, task: string): Plan {
  const byId = new Map(plan.nodes.map((node) => [node.id, node]));
  const kept = new Set([task]);
  for (const id of kept) for (const { from } of byId.get(id)?.after ?? []) kept.add(from);
  for (const { id, type, task: resource } of plan.nodes) if (type === 'release' && kept.has(resource.id)) kept.add(id);
  const nodes = plan.nodes.filter(({ id }) => kept.has(id)).map((node) => ({ ...node, after: node.after.filter(({ from }) => kept.has(from)) }));
  const chains = plan.chains
    .map((chain) => ({ ...chain, members: chain.members.filter(({ id }) => kept.has(id)), looks: chain.looks.filter(({ task: { id } }) => kept.has(id)) }))
    .filter(({ members }) => members.length > 0);
  return { ...plan, nodes, chains, goals: [task], tasks: new Map([...plan.tasks].filter(([id]) => kept.has(id))) };
}

function goalsNamed(goals: readonly string[], module: Module): string[] {
  const diagnostics: Diagnostic[] = [];
  const ids = goals.flatMap((goal) => {
    const found = taskNamed(goal, module);
    if (found.type === 'task' && !found.released) return found.ids;
    const message = found.type === 'unresolved' ? found.message : `"${goal}" is a release, not a task`;
    diagnostics.push({ code: 'goal', message, help: found.type === 'unresolved' ? found.help : nameTheTask(goal) });
    return [];
  });
  if (diagnostics.length > 0) throw new RecipeError(diagnostics);
  return [...new Set(ids)];
}

function defaultGoals(module: Module): string[] {
  const { recipe } = module;
  const named = recipe.goals?.map((goal) => goal.name) ?? [...recipe.tasks.values()].filter((task) => !task.internal).map((task) => task.name);
  const ids = [...new Set(named)].flatMap((name) => {
    const found = taskNamed(name, module);
    return found.type === 'unresolved' ? [name] : found.ids;
  });
  if (recipe.goals === undefined) {
    for (const value of recipe.outputs.values()) for (const { id } of tasksIn(value, module)) ids.push(id);
  }
  return [...new Set(ids)];
}

/** The goals, what they need, and what frozen parameters pull in, each with its reason. */
function closure(goals: readonly string[], all: ReadonlyMap<string, LinkedTask>): Map<string, string> {
  const reasons = new Map<string, string>();
  const users = new Users(all.values());
  const needed = (start: readonly string[], because: string) => {
    const waiting = start.map((id) => ({ id, because }));
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { id } = next;
      const task = all.get(id);
      if (task === undefined || reasons.has(id)) continue;
      reasons.set(id, next.because);
      const because = `"${id}" needs it`;
      for (const link of task.links) if (!reasons.has(link.to)) waiting.push({ id: link.to, because });
    }
  };
  needed(goals, 'it is a goal');
  // Adds the users of frozen resources. The map grows during the loop, since an added task may freeze resources too.
  for (const id of reasons.keys()) {
    const task = all.get(id) as LinkedTask;
    for (const { resource } of task.freezes) {
      for (const user of users.through(resource, task)) needed([user.id], `"${id}" freezes "${resource}"`);
    }
  }
  return reasons;
}

/** The tasks that use each resource, in written order. */
class Users {
  private readonly byResource = new Map<string, LinkedTask[]>();

  constructor(tasks: Iterable<LinkedTask>) {
    for (const task of tasks) {
      for (const resource of task.uses) {
        const users = this.byResource.get(resource);
        if (users === undefined) this.byResource.set(resource, [task]);
        else users.push(task);
      }
    }
  }

  of(resource: string): readonly LinkedTask[] {
    return this.byResource.get(resource) ?? [];
  }

  resourcesOn(resource: string): readonly LinkedTask[] {
    return this.of(resource).filter((user) => user.lifetime === 'resource');
  }

  /** The tasks that use a resource which uses the frozen one, and those resources. */
  through(frozen: string, freezer: LinkedTask): readonly LinkedTask[] {
    const users = new Set(this.resourcesOn(frozen).flatMap((resource) => this.of(resource.id)));
    users.delete(freezer);
    return [...users].sort((a, b) => a.rank - b.rank);
  }
}

function edgesOf(task: LinkedTask, users: Users): Edge[] {
  const edges = new Map<string, Edge>();
  const add = (edge: Edge) => {
    if (!edges.has(edge.from)) edges.set(edge.from, edge);
  };
  for (const { to, released, because, span } of task.links) add({ from: released ? `${to}.released` : to, because, requires: true, span });
  for (const { resource, parameter, span } of task.freezes) {
    const because = `freezes "${resource}" (${parameter})`;
    for (const user of users.resourcesOn(resource)) add({ from: `${user.id}.released`, because, requires: true, span });
    for (const user of users.through(resource, task)) add({ from: user.id, because, requires: true, span });
  }
  return [...edges.values()];
}

function releaseEdges(resource: LinkedTask, users: Users, tasks: ReadonlyMap<string, LinkedTask>): Edge[] {
  const span = resource.task.at.document.keySpanOf(resource.task.at.pointer);
  const edges: Edge[] = [{ from: resource.id, because: `releases "${resource.id}"`, requires: false, span }];
  for (const user of users.of(resource.id)) {
    const from = user.lifetime === 'resource' ? `${user.id}.released` : user.id;
    const link = user.links.find((l) => l.to === resource.id) ?? user.links.find((l) => tasks.get(l.to)?.uses.has(resource.id));
    edges.push({ from, because: `"${user.id}" uses it`, requires: false, span: link?.span ?? span });
  }
  return edges;
}

/** If no other edge orders them, tasks in one chroot run in written order: each waits for the one before. */
function orderChroots(graph: ReadonlyMap<string, PlanNode & { after: Edge[] }>): void {
  const last = new Map<string, PlanNode>();
  for (const node of graph.values()) {
    const chroot = node.type === 'task' ? node.task.in : undefined;
    if (chroot === undefined) continue;
    const before = last.get(chroot);
    const known = before !== undefined && node.after.some((edge) => edge.from === before.id);
    if (before !== undefined && !known && !comesAfter(before.id, node.id, graph)) node.after.push(chrootEdge(node, before.id, chroot));
    last.set(chroot, node);
  }
}

/** Whether a node must wait for another, directly or not. */
function comesAfter(node: string, other: string, graph: ReadonlyMap<string, PlanNode>): boolean {
  const seen = new Set<string>();
  const open = [node];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (id === other) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    open.push(...(graph.get(id)?.after.map((edge) => edge.from) ?? []));
  }
  return false;
}

function chrootEdge(node: PlanNode, from: string, chroot: string): Edge {
  const { at } = node.task.task;
  return { from, because: `runs in the same chroot, "${chroot}"`, requires: false, span: at.document.keySpanOf(at.pointer) };
}

/** Tasks in one chroot run one at a time. The nodes are sorted already, so an edge from each to the next closes no cycle. */
function chainChroots(nodes: readonly (PlanNode & { after: Edge[] })[]): void {
  const last = new Map<string, string>();
  for (const node of nodes) {
    const chroot = node.type === 'task' ? node.task.in : undefined;
    if (chroot === undefined) continue;
    const before = last.get(chroot);
    if (before !== undefined && !node.after.some((edge) => edge.from === before)) node.after.push(chrootEdge(node, before, chroot));
    last.set(chroot, node.id);
  }
}

/** Whether a recipe asks for a cache, as a whole or for one of its tasks. */
function isCached({ recipe }: Module): boolean {
  return recipe.cache === undefined ? [...recipe.tasks.values()].some(({ cache }) => cache) : recipe.cache !== false;
}

/**
 * Orders the tasks of each chain: the values that decide what they leave must be known before its first volume is made,
 * and one runs after the other, because a layer holds the content of all tasks before it. Meanwhile nothing else may happen on
 * the volume: it is read-only while a layer is made.
 */
function orderChains(graph: ReadonlyMap<string, PlanNode & { after: Edge[] }>, rankOf: (id: string) => number): Chain[] {
  const find = () => chainsOf(sortNodes(graph, rankOf).flatMap((node) => (node.type === 'task' ? [node.task] : [])));
  const add = (to: string, { id, task }: Pick<PlanNode, 'id' | 'task'>, because: string, requires: boolean) => {
    const { at } = task.task;
    const node = graph.get(to);
    if (node === undefined || comesAfter(to, id, graph) || comesAfter(id, to, graph)) return;
    node.after.push({ from: id, because, requires, span: at.document.keySpanOf(at.pointer) });
  };
  const all = [...graph.values()].filter((node) => node.type === 'task').map((node) => node.task);
  for (const chain of find()) {
    const [first] = chain.members;
    for (const task of deciders(chain, all)) if (first !== undefined) add(first.id, { id: task.id, task }, 'decides what is on the volume', true);
  }
  const chains = find();
  for (const chain of chains) {
    for (const [node, before] of inTurn(chain, sortNodes(graph, rankOf))) add(node.id, before, 'changes the same volume', false);
  }
  return chains;
}

function sortNodes<Node extends PlanNode>(graph: ReadonlyMap<string, Node>, rankOf: (id: string) => number): Node[] {
  const predecessors = new Map([...graph].map(([id, node]) => [id, node.after.map((edge) => edge.from)]));
  return sorted(predecessors, rankOf).map((id) => graph.get(id) as Node);
}

/** Tasks as written, then releases, the resource written last first. */
function ranks(graph: ReadonlyMap<string, PlanNode>, count: number): (id: string) => number {
  return (id) => {
    const node = graph.get(id) as PlanNode;
    return node.type === 'task' ? node.task.rank : 2 * count - node.task.rank;
  };
}

function failOnCycle(graph: ReadonlyMap<string, PlanNode>): void {
  const cycle = cycleIn(new Map([...graph].map(([id, node]) => [id, node.after.map((edge) => edge.from)])));
  if (cycle === undefined) return;
  throw new RecipeError([cycleDiagnostic(cycle, (from, to) => graph.get(from)?.after.find((edge) => edge.from === to))]);
}
