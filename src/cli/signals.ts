import { policy } from '../runtime/policy.js';
import { killCancelled } from '../runtime/shell.js';
import { exits } from './exits.js';

/** A wish to end, and where it came from. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** The exit code that says what interrupted the run; undefined when nothing did. */
  readonly exit: () => number | undefined;
  readonly stop: () => void;
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** The first INT, TERM or HUP cancels; a second one kills what was told to end. Undo is never skipped. */
export function watchSignals(timeoutMs?: number): Interruption {
  const controller = new AbortController();
  let exit: number | undefined;
  let last = 0;
  const interrupt = (code: number, reason: string) => {
    if (controller.signal.aborted && Date.now() - last > policy.sameSignalMs) killCancelled();
    last = Date.now();
    exit ??= code;
    controller.abort(new Error(reason));
  };
  const handlers = Object.entries(signalNumbers).map(([name, number]) => {
    const handler = () => interrupt(128 + number, `interrupted by ${name}`);
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => interrupt(exits.timeout, 'the run took too long'), timeoutMs);
  return {
    signal: controller.signal,
    exit: () => exit,
    stop: () => {
      clearTimeout(timer);
      for (const off of handlers) off();
    },
  };
}
