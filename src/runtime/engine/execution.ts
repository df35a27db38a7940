import type { Plan } from '../../dsl/plan/plan.js';
import type { Language } from '../../dsl/recipe/kind.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { PipeMaker } from '../../linux/fifo.js';
import type { ShellPlace } from '../../linux/interactive_shell.js';
import type { Redactor } from '../output/redactor.js';
import type { Journal } from '../runs/journal.js';
import type { Ended } from '../runs/resume_state.js';
import type { RunFolder } from '../runs/run_folder.js';
import type { Undoer } from '../runs/undo.js';
import type { EvaluationContext } from './evaluation_context.js';
import type { EventSink } from './events.js';
import type { AnyKind, HostContext } from './kind.js';
import type { RenderedUndo } from './script_undo.js';

/** What a run needs. */
export interface Execution {
  readonly plan: Plan;
  readonly language: Language;
  readonly kinds: ReadonlyMap<string, AnyKind>;
  readonly undoers: ReadonlyMap<string, Undoer>;
  readonly facts: EvaluationContext;
  readonly journal: Journal;
  readonly folder: RunFolder;
  readonly pipes: PipeMaker;
  /** The undo scripts of this run as rendered, by note: notes on disk hold no secrets. */
  readonly rendered: Map<number, RenderedUndo>;
  /** Shell and EC2; its signal is the user's wish to cancel. */
  readonly host: HostContext;
  readonly emit: EventSink;
  readonly places: number;
  /** Whether there is a terminal for scripts that may ask. */
  readonly hasTerminal: boolean;
  readonly keepGoing: boolean;
  /** Whether a resource stays when a task that uses it failed, so that the run can go on there; else it is released. */
  readonly keepsResources: boolean;
  /** What is done once tasks have failed and nothing runs any more; `interrupted`: by the user, who is not asked then. */
  onFailure(failed: readonly FailedTask[], interrupted: boolean): Promise<FailureWish>;
  /** Is asked before each task whether it shall run; absent: they all shall. */
  readonly beforeTask?: ((task: LinkedTask, place: ShellPlace) => Promise<boolean>) | undefined;
  /** What ended well before, of a run that is gone on with. */
  readonly done: ReadonlyMap<string, Ended>;
  /** Whether tasks run that are up to date. */
  readonly force: boolean;
  readonly redactor: Redactor;
  /** Makes sure that what was made is kept, before the run counts as ended well; where that fails, the run does. */
  beforeCommit(): Promise<void>;
  /** What is done once the run has ended well. */
  readonly atCommit: (() => void | Promise<void>)[];
  /** Undoes something. The signal it gives aborts when the user will not wait for it any longer; not by the first cancel. */
  inUndo<T>(undo: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** A task that failed, and where a person may look at it. */
export interface FailedTask {
  readonly task: LinkedTask;
  readonly place: ShellPlace;
  readonly error: string;
}

/** What becomes of a run that failed. `retry`: what did not end well is done again. */
export type FailureWish = 'undo' | 'keep' | 'retry';
