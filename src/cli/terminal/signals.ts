import { killCancelled } from '../../linux/command.js';
import { policy } from '../../runtime/engine/policy.js';
import { exits } from '../exit_codes.js';

/** Cancels a run on a signal or after `--timeout`. */
export interface Interruption {
  /** Aborts on the first signal or after the timeout. */
  readonly signal: AbortSignal;
  /** The exit code of the interruption; undefined when the run was not interrupted. */
  readonly exit: () => number | undefined;
  /**
   * Runs an undo, which a cancel of the run does not stop. The first signal during it is reported to
   * {@link onUndoInterrupted}; the second aborts the signal passed to `undo`, which ends its waits.
   */
  readonly inUndo: <T>(undo: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Called with the reason before tasks are cancelled; `again`: before they are killed. */
  onInterrupted: (reason: string, again: boolean) => void;
  /** Called with the reason when a signal arrives during an undo. */
  onUndoInterrupted: (reason: string) => void;
  readonly stop: () => void;
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** An undo in progress, and whether a signal has arrived since it began. */
interface Undoing {
  readonly controller: AbortController;
  isReported: boolean;
}

/**
 * The first INT, TERM or HUP cancels the run; a second one kills scripts that have not ended. An undo continues: the
 * first signal during it reports what it is waiting for, the next one ends the wait.
 */
export function watchSignals(timeoutMs?: number): Interruption {
  const controller = new AbortController();
  const undoing = new Set<Undoing>();
  /** Why undo no longer waits. */
  let ended: Error | undefined;
  let exit: number | undefined;
  let last = Number.NEGATIVE_INFINITY;
  const interrupt = (code: number, reason: string) => {
    const isSame = performance.now() - last < policy.sameSignalMs;
    last = performance.now();
    exit ??= code;
    if (isSame) return;
    interruption.onInterrupted(reason, controller.signal.aborted);
    if (controller.signal.aborted) killCancelled();
    controller.abort(new Error(reason));
    const reportedBefore = [...undoing].filter(({ isReported }) => isReported);
    if (reportedBefore.length > 0) ended ??= new Error(`the wait was ended (${reason} again)`);
    for (const each of reportedBefore) each.controller.abort(ended);
    if (reportedBefore.length < undoing.size) interruption.onUndoInterrupted(reason);
    for (const each of undoing) each.isReported = true;
  };
  const handlers = Object.entries(signalNumbers).map(([name, number]) => {
    const handler = () => interrupt(128 + number, `interrupted by ${name}`);
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(() => interrupt(exits.timeout, `timed out after ${timeoutMs / 1000} s (--timeout)`), timeoutMs);
  const interruption: Interruption = {
    signal: controller.signal,
    exit: () => exit,
    inUndo: async (undo) => {
      const one: Undoing = { controller: new AbortController(), isReported: false };
      // After a second signal ended the wait for a release, the undo of the whole run does not wait either.
      if (ended !== undefined) one.controller.abort(ended);
      undoing.add(one);
      try {
        return await undo(one.controller.signal);
      } finally {
        undoing.delete(one);
      }
    },
    onInterrupted: () => {},
    onUndoInterrupted: () => {},
    stop: () => {
      clearTimeout(timer);
      for (const off of handlers) off();
    },
  };
  return interruption;
}
