import type { Plan } from '../../dsl/plan/plan.js';
import type { Language } from '../../dsl/recipe/kind.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { PipeMaker } from '../../linux/fifo.js';
import type { ShellPlace } from '../../linux/interactive_shell.js';
import type { Layer } from '../layers/layer_records.js';
import type { Redactor } from '../output/redactor.js';
import type { Journal } from '../runs/journal.js';
import type { Ended } from '../runs/resume_state.js';
import type { RunFolder } from '../runs/run_folder.js';
import type { Undoer } from '../runs/undo.js';
import type { EvaluationContext } from './evaluation_context.js';
import type { EventSink } from './events.js';
import type { AnyKind, HostContext } from './kind.js';
import type { RenderedUndo } from './script_undo.js';

/** Everything that a run needs. */
export interface Execution {
  readonly plan: Plan;
  readonly language: Language;
  readonly kinds: ReadonlyMap<string, AnyKind>;
  readonly undoers: ReadonlyMap<string, Undoer>;
  readonly facts: EvaluationContext;
  readonly journal: Journal;
  readonly folder: RunFolder;
  readonly pipes: PipeMaker;
  /** The rendered undo scripts of this run, by note. The notes on disk contain no secrets. */
  readonly rendered: Map<number, RenderedUndo>;
  /** Shell and EC2. Its signal aborts when the user cancels the run. */
  readonly host: HostContext;
  readonly emit: EventSink;
  readonly places: number;
  /** Whether interactive scripts can use a terminal. */
  readonly hasTerminal: boolean;
  readonly keepGoing: boolean;
  /** Whether to keep a resource when a task that uses it failed, so that the run can continue there. Otherwise it is released. */
  readonly keepsResources: boolean;
  /** Whether everything is undone even if the run succeeds. */
  readonly discards: boolean;
  /** Decides what to do once tasks have failed and all others have ended. `interrupted`: the user cancelled the run, so the user is not asked. */
  onFailure(failed: readonly FailedTask[], interrupted: boolean): Promise<FailureWish>;
  /** Called before each task; the task runs only if this returns true. When absent, every task runs. */
  readonly beforeTask?: ((task: LinkedTask, place: ShellPlace) => Promise<boolean>) | undefined;
  /** The nodes that succeeded earlier, when a run is resumed. */
  readonly done: ReadonlyMap<string, Ended>;
  /** For a resumed run: the layers from which volumes were made, by the first task of their chains. */
  readonly restored: Readonly<Record<string, Layer>>;
  /** The tasks that run even if they are up to date, or if a layer has what they leave. */
  readonly forced: ReadonlySet<string>;
  readonly redactor: Redactor;
  /** Called before the run counts as succeeded, to make sure its results are kept. If this fails, the run fails. */
  beforeCommit(): Promise<void>;
  /** Actions to do once the run has succeeded. */
  readonly atCommit: (() => void | Promise<void>)[];
  /** Runs an undo. The signal passed to it aborts when the user does not want to wait for the undo, not at the first cancel. */
  inUndo<T>(undo: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** A task that failed, and where to open a debug shell for it. */
export interface FailedTask {
  readonly task: LinkedTask;
  readonly place: ShellPlace;
  readonly error: string;
}

/** What to do with a run that failed. `retry`: run again what did not succeed. */
export type FailureWish = 'undo' | 'keep' | 'retry';
