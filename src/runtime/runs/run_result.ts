import { existsSync, readFileSync } from 'node:fs';
import type { RunEvent } from '../engine/events.js';
import type { RunFolder } from './run_folder.js';

/** How a run ended, according to its events. */
export interface RunResult {
  /** When it ended. For a resumed run, when its last part ended. Missing while it is running and when its process died. */
  readonly finished?: string;
  readonly seconds?: number;
  /** The tasks that failed and did not succeed later, in the order in which they failed. */
  readonly failedTasks: readonly string[];
}

/** Reads how a run ended from its events. Ignores a line that a crash cut off. */
export function resultOf({ events }: RunFolder): RunResult {
  const failed = new Set<string>();
  let end: Pick<RunResult, 'finished' | 'seconds'> = {};
  for (const event of existsSync(events) ? readFileSync(events, 'utf8').split('\n').flatMap(parsed) : []) {
    if (event.type === 'run.finished') end = { finished: event.time, seconds: event.seconds };
    if (event.type !== 'task.finished') continue;
    if (event.outcome === 'failed') failed.add(event.task);
    else failed.delete(event.task);
  }
  return { ...end, failedTasks: [...failed] };
}

function parsed(line: string): (RunEvent & { readonly time: string })[] {
  // Most lines are other events, and parsing takes most of the time.
  if (!line.includes('.finished"')) return [];
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
