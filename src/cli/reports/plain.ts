import type { RunEvent } from '../../runtime/engine/events.js';
import { print, printError, styled } from '../terminal/output.js';
import { counted, duration, endingOf, interruptedText, leftBehindText, retryText } from './lines.js';
import type { Report } from './report.js';
import { Summary } from './summary.js';

/** Prints a line per event, the output of tasks behind their names. Quiet: prints only errors and outputs. */
export function plainReport({ quiet, state }: { readonly quiet: boolean; readonly state: string }): Report {
  const summary = new Summary(state);
  const sink = (event: RunEvent) => {
    summary.see(event);
    show(event, summary, quiet);
  };
  return { sink, end: async () => {} };
}

/** Prints an event that the summary has seen. */
export function show(event: RunEvent, summary: Summary, quiet = false): void {
  if (event.type === 'warning') return printError(`warning: ${event.message}`);
  if (event.type === 'run.interrupted') {
    const text = summary.interruption(event);
    return text === undefined ? undefined : printError(`! ${event.reason}: ${text}`);
  }
  if (event.type === 'undo.interrupted') return printError(`! ${interruptedText(event)}`);
  if (event.type === 'run.finished') return summary.print(event, quiet);
  const line = quiet ? undefined : lineOf(event);
  if (line !== undefined) print(line);
}

/** The line of an event; undefined for what is not printed, or only at the end. */
export function lineOf(event: RunEvent): string | undefined {
  switch (event.type) {
    case 'run.started':
      return `run ${event.run}: ${event.recipe}${event.done === 0 ? '' : `, ${event.done} already done`}`;
    case 'task.started': {
      const more = event.attempt > 1 ? ` (attempt ${event.attempt})` : event.reason === undefined ? '' : `: ${event.reason}`;
      return `${styled('cyan', '>')} ${event.task}${more}`;
    }
    case 'task.output':
      return outputOf(event);
    case 'task.progress':
      return `  ${event.task}: ${event.text}${event.percent === undefined ? '' : ` ${event.percent}%`}`;
    case 'task.retrying':
      return `! ${event.task} ${retryText(event)}`;
    case 'task.left_behind':
      return `! ${leftBehindText(event)}`;
    case 'task.finished':
      return finishedLine(event);
    case 'undo.started':
      return `${styled('yellow', '<')} rolling back ${counted(event.entries, 'change')} (${event.reason})`;
    case 'undo.entry':
      return `${event.ok ? styled('yellow', '<') : styled('red', '✖')} undo ${event.task} (${event.kind})${event.error === undefined ? '' : `: ${event.error}`}`;
    default:
      return undefined;
  }
}

/** One text, not one per line: with a million lines these would be most of the memory. */
function outputOf({ task, lines }: Extract<RunEvent, { type: 'task.output' }>): string {
  const before = `${styled('dim', `${task} |`)} `;
  return before + lines.join(`\n${before}`);
}

/** How a task ended. Its error is printed at the end of the run, with what explains it. */
function finishedLine(event: Extract<RunEvent, { type: 'task.finished' }>): string | undefined {
  const ending = endingOf(event);
  if (ending === undefined) return undefined;
  if (event.outcome === 'failed') return `${ending.mark} ${event.task} failed after ${duration(event.seconds)}`;
  return `${ending.mark} ${event.task} ${event.outcome === 'succeeded' ? styled('dim', duration(event.seconds)) : ending.text}`;
}
