import { evaluate } from '../dsl/evaluate.js';
import type { LinkedTask } from '../dsl/link.js';
import { tasksIn } from '../dsl/names.js';
import type { PlanNode } from '../dsl/plan.js';
import { endedWell, type Left, type NodeOutcome } from './events.js';
import { type Job, runJobs } from './scheduler.js';
import { type Execution, TaskRunner, undoWorld } from './task_runner.js';
import { undoNotes } from './undo.js';
import { runCommandVariables } from './variables.js';

/** How a run ended. */
export interface Outcome {
  readonly ok: boolean;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** What could not be undone, or was kept. */
  readonly left: readonly Left[];
}

/** Runs a plan: its tasks and releases, then, if anything failed, the undo of all that was made. */
export async function execute(execution: Execution): Promise<Outcome> {
  return new Executor(execution).run();
}

class Executor {
  /** Aborts on the user's cancel and on the first failure. */
  private readonly cancel = new AbortController();
  private readonly outcomes = new Map<string, NodeOutcome>();
  private readonly runner: TaskRunner;

  constructor(private readonly x: Execution) {
    this.runner = new TaskRunner(x, this.cancel.signal);
    const { signal } = x.world;
    if (signal.aborted) this.cancel.abort(signal.reason);
    signal.addEventListener('abort', () => this.cancel.abort(signal.reason));
  }

  async run(): Promise<Outcome> {
    const { plan, emit, journal } = this.x;
    let ok = false;
    let outputs: Record<string, unknown> = {};
    try {
      await runCommandVariables(this.x, this.cancel.signal);
      const outcomes = await runJobs(
        plan.nodes.map((node) => this.jobOf(node)),
        {
          places: this.x.places,
          keepGoing: this.x.keepGoing,
          signal: this.cancel.signal,
          onFailure: () => {
            if (!this.x.keepGoing) this.cancel.abort(new Error('another task failed'));
          },
          onUnreached: (id, reason) => {
            this.outcomes.set(id, 'unreached');
            emit({ type: 'task.finished', task: id, outcome: 'unreached', seconds: 0, reason });
          },
        },
      );
      ok = [...outcomes.values()].every(endedWell);
      if (ok) outputs = this.recipeOutputs();
    } catch (error) {
      ok = false;
      if (!this.cancel.signal.aborted) emit({ type: 'warning', message: (error as Error).message });
    }
    if (ok) {
      journal.end('committed');
      for (const action of this.x.atCommit) action();
      return { ok, outputs, left: [] };
    }
    if (this.x.keep) return { ok, outputs: {}, left: this.kept() };
    return { ok, outputs: {}, left: await this.undoAll() };
  }

  private async undoAll(): Promise<Left[]> {
    const { journal, emit } = this.x;
    const notes = journal.open;
    if (notes.length > 0) emit({ type: 'undo.started', reason: this.x.world.signal.aborted ? 'interrupted' : 'a task failed', entries: notes.length });
    const left = await undoNotes(notes, { journal, emit, undoers: this.x.undoers, world: undoWorld(this.x.world), gates: 'all' });
    if (left.length === 0) journal.end('undone');
    return left;
  }

  private kept(): Left[] {
    return [...this.x.journal.open]
      .reverse()
      .map((note) => ({ task: note.task, kind: note.kind, error: 'kept', by_hand: this.x.undoers.get(note.kind)?.byHand(note) ?? [] }));
  }

  private jobOf(node: PlanNode): Job {
    const { action } = node.task.task;
    const work = action.type === 'run' || (action.type === 'kind' && action.kind.name.startsWith('disk.'));
    return {
      id: node.id,
      after: node.after,
      takesPlace: node.type === 'task' && work,
      limits: node.type === 'task' ? limitsOf(node.task) : [],
      run: async () => {
        const outcome = node.type === 'task' ? await this.runner.run(node.task) : await this.release(node);
        this.outcomes.set(node.id, outcome);
        return outcome;
      },
    };
  }

  /** Takes a hold back, now that nothing stands on it any more. */
  private async release(node: PlanNode): Promise<NodeOutcome> {
    const { emit } = this.x;
    const hold = node.task.id;
    const outcome = this.outcomes.get(hold);
    const started = performance.now();
    if (outcome !== 'done' && outcome !== 'failed') {
      emit({ type: 'task.finished', task: node.id, outcome: 'skipped', seconds: 0, reason: `"${hold}" holds nothing` });
      return 'skipped';
    }
    emit({ type: 'task.started', task: node.id, attempt: 1 });
    const [left] = await this.runner.undoNotesOf(hold);
    const seconds = (performance.now() - started) / 1000;
    emit({ type: 'task.finished', task: node.id, outcome: left === undefined ? 'done' : 'failed', seconds, error: left?.error });
    return left === undefined ? 'done' : 'failed';
  }

  private recipeOutputs(): Record<string, unknown> {
    const { plan, facts } = this.x;
    const { module } = plan;
    const known = [...module.recipe.outputs].filter(([, value]) => tasksIn(value, module).every(({ id }) => plan.tasks.has(id)));
    return Object.fromEntries(known.map(([name, value]) => [name, evaluate(value, module, facts)]));
  }
}

/** Instances of one matrix, and tasks of one lock, take turns. */
function limitsOf({ siblings, task }: LinkedTask): Job['limits'] {
  const locks = task.locks.map((name) => ({ name: `lock ${name}`, most: 1 }));
  return siblings === undefined ? locks : [...locks, { name: `matrix ${siblings.of}`, most: siblings.limit }];
}
