import { evaluate } from '../../dsl/evaluate.js';
import type { PlanNode } from '../../dsl/plan/plan.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { tasksIn } from '../../dsl/resolve/names.js';
import type { Layer } from '../layers/layer_records.js';
import type { Layers } from '../layers/layers.js';
import type { Ended } from '../runs/resume_state.js';
import { endUndo, leftOf, undoNotes } from '../runs/undo.js';
import { isSatisfied, type Left, type NodeOutcome } from './events.js';
import type { Execution, FailedTask } from './execution.js';
import { renewStandInsIfPossible } from './renew_stand_ins.js';
import { type Job, runJobs } from './scheduler.js';
import { TaskNotes } from './task_notes.js';
import { TaskRunner } from './task_runner.js';
import { runCommandVariables } from './variables.js';

/** How a run ended. */
export interface Outcome {
  readonly ok: boolean;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Why outputs of a successful run could not be computed. */
  readonly outputsError?: string | undefined;
  /** What could not be undone, or was kept. */
  readonly left: readonly Left[];
  /** For a run that was kept: the nodes that succeeded. */
  readonly kept?: ReadonlyMap<string, Ended>;
  /** For a run that was kept: the layers from which its volumes were made. */
  readonly layers?: Readonly<Record<string, Layer>>;
}

/** Runs the tasks and releases of a plan. If anything fails, undoes all changes. */
export async function execute(execution: Execution): Promise<Outcome> {
  return new Executor(execution).run();
}

class Executor {
  private readonly outcomes = new Map<string, NodeOutcome>();
  private readonly notes: TaskNotes;
  private layers: Layers | undefined;
  /** The tasks that failed in the last attempt. */
  private failed: readonly FailedTask[] = [];

  constructor(private readonly execution: Execution) {
    this.notes = new TaskNotes(execution);
    for (const [id, { outcome, outputs }] of execution.done) {
      this.outcomes.set(id, outcome);
      execution.facts.setOutputs(id, outputs);
    }
  }

  async run(): Promise<Outcome> {
    this.layers = await this.openLayers();
    try {
      return await this.attempts();
    } finally {
      this.layers?.end();
    }
  }

  private async attempts(): Promise<Outcome> {
    const { onFailure, host, atCommit, keepsResources } = this.execution;
    for (;;) {
      const hasSucceeded = await this.attempt();
      if (hasSucceeded && this.execution.discards) {
        const left = await this.undoAll();
        return { ok: left.length === 0, outputs: {}, left };
      }
      if (hasSucceeded && (await this.commit())) {
        for (const action of atCommit) await this.atEnd(action);
        return { ok: true, ...this.recipeOutputs(), left: [] };
      }
      if (keepsResources) await this.renewStandIns();
      // Other runs must not wait for a person.
      this.layers?.end();
      const wish = await onFailure(this.failed, host.signal.aborted);
      if (wish === 'keep') return { ok: false, outputs: {}, left: this.kept(), kept: this.satisfied(), layers: this.layers?.used ?? {} };
      if (wish === 'undo' || host.signal.aborted) return { ok: false, outputs: {}, left: await this.undoAll() };
    }
  }

  /** Loaded only by runs that need them. */
  private async openLayers(): Promise<Layers | undefined> {
    if (this.execution.plan.chains.length === 0) return undefined;
    const { Layers } = await import('../layers/layers.js');
    return new Layers(this.execution, this.notes);
  }

  /** Renews stand-ins in the chroots of failed tasks, because the user may open a shell there. */
  private async renewStandIns(): Promise<void> {
    const { journal, host } = this.execution;
    for (const { task } of this.failed) if (task.in !== undefined) await renewStandInsIfPossible(journal, task.in, host.warn);
  }

  /** From here on the results are kept, whatever happens. @returns whether the journal could record that. */
  private async commit(): Promise<boolean> {
    const { journal, emit, beforeCommit } = this.execution;
    try {
      await beforeCommit();
      if (!journal.isInPlace) throw new Error('the state folder was removed or moved during the run');
      journal.end('committed');
      if (journal.failure !== undefined) emit({ type: 'warning', message: `the run may not count as succeeded after a power cut: ${journal.failure.message}` });
      return true;
    } catch (error) {
      emit({ type: 'warning', message: `the run cannot be completed: ${(error as Error).message}` });
      return false;
    }
  }

  /** Runs all nodes that have not succeeded yet. @returns whether all nodes have succeeded. */
  private async attempt(): Promise<boolean> {
    const { plan, emit, host, journal } = this.execution;
    // Aborts when the user cancels and at the first failure.
    const cancel = new AbortController();
    const onCancel = () => cancel.abort(host.signal.reason);
    if (host.signal.aborted) onCancel();
    host.signal.addEventListener('abort', onCancel);
    const runner = new TaskRunner(this.execution, this.notes, cancel.signal, this.layers);
    this.failed = runner.failed;
    try {
      await runCommandVariables(this.execution, cancel.signal);
      const done = this.satisfied();
      const noted = new Set(journal.open.map(({ task }) => task));
      for (const task of plan.tasks.keys()) if (noted.has(task) && !done.has(task)) await this.undoFailedAttempt(task);
      const outcomes = await runJobs(
        plan.nodes.map((node) => this.jobOf(node, runner, done.get(node.id)?.outcome)),
        {
          places: this.execution.places,
          keepGoing: this.execution.keepGoing,
          signal: cancel.signal,
          onFailure: () => {
            if (!this.execution.keepGoing) cancel.abort(new Error('another task failed'));
          },
          onNotRun: (id, reason) => {
            this.outcomes.set(id, 'not_run');
            const task = plan.tasks.get(id);
            if (task !== undefined) this.layers?.failed(task);
            emit({ type: 'task.finished', task: id, outcome: 'not_run', seconds: 0, reason });
          },
        },
      );
      return [...outcomes.values()].every(isSatisfied);
    } catch (error) {
      if (!cancel.signal.aborted) emit({ type: 'warning', message: (error as Error).message });
      return false;
    } finally {
      host.signal.removeEventListener('abort', onCancel);
    }
  }

  /** Runs an action after the run has succeeded. Its failure is only a warning. */
  private async atEnd(action: () => void | Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.execution.emit({ type: 'warning', message: (error as Error).message });
    }
  }

  private satisfied(): Map<string, Ended> {
    const { facts } = this.execution;
    return new Map([...this.outcomes].filter(([, outcome]) => isSatisfied(outcome)).map(([id, outcome]) => [id, { outcome, outputs: facts.outputsOf(id) }]));
  }

  /** Undoes what a failed attempt of a task left, before the next attempt. */
  private async undoFailedAttempt(task: string): Promise<void> {
    const [left] = await this.notes.undoAttempt(task);
    if (left !== undefined) throw new Error(`task "${task}" cannot be run again because its changes could not be undone: ${left.error}`);
  }

  private async undoAll(): Promise<Left[]> {
    const { journal, emit, host, undoers } = this.execution;
    const notes = journal.open;
    if (notes.length > 0)
      emit({
        type: 'undo.started',
        reason: host.signal.aborted ? (host.signal.reason as Error).message : this.execution.discards ? 'the shell ended' : 'a task failed',
        entries: notes.length,
      });
    const left = await this.execution.inUndo((signal) => undoNotes(notes, { journal, emit, undoers, host: { ...host, signal }, gates: 'all' }));
    return endUndo(journal, left);
  }

  private kept(): Left[] {
    return [...this.execution.journal.open].reverse().map((note) => leftOf(note, 'kept', this.execution));
  }

  /** @param before the outcome of an earlier attempt that succeeded; the job then does nothing. */
  private jobOf(node: PlanNode, runner: TaskRunner, before: NodeOutcome | undefined): Job {
    const { action } = node.task.task;
    if (before !== undefined) return { id: node.id, after: node.after, takesPlace: false, limits: [], run: () => Promise.resolve(before) };
    const work = action.type === 'run' || (action.type === 'kind' && action.kind.name.startsWith('disk.'));
    // A run that may be resumed needs its resources, so they are kept while a task that uses them has failed.
    const stays = node.type === 'release' && this.execution.keepsResources;
    return {
      id: node.id,
      after: stays ? node.after.map(({ from }) => ({ from, requires: true })) : node.after,
      takesPlace: node.type === 'task' && work,
      limits: [...(node.type === 'task' ? limitsOf(node.task) : []), ...(this.execution.beforeTask === undefined ? [] : [{ name: 'step', most: 1 }])],
      run: async () => {
        const outcome = await this.outcomeOf(node, runner);
        this.outcomes.set(node.id, outcome);
        return outcome;
      },
    };
  }

  /** Runs a node. Never rejects, because the undo must not begin while other tasks run. */
  private async outcomeOf(node: PlanNode, runner: TaskRunner): Promise<NodeOutcome> {
    try {
      return node.type === 'task' ? await runner.run(node.task) : await this.release(node);
    } catch (error) {
      this.execution.emit({ type: 'task.finished', task: node.id, outcome: 'failed', seconds: 0, error: (error as Error).message });
      return 'failed';
    }
  }

  /** Releases a resource that no task uses any more. */
  private async release(node: PlanNode): Promise<NodeOutcome> {
    const { emit } = this.execution;
    const resource = node.task.id;
    const outcome = this.outcomes.get(resource);
    const started = performance.now();
    if (outcome !== 'succeeded' && outcome !== 'cached' && outcome !== 'failed') {
      emit({ type: 'task.finished', task: node.id, outcome: 'skipped', seconds: 0, reason: `"${resource}" was not created` });
      return 'skipped';
    }
    emit({ type: 'task.started', task: node.id, attempt: 1 });
    const [left] = await this.notes.undo(resource);
    const seconds = (performance.now() - started) / 1000;
    emit({ type: 'task.finished', task: node.id, outcome: left === undefined ? 'succeeded' : 'failed', seconds, error: left?.error });
    return left === undefined ? 'succeeded' : 'failed';
  }

  /** The outputs of the recipe, as far as they can be computed. */
  private recipeOutputs(): Pick<Outcome, 'outputs' | 'outputsError'> {
    const { plan, facts } = this.execution;
    const { module } = plan;
    const outputs: Record<string, unknown> = {};
    const errors: string[] = [];
    for (const [name, value] of module.recipe.outputs) {
      if (!tasksIn(value, module).every(({ id }) => plan.tasks.has(id))) continue;
      try {
        outputs[name] = evaluate(value, module, facts);
      } catch (error) {
        errors.push(`output "${name}": ${(error as Error).message}`);
      }
    }
    return { outputs, outputsError: errors.length === 0 ? undefined : errors.join('; ') };
  }
}

/** Limits: instances of one matrix, tasks with the same lock, and tasks that use the terminal. */
function limitsOf({ siblings, task }: LinkedTask): Job['limits'] {
  return [
    ...task.locks.map((name) => ({ name: `lock ${name}`, most: 1 })),
    ...(siblings === undefined ? [] : [{ name: `matrix ${siblings.of}`, most: siblings.limit }]),
    ...(task.action.type === 'run' && task.action.interactive ? [{ name: 'terminal', most: 1 }] : []),
  ];
}
