import type { Plan, PlanNode } from '../../dsl/plan/plan.js';
import type { KnownBefore } from '../../dsl/resolve/matrix.js';
import { writtenText } from '../../dsl/syntax/values.js';
import type { Verdict } from '../../runtime/layers/why.js';
import { kinds } from '../../tasks/index.js';
import { reducedLinks } from '../reduced_links.js';
import { knownWith } from '../requirements.js';
import type { PlanJson } from '../schemas/plan.js';
import { print, styled, table } from '../terminal/output.js';
import { counted } from './lines.js';

/** How a plan is printed. */
export interface PlanText {
  readonly file: string;
  readonly goals: readonly string[];
  readonly known: KnownBefore;
  /** Whether to print why each task is there, what it waits for, and its undo. */
  readonly why: boolean;
  /** For `why`: whether tasks are cached. */
  readonly cache: readonly Verdict[];
}

/** Prints a plan for people: one line per task, and the total. */
export function printPlan(plan: Plan, { file, goals, known, why, cache }: PlanText): void {
  const releases = plan.nodes.filter((node) => node.type === 'release').length;
  const reach = goals.length > 0 ? `, to reach ${goals.join(', ')}` : '';
  print(`${file}: ${counted(plan.nodes.length - releases, 'task')}, ${counted(releases, 'release')}${reach}`, '');
  const shown = plan.nodes.filter((node) => why || node.type === 'task');
  const [, ...lines] = table([['', '', '', ''], ...shown.map((node, i) => [String(i + 1).padStart(3), node.id, whatOf(node), valuesOf(node, known)])]);
  const links = reducedLinks(plan);
  for (const [i, node] of shown.entries()) {
    print((lines[i] ?? '').trimEnd());
    if (!why) continue;
    if (node.type === 'task' && node.task.task.description !== undefined) print(`      ${styled('dim', node.task.task.description)}`);
    for (const edge of links.get(node.id) ?? []) print(`      after ${edge.from}: ${edge.because}`);
    if (node.type === 'task' && !plan.goals.includes(node.id)) print(`      in the plan because ${plan.reasons.get(node.id)}`);
    const verdict = node.type === 'task' ? cache.find(({ task }) => task === node.id) : undefined;
    if (verdict !== undefined) print(`      ${verdict.cached ? 'cached' : 'runs'}${verdict.reason === '' ? '' : `: ${verdict.reason}`}`);
    if (node.type === 'task') print(`      undo ${node.task.lifetime === 'resource' ? 'at its release' : 'when the run fails'}: ${undoOf(node)}`);
  }
  const { creates, keeps } = totalOf(plan);
  print('', `creates ${creates.length}, keeps ${keeps.length}${keeps.length === 0 ? '' : ` (${keeps.join(', ')})`}`);
  if (plan.leftOut.length > 0) print(`left out: ${plan.leftOut.join(', ')}`);
}

/** A plan for programs. @param known what is known before the run; without it, no values are included. */
export function planJson(plan: Plan, known?: KnownBefore): PlanJson {
  return {
    version: 1,
    goals: [...plan.goals],
    nodes: plan.nodes.map((node) => ({
      id: node.id,
      type: node.type,
      ...(node.task.task.action.type === 'kind' ? { uses: node.task.task.action.kind.name } : {}),
      ...(node.task.in === undefined ? {} : { in: node.task.in }),
      ...(known === undefined || node.type === 'release' || node.task.task.action.type !== 'kind' ? {} : { with: knownWith(node.task, known) }),
      lifetime: node.task.lifetime,
      after: node.after.map(({ from, because }) => ({ from, because })),
      ...(plan.reasons.has(node.id) ? { because: plan.reasons.get(node.id) as string } : {}),
      undo: undoOf(node),
    })),
    ...totalOf(plan),
    left_out: [...plan.leftOut],
  };
}

/** The tasks that create something, and those whose work stays when the run succeeds. */
function totalOf(plan: Plan): { creates: string[]; keeps: string[] } {
  const artifacts = new Set(kinds.filter((kind) => kind.artifacts !== undefined).map(({ name }) => name));
  const tasks = [...plan.tasks.values()];
  const creates = tasks.filter(({ task: { action } }) =>
    action.type === 'kind' ? action.kind.undoes !== undefined : action.type === 'run' && action.undo !== undefined,
  );
  const keeps = creates.filter(({ task: { action } }) => action.type === 'kind' && artifacts.has(action.kind.name));
  return { creates: creates.map(({ id }) => id), keeps: keeps.map(({ id }) => id) };
}

function whatOf(node: PlanNode): string {
  if (node.type === 'release') return 'release';
  const { action } = node.task.task;
  const where = node.task.in === undefined ? '' : ` in ${node.task.in}`;
  return action.type === 'kind'
    ? `${action.kind.name}${where}`
    : action.type === 'run'
      ? `run${where}${action.interactive ? ', on the terminal' : ''}`
      : 'group';
}

/** The values of `with` that are known, each short enough for a line. */
function valuesOf(node: PlanNode, known: KnownBefore): string {
  if (node.type === 'release') return '';
  return Object.entries(knownWith(node.task, known))
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const)
    .map(([name, text]) => `${name}=${text.length > 40 ? `${text.slice(0, 39)}…` : text}`.replaceAll('\n', ' '))
    .join(' ');
}

function undoOf(node: PlanNode): string {
  const { action } = node.task.task;
  if (action.type === 'kind') return action.kind.undoes ?? 'nothing';
  if (action.type !== 'run' || action.undo === undefined) return 'nothing';
  return writtenText(action.undo.script).trim().split('\n')[0] ?? '';
}
