import type { RunEvent } from '../../runtime/engine/events.js';
import { styled } from '../terminal/output.js';

type Event<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>;

/** `0.2s`, `1m 12s`, `2h 05m`. */
export function duration(seconds: number): string {
  const tenths = Math.round(seconds * 10) / 10;
  if (tenths < 60) return `${tenths.toFixed(1)}s`;
  return clock(seconds);
}

/** A running time, in whole seconds: `7s`, `1m 12s`, `2h 05m`. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole}s`;
  const two = (n: number) => String(n).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor(whole / 60) % 60)}m`;
}

/** `1 task`, `2 tasks`. */
export function counted(count: number, noun: string): string {
  return `${count} ${plural(count, noun)}`;
}

/** `task` for one, `tasks` for any other number. */
export function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}

/** The first names of many, so that they fit a line: `a, b, c and 12 more`. */
export function names(all: readonly string[]): string {
  const shown = all.slice(0, mostNames);
  return `${shown.join(', ')}${all.length > shown.length ? ` and ${all.length - shown.length} more` : ''}`;
}
const mostNames = 6;

/** How a node ended, as a mark and words; undefined for tasks that the end of the run summarizes: cancelled ones and those not run. */
export function endingOf({
  outcome,
  cancelled,
  reason,
  error,
  saved = 0,
}: Event<'task.finished'>): { readonly mark: string; readonly text: string } | undefined {
  switch (outcome) {
    case 'succeeded':
      return { mark: styled('green', '✔'), text: '' };
    case 'up_to_date':
      return { mark: styled('green', '✔'), text: `up to date: ${reason}` };
    case 'cached':
      return { mark: styled('green', '✔'), text: saved < 1 ? 'cached' : `cached: it took ${duration(saved)}` };
    case 'skipped':
      return { mark: '-', text: `skipped: ${reason}` };
    case 'tolerated':
      return { mark: styled('yellow', '!'), text: `failed, ignored (continue_on_error): ${firstLine(error)}` };
    case 'failed':
      return cancelled ? undefined : { mark: styled('red', '✖'), text: firstLine(error) };
    case 'not_run':
      return undefined;
  }
}

/** `cancelling 2 tasks…; again to kill them`. */
export function cancelText({ again }: Pick<Event<'run.interrupted'>, 'again'>, running: number): string {
  const tasks = running === 0 ? '' : ` ${counted(running, 'task')}`;
  return again ? `killing${tasks}…` : `cancelling${tasks}…; again to kill ${running === 1 ? 'it' : 'them'}`;
}

/** That a signal arrived during an undo, and what the next one does. */
export function interruptedText({ reason, waiting }: Event<'undo.interrupted'>): string {
  const what = waiting.length === 0 ? 'still rolling back' : `waiting for ${waiting.join(', ')}`;
  return `${reason}: ${what}; a second signal ends the wait and leaves the rest to "chrootfile undo"`;
}

/** What a script left behind. */
export function leftBehindText({ task, processes, mounts }: Event<'task.left_behind'>): string {
  const things = [
    ...(processes.length > 0 ? [`background processes (${processes.join(', ')}); they were killed`] : []),
    ...(mounts.length > 0 ? [`mounts (${mounts.join(', ')}); they were unmounted`] : []),
  ];
  return `${task} left ${things.join('; ')}`;
}

/** That a task failed and starts again after a pause. */
export function retryText({ error, inMs }: Event<'task.retrying'>): string {
  return `failed, retrying in ${inMs / 1000} s: ${firstLine(error)}`;
}

function firstLine(text = ''): string {
  return text.split('\n')[0] ?? '';
}
