import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { placeOf } from '../../dsl/diagnostics/diagnostic.js';
import { messagesOf } from '../../dsl/diagnostics/schema_errors.js';
import { evaluate, nullOutputsIn } from '../../dsl/evaluate.js';
import { folderOf } from '../../dsl/recipe/module.js';
import type { Action } from '../../dsl/recipe/types.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { outputsOf } from '../../dsl/resolve/names.js';
import { longestTimerMs } from '../../dsl/syntax/lexical.js';
import { withHostLocks } from '../../linux/host_locks.js';
import type { ShellPlace } from '../../linux/interactive_shell.js';
import { type LockOwner, withLock } from '../../linux/lock.js';
import { hostPolicy } from '../../linux/policy.js';
import { type LeftBehind, runScript, ScriptError } from '../../linux/sandboxed_script.js';
import { fileNameOf } from '../runs/run_folder.js';
import { undoNotes } from '../runs/undo.js';
import type { Left, NodeOutcome } from './events.js';
import type { Execution } from './execution.js';
import type { AnyKind, TaskContext } from './kind.js';
import { checkPreconditions } from './preconditions.js';
import { renewStandIns } from './renew_stand_ins.js';
import type { FreshTask } from './up_to_date.js';
import { definedOf, holdsSecrets, noteOfUndo, outputsIn, scriptOf, secretsIn, surroundingsOf } from './user_script.js';

/** Why a task that may ask fails where nobody can be asked. */
export const noTerminal =
  'its script may ask ("interactive"), and there is no terminal\n  help: run it on a terminal, with neither standard input nor standard output redirected';

/** The person who steps through the run ended it. */
class StoppedError extends Error {}

/** Runs tasks, one at a call: condition, attempts, what the kind or the script does, and the notes of it. */
export class TaskRunner {
  private readonly ancestors = new Map<string, ReadonlySet<string>>();
  /** What went wrong, by task. */
  readonly errors = new Map<string, string>();

  /** @param cancelled aborts on the user's cancel and on the first failure. */
  constructor(
    private readonly x: Execution,
    private readonly cancelled: AbortSignal,
  ) {}

  /** Runs a task and says how it ended; never rejects. */
  async run(task: LinkedTask): Promise<NodeOutcome> {
    const { emit, facts } = this.x;
    const started = performance.now();
    const finish = (outcome: NodeOutcome, more: { reason?: string; error?: string; outputs?: Readonly<Record<string, unknown>> } = {}) => {
      if (more.error !== undefined) this.errors.set(task.id, more.error);
      facts.setOutputs(task.id, more.outputs ?? Object.fromEntries(outputsOf(task.task).map((name) => [name, null])));
      emit({ type: 'task.finished', task: task.id, outcome, seconds: (performance.now() - started) / 1000, ...more });
      return outcome;
    };
    try {
      if (!this.condition(task)) return finish('skipped', { reason: '"if" is false' });
      const root = this.rootFor(task);
      await this.renewStandIns(task);
      if ((await this.x.beforeTask?.(task, this.placeOf(task))) === false) throw new StoppedError('stopped before it ran');
      const onWait = (owner: LockOwner | undefined) =>
        emit({ type: 'task.progress', task: task.id, text: `waits for a lock that ${owner?.purpose ?? 'another run'} holds` });
      return await withHostLocks(task.task.locks, `run ${this.x.folder.id}`, { signal: this.cancelled, onWait }, async () => {
        await checkPreconditions(this.x, task, root, this.cancelled);
        const fresh = freshTask(task, root);
        if (fresh === undefined) return finish('done', { outputs: await this.attempts(task, root) });
        // Loaded by runs that need it alone.
        const { isUpToDate, forget, keeperOf } = await import('./up_to_date.js');
        const verdict = await isUpToDate(this.x, fresh, this.cancelled);
        if (verdict.fresh) return finish('up_to_date', { reason: verdict.why, outputs: verdict.outputs });
        forget(this.x, task);
        const outputs = await this.attempts(task, root, verdict.why);
        const keep = keeperOf(this.x, fresh, verdict.sources, outputs);
        // One with an undo counts once the run has ended well.
        if (fresh.action.undo === undefined) keep();
        else this.x.atCommit.push(keep);
        return finish('done', { outputs });
      });
    } catch (error) {
      // What cannot be taken back cannot be put up with.
      const tolerated =
        task.task.continueOnError && !(error instanceof StoppedError) && !this.cancelled.aborted && (await this.undoNotesOf(task.id)).length === 0;
      return finish(tolerated ? 'tolerated' : 'failed', { error: this.errorText(task, error as Error) });
    }
  }

  private condition(task: LinkedTask): boolean {
    const condition = task.task.if;
    if (condition === undefined) return true;
    const value = evaluate(condition, task.module, this.x.facts);
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    throw new Error(`"if" must render to true or false, not ${JSON.stringify(value)}`);
  }

  private async attempts(task: LinkedTask, root: string | undefined, reason?: string): Promise<Record<string, unknown>> {
    const { action, retries } = task.task;
    if (action.type === 'run' && action.interactive && !this.x.hasTerminal) throw new Error(noTerminal);
    const { limit, delayMs, backoff } = retries;
    for (let attempt = 1, delay = delayMs; ; attempt += 1, delay *= backoff) {
      if (attempt > 1) await this.renewStandIns(task);
      this.x.emit({ type: 'task.started', task: task.id, attempt, ...(attempt === 1 && reason !== undefined ? { reason } : {}) });
      try {
        return await this.attempt(task, root);
      } catch (error) {
        if (attempt > limit || this.cancelled.aborted) throw error;
        if ((await this.undoNotesOf(task.id)).length > 0) throw error;
        this.x.emit({ type: 'task.retrying', task: task.id, error: (error as Error).message, inMs: delay });
        await sleep(Math.min(delay, longestTimerMs), undefined, { signal: this.cancelled }).catch(() => {
          throw error;
        });
      }
    }
  }

  private attempt(task: LinkedTask, root: string | undefined): Promise<Record<string, unknown>> {
    const { action } = task.task;
    switch (action.type) {
      case 'unknown':
        throw new Error('internal error: a task with faults was planned');
      case 'group':
        return Promise.resolve({});
      case 'run':
        return this.runScript(task, action, root);
      case 'kind':
        return this.runKind(task, action, root);
    }
  }

  private async runKind(task: LinkedTask, action: Extract<Action, { type: 'kind' }>, root: string | undefined): Promise<Record<string, unknown>> {
    const { facts, language, kinds } = this.x;
    const kind = kinds.get(action.kind.name) as AnyKind;
    const params: Record<string, unknown> = {};
    for (const [name, value] of action.with) {
      const rendered = withoutNulls(evaluate(value, task.module, facts));
      if (rendered !== null) params[name] = rendered;
      else if (kind.params.required?.includes(name)) {
        const [skipped] = nullOutputsIn(value, task.module, facts);
        throw new Error(`"${name}" has no value${skipped === undefined ? '' : `: task "${skipped}" was skipped or failed`}`);
      }
    }
    const faults = messagesOf(language.validateParams(kind.name, params));
    if (faults.length > 0) throw new Error(faults.join('; '));
    const { timeoutMs } = task.task;
    const signal = timeoutMs === undefined ? this.cancelled : AbortSignal.any([this.cancelled, AbortSignal.timeout(timeoutMs)]);
    return (await kind.run(params, this.contextOf(task, signal, root))) as Record<string, unknown>;
  }

  private async runScript(task: LinkedTask, action: Extract<Action, { type: 'run' }>, root: string | undefined): Promise<Record<string, unknown>> {
    const { facts, emit, pipes } = this.x;
    const script = scriptOf(task, action, facts, root);
    if (action.undo !== undefined) {
      const id = this.addNote(task, 'script', noteOfUndo(task, action, action.undo.script, facts, root));
      this.x.rendered.set(id, { text: String(evaluate(action.undo.script, task.module, facts) ?? ''), env: script.env });
    }
    const tail: string[] = [];
    const onLines = (lines: readonly string[]) => {
      tail.push(...lines.slice(-hostPolicy.tailLines));
      tail.splice(0, tail.length - hostPolicy.tailLines);
      emit({ type: 'task.output', task: task.id, lines });
    };
    if (action.interactive) emit({ type: 'terminal.lent', task: task.id });
    // Before what is printed after it, and where the script fails, too.
    const onOutput = holdsSecrets(action) ? (text: string) => facts.secret(secretsIn(text, action)) : undefined;
    try {
      const { output, left } = await runScript({ ...script, signal: this.cancelled, onLines, onOutput }, pipes);
      // Where nothing was printed, or on a terminal.
      onOutput?.(output);
      this.tellLeft(task, left);
      return outputsIn(output, action);
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      this.tellLeft(task, error.left);
      throw new Error([error.how, ...shownScript(script.text), ...tail.map((line) => `  | ${line}`)].join('\n'), { cause: error });
    } finally {
      if (action.interactive) emit({ type: 'terminal.returned', task: task.id });
    }
  }

  private tellLeft(task: LinkedTask, { processes, mounts }: LeftBehind): void {
    if (processes.length + mounts.length > 0) this.x.emit({ type: 'task.left_behind', task: task.id, processes, mounts });
  }

  private contextOf(task: LinkedTask, signal: AbortSignal, root: string | undefined): TaskContext {
    const { world, folder, emit, journal } = this.x;
    return {
      ...world,
      signal,
      run: folder.id,
      task: task.id,
      mountPoint: join(folder.mounts, fileNameOf(task.id)),
      folder: folderOf(task.module),
      root,
      exclusive: (what, action) => withLock(join(folder.state, 'locks', what), `${folder.id} ${task.id}`, action),
      progress: (text) => emit({ type: 'task.progress', task: task.id, text }),
      warn: (message) => emit({ type: 'warning', message: `${task.id}: ${message}` }),
      atCommit: (action) => this.x.atCommit.push(action),
      note: (data) => {
        const id = this.addNote(task, task.task.action.type === 'kind' ? task.task.action.kind.name : 'script', data);
        return { update: (next) => journal.update(id, next), remove: () => journal.undone(id) };
      },
    };
  }

  private addNote(task: LinkedTask, kind: string, data: object): number {
    const below = this.ancestorsOf(task.id);
    const { open } = this.x.journal;
    return this.x.journal.add({
      task: task.id,
      kind,
      on: open.filter((note) => note.task === task.id || below.has(note.task)).map((note) => note.id),
      standsOn: task.lifetime === 'hold' ? open.filter((note) => task.standsOn.has(note.task)).map((note) => note.id) : [],
      in: kind === 'script' ? task.in : undefined,
      data,
    }).id;
  }

  /** The tasks a task relies on, directly or not. */
  private ancestorsOf(id: string): ReadonlySet<string> {
    const known = this.ancestors.get(id);
    if (known !== undefined) return known;
    const found = new Set<string>();
    const open = [id];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const link of this.x.plan.tasks.get(at)?.links ?? []) {
        if (link.released || found.has(link.to)) continue;
        found.add(link.to);
        open.push(link.to);
      }
    }
    this.ancestors.set(id, found);
    return found;
  }

  /** Takes back all that a task did; gives what could not be. */
  undoNotesOf(task: string): Promise<Left[]> {
    const { journal, undoers } = this.x;
    const notes = journal.open.filter((note) => note.task === task);
    return this.x.inUndo((signal) => undoNotes(notes, { journal, undoers, world: { ...this.x.world, signal }, emit: () => {}, gates: 'holds' }));
  }

  /** Where a task runs, and with what environment; the host where that cannot be told. */
  placeOf(task: LinkedTask): ShellPlace {
    try {
      return surroundingsOf(task, this.x.facts, this.rootFor(task));
    } catch {
      return { env: definedOf(this.x.facts.variables), dir: folderOf(task.module), root: undefined, privileged: false };
    }
  }

  /** Has names resolve, and services stay down, in the chroot that a task runs in, whatever the one before did there. */
  private async renewStandIns(task: LinkedTask): Promise<void> {
    const { journal, world } = this.x;
    if (task.in !== undefined) await renewStandIns(journal, task.in, world.warn);
  }

  private rootFor(task: LinkedTask): string | undefined {
    if (task.in === undefined) return undefined;
    const root = this.x.facts.output(task.in, 'path');
    if (typeof root !== 'string') throw new Error(`it runs in "${task.in}", which was skipped or failed`);
    return root;
  }

  private errorText(task: LinkedTask, error: Error): string {
    const { at, action } = task.task;
    const key = action.type === 'run' ? `${at.pointer}/run` : at.pointer;
    const place = placeOf(action.type === 'run' ? at.document.keySpanOf(key) : at.document.keySpanOf(at.pointer));
    const reason = isTimeout(error) ? `timed out after ${(task.task.timeoutMs ?? 0) / 1000} s` : error.message;
    return `${place}: ${this.cancelled.aborted && error === this.cancelled.reason ? 'cancelled' : reason}`;
  }
}

/** Whether an error, or what it comes from, is that of a timeout. */
function isTimeout(error: unknown): boolean {
  return (error instanceof DOMException && error.name === 'TimeoutError') || (error instanceof Error && isTimeout(error.cause));
}

function freshTask(task: LinkedTask, root: string | undefined): FreshTask | undefined {
  const { action, freshness } = task.task;
  return action.type === 'run' && freshness !== undefined ? { task, action, freshness, root } : undefined;
}

/** A script as it is shown with a failure: what it was, not all of what it was. */
function shownScript(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  return [...lines.slice(0, 10).map((line) => `  $ ${line}`), ...(lines.length > 10 ? [`  $ … ${lines.length - 10} more lines`] : [])];
}

/** Null means "left out" at every depth. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null && inner !== undefined)
      .map(([name, inner]) => [name, withoutNulls(inner)]),
  );
}
