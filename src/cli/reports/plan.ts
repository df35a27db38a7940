import type { Plan, PlanNode } from '../../dsl/plan/plan.js';
import { print, styled } from '../terminal/output.js';

/** Prints a plan, for people. */
export function printPlan(plan: Plan, file: string, goals: readonly string[]): void {
  const releases = plan.nodes.filter((node) => node.type === 'release').length;
  const reach = goals.length > 0 ? `, to reach ${goals.join(', ')}` : '';
  print(`${file}: ${plan.nodes.length - releases} tasks, ${releases} releases${reach}`, '');
  for (const [i, node] of plan.nodes.entries()) {
    const what = node.type === 'task' ? whatOf(node) : undoOf(node);
    print(`${String(i + 1).padStart(3)} ${styled('bold', node.id)}${what === '' ? '' : `  ${what}`}`);
    if (node.type === 'task' && node.task.task.description !== undefined) print(`      ${styled('dim', node.task.task.description)}`);
    for (const edge of node.after) print(`      after ${edge.from}: ${edge.because}`);
    if (node.type === 'task' && !plan.goals.includes(node.id)) print(`      in the plan because ${plan.reasons.get(node.id)}`);
    if (node.type === 'task') print(`      undo ${node.task.lifetime === 'resource' ? 'at its release' : 'when the run fails'}: ${undoOf(node)}`);
  }
  if (plan.leftOut.length > 0) print('', `left out: ${plan.leftOut.join(', ')}`);
}

/** A plan for programs. */
export function planJson(plan: Plan) {
  return {
    goals: plan.goals,
    nodes: plan.nodes.map((node) => ({
      id: node.id,
      type: node.type,
      uses: node.task.task.action.type === 'kind' ? node.task.task.action.kind.name : undefined,
      in: node.task.in,
      lifetime: node.task.lifetime,
      after: node.after.map(({ from, because }) => ({ from, because })),
      because: plan.reasons.get(node.id),
      undo: undoOf(node),
    })),
    left_out: plan.leftOut,
  };
}

function whatOf(node: PlanNode): string {
  const { action } = node.task.task;
  const where = node.task.in === undefined ? '' : ` in ${node.task.in}`;
  return action.type === 'kind'
    ? `${action.kind.name}${where}`
    : action.type === 'run'
      ? `run${where}${action.interactive ? ', on the terminal' : ''}`
      : 'group';
}

function undoOf(node: PlanNode): string {
  const { action } = node.task.task;
  if (action.type === 'kind') return action.kind.takesBack ?? 'nothing';
  if (action.type !== 'run' || action.undo === undefined) return 'nothing';
  const { script } = action.undo;
  const text = script.type === 'template' ? script.template.text : script.type === 'literal' ? String(script.value) : '';
  return text.trim().split('\n')[0] ?? '';
}
