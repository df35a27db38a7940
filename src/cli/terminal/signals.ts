import { killCancelled } from '../../linux/command.js';
import { policy } from '../../runtime/engine/policy.js';
import { exits } from '../exit_codes.js';

/** A wish to end, and where it came from. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** The exit code that says what interrupted the run; undefined when nothing did. */
  readonly exit: () => number | undefined;
  /**
   * Undoes something, to its end also when the run is cancelled. The first signal that comes meanwhile is told to
   * {@link onUndoInterrupted}; the second aborts the signal given, so that nothing is waited for any longer.
   */
  readonly inUndo: <T>(undo: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Is told why, when a signal comes while something is undone. */
  onUndoInterrupted: (reason: string) => void;
  readonly stop: () => void;
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** An undo that is under way, and whether a signal came since it began. */
interface Undoing {
  readonly controller: AbortController;
  isReported: boolean;
}

/**
 * The first INT, TERM or HUP cancels; a second one kills what was told to end. An undo goes on: one signal says what it
 * waits for, the next ends the waiting.
 */
export function watchSignals(timeoutMs?: number): Interruption {
  const controller = new AbortController();
  const undoing = new Set<Undoing>();
  /** Why undo is not waited for any longer. */
  let ended: Error | undefined;
  let exit: number | undefined;
  let last = Number.NEGATIVE_INFINITY;
  const interrupt = (code: number, reason: string) => {
    const isSame = performance.now() - last < policy.sameSignalMs;
    last = performance.now();
    exit ??= code;
    if (isSame) return;
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
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => interrupt(exits.timeout, 'the run took too long'), timeoutMs);
  const interruption: Interruption = {
    signal: controller.signal,
    exit: () => exit,
    inUndo: async (undo) => {
      const one: Undoing = { controller: new AbortController(), isReported: false };
      // Who did not wait for the release does not wait for the undo of all either.
      if (ended !== undefined) one.controller.abort(ended);
      undoing.add(one);
      try {
        return await undo(one.controller.signal);
      } finally {
        undoing.delete(one);
      }
    },
    onUndoInterrupted: () => {},
    stop: () => {
      clearTimeout(timer);
      for (const off of handlers) off();
    },
  };
  return interruption;
}
