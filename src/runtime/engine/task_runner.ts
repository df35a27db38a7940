import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { placeOf } from '../../dsl/diagnostics/diagnostic.js';
import { folderOf } from '../../dsl/recipe/module.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { outputsOf } from '../../dsl/resolve/names.js';
import { longestTimerMs } from '../../dsl/syntax/duration.js';
import { withHostLocks } from '../../linux/host_locks.js';
import { type LockOwner, withLock } from '../../linux/lock.js';
import { hostPolicy } from '../../linux/policy.js';
import { type LeftBehind, runScript, ScriptError } from '../../linux/sandboxed_script.js';
import type { Layers } from '../layers/layers.js';
import { fileNameOf } from '../runs/run_folder.js';
import type { NodeOutcome } from './events.js';
import type { Execution, FailedTask } from './execution.js';
import type { AnyKind, TaskContext } from './kind.js';
import { checkPreconditions } from './preconditions.js';
import { PreparedKind } from './prepared_kind.js';
import { PreparedScript } from './prepared_script.js';
import { PreparedTask } from './prepared_task.js';
import { renewStandIns } from './renew_stand_ins.js';
import { holdsSecrets, outputsIn, secretsIn } from './script_outputs.js';
import type { TaskNotes } from './task_notes.js';

/** Why an interactive task fails when there is no terminal. */
export const noTerminal =
  'the script is interactive ("interactive: true"), and there is no terminal\n  help: run it on a terminal, with neither standard input nor standard output redirected';

/** The user stopped the run while stepping through it. */
class StoppedError extends Error {}

type Outputs = Readonly<Record<string, unknown>>;

/** How a task ended. */
interface Ending {
  readonly outcome: NodeOutcome;
  readonly reason?: string;
  readonly error?: string;
  readonly cancelled?: true;
  readonly outputs?: Outputs;
  readonly layer?: string | undefined;
  readonly saved?: number;
}

/** Runs one task per call: its condition, checks and attempts, its kind or script, and its notes. */
export class TaskRunner {
  /** The tasks that failed, except those with `continue_on_error`. */
  readonly failed: FailedTask[] = [];

  /** @param cancelled aborts when the user cancels and at the first failure. @param layers if content of volumes is cached. */
  constructor(
    private readonly execution: Execution,
    private readonly notes: TaskNotes,
    private readonly cancelled: AbortSignal,
    private readonly layers: Layers | undefined,
  ) {}

  /** Runs a task and returns its outcome; never rejects. */
  async run(linked: LinkedTask): Promise<NodeOutcome> {
    const started = performance.now();
    const task = this.prepare(linked);
    const { outcome, ...more } = await this.layeredEnding(task).catch((error: Error) => this.failureOf(task, error));
    this.execution.facts.setOutputs(task.id, more.outputs ?? Object.fromEntries(outputsOf(linked.task).map((name) => [name, null])));
    this.execution.emit({ type: 'task.finished', task: task.id, outcome, seconds: (performance.now() - started) / 1000, ...more });
    return outcome;
  }

  private prepare(linked: LinkedTask): PreparedTask {
    const { facts, kinds, language } = this.execution;
    const { action } = linked.task;
    switch (action.type) {
      case 'run':
        return new PreparedScript(linked, facts, action);
      case 'kind':
        return new PreparedKind(linked, facts, action.with, kinds.get(action.kind.name) as AnyKind, language);
      default:
        return new PreparedTask(linked, facts);
    }
  }

  /** Takes the task from a layer, or runs it and makes a layer after it. */
  private async layeredEnding(task: PreparedTask): Promise<Ending> {
    const { layers } = this;
    const restored = await layers?.restored(task.linked, this.cancelled);
    if (restored !== undefined) {
      // It is made anew, from the snapshot of the layer.
      if (task instanceof PreparedKind && task.kind.deletesDisk) return await this.endingOf(task);
      if (restored.outcome === 'skipped') return { outcome: 'skipped', reason: '"if" is false', outputs: restored.outputs };
      const outputs = await this.reopen(task, restored.outputs);
      return { outcome: 'cached', outputs, saved: restored.seconds, layer: restored.key };
    }
    const started = performance.now();
    const ending = await this.endingOf(task);
    const { outcome, outputs = {} } = ending;
    const { hasMasked } = task;
    const layer = await layers?.ended(task.linked, { outcome, outputs, hasMasked, seconds: (performance.now() - started) / 1000 });
    return layer === undefined ? ending : { ...ending, layer };
  }

  /** The outputs of a task whose content is on the volume already. Handles such as devices differ in every run. */
  private async reopen(task: PreparedTask, recorded: Outputs): Promise<Outputs> {
    if (task instanceof PreparedKind) return ((await task.kind.reopen?.(task.parameters(), recorded, this.contextOf(task))) ?? recorded) as Outputs;
    if (!(task instanceof PreparedScript) || task.action.reopen === undefined) return recorded;
    await this.renewStandIns(task);
    return await this.withLocks(task, () => {
      this.execution.emit({ type: 'task.started', task: task.id, attempt: 1 });
      return this.runScript(task, task.reopen());
    });
  }

  private async endingOf(task: PreparedTask): Promise<Ending> {
    if (!task.condition()) return { outcome: 'skipped', reason: '"if" is false' };
    await this.renewStandIns(task);
    if ((await this.execution.beforeTask?.(task.linked, task.shellPlace())) === false) throw new StoppedError('stopped before it ran');
    return await this.withLocks(task, async () => {
      if (task.linked.task.preconditions.length > 0) this.checking(task, 'checking its preconditions');
      await checkPreconditions(task, this.execution.pipes, this.cancelled);
      if (task instanceof PreparedScript && task.linked.task.freshness !== undefined) return await this.unlessUpToDate(task);
      return { outcome: 'succeeded', outputs: await this.attempts(task) };
    });
  }

  /** Before a task runs in a chroot, makes sure that names resolve and services stay stopped there, whatever earlier tasks changed. */
  private async renewStandIns(task: PreparedTask): Promise<void> {
    const { journal, host } = this.execution;
    const { in: chroot } = task.linked;
    if (chroot !== undefined && task.root() !== undefined) await renewStandIns(journal, chroot, host.warn);
  }

  private withLocks<T>(task: PreparedTask, action: () => Promise<T>): Promise<T> {
    const { emit, folder } = this.execution;
    const onWait = (owner: LockOwner | undefined) =>
      emit({ type: 'task.progress', task: task.id, text: `waiting for a lock held by ${owner?.purpose ?? 'another run'}` });
    return withHostLocks(task.linked.task.locks, `run ${folder.id}`, { signal: this.cancelled, onWait }, action);
  }

  private checking({ id }: PreparedTask, text: string): void {
    this.execution.emit({ type: 'task.checking', task: id, text });
  }

  private async unlessUpToDate(task: PreparedScript): Promise<Ending> {
    const { execution } = this;
    // Loaded only by runs that need it.
    const { isUpToDate, forget, recordUpToDate } = await import('./up_to_date.js');
    this.checking(task, 'checking whether it is up to date');
    const verdict = await isUpToDate(execution, task, this.cancelled);
    if (verdict.fresh) return { outcome: 'up_to_date', reason: verdict.why, outputs: verdict.outputs };
    forget(execution, task);
    const outputs = await this.attempts(task, verdict.why);
    const record = recordUpToDate(execution, task, verdict.sources, outputs);
    // A task with an undo is recorded only once the run has succeeded.
    if (task.action.undo === undefined) record();
    else execution.atCommit.push(record);
    return { outcome: 'succeeded', outputs };
  }

  private async attempts(task: PreparedTask, reason?: string): Promise<Outputs> {
    const { emit, hasTerminal } = this.execution;
    if (task instanceof PreparedScript && task.action.interactive && !hasTerminal) throw new Error(noTerminal);
    const { limit, delayMs, backoff } = task.linked.task.retries;
    for (let attempt = 1, delay = delayMs; ; attempt += 1, delay *= backoff) {
      if (attempt > 1) await this.renewStandIns(task);
      emit({ type: 'task.started', task: task.id, attempt, ...(attempt === 1 && reason !== undefined ? { reason } : {}) });
      try {
        return await this.attempt(task);
      } catch (error) {
        if (attempt > limit || this.cancelled.aborted) throw error;
        if ((await this.notes.undoAttempt(task.id)).length > 0) throw error;
        emit({ type: 'task.retrying', task: task.id, error: (error as Error).message, inMs: delay });
        await sleep(Math.min(delay, longestTimerMs), undefined, { signal: this.cancelled }).catch(() => {
          throw error;
        });
      }
    }
  }

  private async attempt(task: PreparedTask): Promise<Outputs> {
    if (task instanceof PreparedScript) return await this.runScript(task);
    if (task instanceof PreparedKind) return await this.runKind(task);
    if (task.linked.task.action.type === 'unknown') throw new Error('internal error: a task with errors was planned');
    return {};
  }

  private async runKind(task: PreparedKind): Promise<Outputs> {
    const { kind, linked } = task;
    const context = this.contextOf(task);
    const found = this.layers?.found(linked);
    const outputs = found === undefined ? await kind.run(task.parameters(), context) : await kind.reopen?.(task.parameters(), found, context);
    this.layers?.looked(linked, outputs as Outputs);
    return outputs as Outputs;
  }

  /** What a kind uses while its task runs. */
  private contextOf({ id, linked, kind, root }: PreparedKind): TaskContext {
    const { host, folder, emit, journal, atCommit } = this.execution;
    const { timeoutMs } = linked.task;
    const handleOf = (note: number) => ({ update: (next: object) => journal.update(note, next), remove: () => journal.undone(note) });
    return {
      ...host,
      signal: timeoutMs === undefined ? this.cancelled : AbortSignal.any([this.cancelled, AbortSignal.timeout(timeoutMs)]),
      run: folder.id,
      task: id,
      mountPoint: join(folder.mounts, fileNameOf(id)),
      folder: folderOf(linked.module),
      root: root(),
      layer: this.layers?.snapshotFor(linked),
      content: this.layers?.contentFor(linked),
      exclusive: (what, action) => withLock(join(folder.state, 'locks', what), `${folder.id} ${id}`, action),
      progress: (text, percent) => emit({ type: 'task.progress', task: id, text, ...(percent === undefined ? {} : { percent }) }),
      warn: (message) => emit({ type: 'warning', message: `${id}: ${message}` }),
      atCommit: (action) => atCommit.push(action),
      earlier: this.notes.continued(id).map((note) => ({ data: note.data as object, handle: handleOf(note.id) })),
      note: (data) => handleOf(this.notes.add(linked, kind.name, data)),
    };
  }

  private async runScript(task: PreparedScript, script = task.script()): Promise<Outputs> {
    const { facts, emit, pipes } = this.execution;
    const { action } = task;
    this.noteUndo(task);
    const tail: string[] = [];
    const onLines = (lines: readonly string[]) => {
      tail.push(...lines.slice(-hostPolicy.tailLines));
      tail.splice(0, tail.length - hostPolicy.tailLines);
      emit({ type: 'task.output', task: task.id, lines });
    };
    // Learn secrets before the lines that follow are printed, also when the script fails.
    const onOutput = holdsSecrets(action) ? (text: string) => facts.secret(secretsIn(text, action)) : undefined;
    if (action.interactive) emit({ type: 'terminal.lent', task: task.id });
    try {
      const { output, left } = await runScript({ ...script, signal: this.cancelled, onLines, onOutput, onMask: task.onMask }, pipes);
      // The script may have printed nothing, or printed to a terminal.
      onOutput?.(output);
      this.reportLeft(task, left);
      return outputsIn(output, action);
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      // Processes that a cancel killed are expected.
      if (error.how !== 'cancelled') this.reportLeft(task, error.left);
      throw new Error([error.how, ...shownScript(script.text), ...tail.map((line) => `  | ${line}`)].join('\n'), { cause: error });
    } finally {
      if (action.interactive) emit({ type: 'terminal.returned', task: task.id });
    }
  }

  private noteUndo(task: PreparedScript): void {
    const undo = task.undo();
    if (undo !== undefined) this.execution.rendered.set(this.notes.add(task.linked, 'script', undo.note), undo.rendered);
  }

  private reportLeft({ id }: PreparedTask, { processes, mounts }: LeftBehind): void {
    if (processes.length + mounts.length > 0) this.execution.emit({ type: 'task.left_behind', task: id, processes, mounts });
  }

  private async failureOf(task: PreparedTask, reason: Error): Promise<Ending> {
    const error = this.errorText(task, reason);
    this.layers?.failed(task.linked);
    // A failure is tolerated only if the changes of the task could be undone.
    const isTolerated =
      task.linked.task.continueOnError && !(reason instanceof StoppedError) && !this.cancelled.aborted && (await this.notes.undo(task.id)).length === 0;
    if (isTolerated) return { outcome: 'tolerated', error };
    const cancelled = this.isCancel(reason);
    this.failed.push({ task: task.linked, place: task.shellPlace(), error });
    return { outcome: 'failed', error, ...(cancelled ? { cancelled } : {}) };
  }

  /** Whether an error or its cause is the cancellation of the run, rather than a failure of the task itself. */
  private isCancel(error: unknown): boolean {
    if (!this.cancelled.aborted || !(error instanceof Error)) return false;
    return error === this.cancelled.reason || (error instanceof ScriptError && error.how === 'cancelled') || this.isCancel(error.cause);
  }

  private errorText({ linked: { task } }: PreparedTask, error: Error): string {
    const { document, pointer } = task.at;
    const place = placeOf(document.keySpanOf(task.action.type === 'run' ? `${pointer}/run` : pointer));
    const reason = isTimeout(error) ? `timed out after ${(task.timeoutMs ?? 0) / 1000} s` : error.message;
    return `${place}: ${error === this.cancelled.reason ? 'cancelled' : reason}`;
  }
}

/** The first lines of a script, shown with its failure. */
function shownScript(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  return [...lines.slice(0, 10).map((line) => `  $ ${line}`), ...(lines.length > 10 ? [`  $ … ${lines.length - 10} more lines`] : [])];
}

/** Whether an error or its cause is a timeout. */
function isTimeout(error: unknown): boolean {
  return (error instanceof DOMException && error.name === 'TimeoutError') || (error instanceof Error && isTimeout(error.cause));
}
