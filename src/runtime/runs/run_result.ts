import { existsSync, readFileSync } from 'node:fs';
import type { RunEvent } from '../engine/events.js';

/** How a run ended, according to its events. */
export interface RunResult {
  /** When it ended. For a resumed run, when its last part ended. Missing while it is running and when its process died. */
  readonly finished?: string;
  readonly seconds?: number;
  /** Whether a signal or `--timeout` ended it. */
  readonly isInterrupted: boolean;
  /** The tasks that failed, except cancelled ones, and did not succeed later, in the order in which they failed. */
  readonly failedTasks: readonly string[];
}

/** Reads how a run ended from its events. A line that a crash cut off is left out. @param events the file of them. */
export function resultOf({ events }: { readonly events: string }): RunResult {
  const failed = new Set<string>();
  let end: Pick<RunResult, 'finished' | 'seconds'> = {};
  let isInterrupted = false;
  for (const event of existsSync(events) ? readFileSync(events, 'utf8').split('\n').flatMap(parsed) : []) {
    if (event.type === 'run.started') [end, isInterrupted] = [{}, false];
    if (event.type === 'run.interrupted') isInterrupted = true;
    if (event.type === 'run.finished') end = { finished: event.time, seconds: event.seconds };
    if (event.type !== 'task.finished') continue;
    if (event.outcome === 'failed' && !event.cancelled) failed.add(event.task);
    else failed.delete(event.task);
  }
  return { ...end, isInterrupted, failedTasks: [...failed] };
}

/** The events that say how a run ended. Most lines are of others, and parsing is what takes time. */
const telling = /"type":"(?:run\.started|run\.interrupted|run\.finished|task\.finished)"/;

function parsed(line: string): (RunEvent & { readonly time: string })[] {
  if (!telling.test(line)) return [];
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
