import type { Plan, PlanNode } from '../../dsl/plan/plan.js';
import { makePlan } from '../../dsl/plan/plan.js';
import { type GivenInputs, inputsOf, loadRecipe, mustBePlaced } from '../recipe_file.js';
import { print, printJson, styled } from '../terminal/output.js';
import { printFaults } from './check.js';

export interface PlanOptions extends GivenInputs {
  readonly json: boolean;
}

/** `chrootfile plan`: what a run would do, in which order and why, and what its undo would be. */
export function plan(file: string, goals: readonly string[], options: PlanOptions): void {
  const loaded = loadRecipe(file, options);
  const made = makePlan(loaded.module, loaded.tasks, goals);
  mustBePlaced(made);
  inputsOf(loaded);
  printFaults(made.warnings, 'text');
  if (options.json) return printJson(planJson(made));
  const releases = made.nodes.filter((node) => node.type === 'release').length;
  const reach = goals.length > 0 ? `, to reach ${goals.join(', ')}` : '';
  print(`${file}: ${made.nodes.length - releases} tasks, ${releases} releases${reach}`, '');
  for (const [i, node] of made.nodes.entries()) {
    const what = node.type === 'task' ? whatOf(node) : undoOf(node);
    print(`${String(i + 1).padStart(3)} ${styled('bold', node.id)}${what === '' ? '' : `  ${what}`}`);
    if (node.type === 'task' && node.task.task.description !== undefined) print(`      ${styled('dim', node.task.task.description)}`);
    for (const edge of node.after) print(`      after ${edge.from}: ${edge.because}`);
    if (node.type === 'task' && !made.goals.includes(node.id)) print(`      in the plan because ${made.reasons.get(node.id)}`);
    if (node.type === 'task') print(`      undo ${node.task.lifetime === 'hold' ? 'at its release' : 'when the run fails'}: ${undoOf(node)}`);
  }
  if (made.leftOut.length > 0) print('', `left out: ${made.leftOut.join(', ')}`);
}

/** A plan for programs. */
export function planJson(made: Plan) {
  return {
    goals: made.goals,
    nodes: made.nodes.map((node) => ({
      id: node.id,
      type: node.type,
      uses: node.task.task.action.type === 'kind' ? node.task.task.action.kind.name : undefined,
      in: node.task.in,
      lifetime: node.task.lifetime,
      after: node.after.map(({ from, because }) => ({ from, because })),
      because: made.reasons.get(node.id),
      undo: undoOf(node),
    })),
    left_out: made.leftOut,
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
