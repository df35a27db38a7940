import { hostShell } from '../linux/command.js';
import { PipeMaker } from '../linux/fifo.js';
import { removeMountPoint } from '../linux/mounts.js';
import type { EventSink } from '../runtime/engine/events.js';
import { type RenderedUndo, scriptUndoer } from '../runtime/engine/script_undo.js';
import { layerUndoer } from '../runtime/layers/undo_layer.js';
import type { Redactor } from '../runtime/output/redactor.js';
import { redactedOutput } from '../runtime/output/task_output.js';
import { RunRecord, redacting } from '../runtime/runs/event_log.js';
import type { Journal } from '../runtime/runs/journal.js';
import { lockRun, type RunToLock } from '../runtime/runs/locked_run.js';
import { type Undoer, undoersOf } from '../runtime/runs/undo.js';
import { kinds } from '../tasks/index.js';
import { type OpenedHostContext, openHostContext } from './host_context.js';
import { hideSecrets, printError } from './terminal/output.js';
import type { Interruption } from './terminal/signals.js';

/** A run to open, to run it or to undo it. */
export interface RunToOpen extends RunToLock {
  readonly redactor: Redactor;
  /** The environment of the program, as scripts see it: the SDK changes that of the process. */
  readonly environment: NodeJS.ProcessEnv;
  /** Returns the value of a secret input; notes do not contain it. */
  secret(input: string): string | undefined;
  /** Receives the events, in addition to the log in the folder of the run. */
  readonly sink: EventSink;
  /** Receives warnings; if absent, they become events. */
  readonly warn?: (message: string) => void;
  /** Maximum bytes of output kept for each task; if absent, the policy decides. */
  readonly logLimit?: number | undefined;
  readonly interruption: Interruption;
}

/** An open run, with everything needed to run or undo it. */
export interface OpenRun {
  readonly journal: Journal;
  /** Sends an event, without secrets, to the log of the run and to the sink. */
  readonly emit: EventSink;
  readonly warn: (message: string) => void;
  readonly pipes: PipeMaker;
  readonly host: OpenedHostContext;
  /** Of all kinds, and of scripts. */
  readonly undoers: ReadonlyMap<string, Undoer>;
  /** The undo scripts of this run as rendered, by note. */
  readonly rendered: Map<number, RenderedUndo>;
  /** Closes everything. A failure to close is a warning: the run is over, and `undo --all` removes leftovers. */
  close(): Promise<void>;
}

/** Locks a run and opens everything needed to run or undo it. A signal during an undo becomes an event. */
export async function openRun(run: RunToOpen): Promise<OpenRun> {
  const { folder, redactor, environment, secret, interruption } = run;
  hideSecrets(redactor);
  const { journal, release } = await lockRun(run);
  const record = new RunRecord(folder, run.logLimit);
  const emit = redacting(redactor, [(event) => record.record(event), run.sink]);
  const warn = run.warn ?? ((message) => emit({ type: 'warning', message }));
  const pipes = new PipeMaker(folder.pipes, hostShell, redactedOutput(redactor));
  const host = openHostContext({ cloud: journal.head.cloud, state: folder.state, signal: interruption.signal, warn });
  interruption.onUndoInterrupted = (reason) => emit({ type: 'undo.interrupted', reason, waiting: [...(host.opened()?.metrics.waitsFor ?? [])] });
  const rendered = new Map<number, RenderedUndo>();
  const undoers = undoersOf(kinds);
  undoers.set(
    'script',
    scriptUndoer(rendered, pipes, secret, environment, (task, lines) => emit({ type: 'task.output', task, lines })),
  );
  undoers.set('layer', layerUndoer);
  const close = () =>
    inTurn(
      () => pipes.close(),
      () => record.close(),
      () => journal.close(),
      () => removeMountPoint(folder.mounts),
      release,
    );
  return { journal, emit, warn, pipes, host, undoers, rendered, close };
}

/** Runs steps in order. A failed step does not prevent the others. */
async function inTurn(...steps: readonly (() => void | Promise<void>)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      printError(`warning: ${(error as Error).message}`);
    }
  }
}
