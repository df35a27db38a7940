import type { RunEvent } from '../../runtime/engine/events.js';
import { print, printError, styled } from '../terminal/output.js';
import type { Report } from './report.js';
import { duration, interruptedText, leftBehindText, printSummary } from './summary.js';

/** One line for each thing that happens; the output of tasks behind their names. Quiet: only what went wrong, and the outputs. */
export function plainReport({ quiet }: { readonly quiet: boolean }): Report {
  const failures = new Map<string, string>();
  let run = '';
  const say = (...lines: string[]) => {
    if (!quiet) print(...lines);
  };
  const sink = (event: RunEvent) => {
    switch (event.type) {
      case 'run.started':
        run = event.run;
        return say(`run ${event.run}: ${event.recipe}${event.done === 0 ? '' : `, ${event.done} done before`}`);
      case 'task.started':
        return say(
          `${styled('cyan', '>')} ${event.task}${event.attempt > 1 ? ` (attempt ${event.attempt})` : event.reason === undefined ? '' : `: ${event.reason}`}`,
        );
      case 'terminal.lent':
      case 'terminal.returned':
        return;
      case 'task.output':
        return say(linesOf(event));
      case 'task.progress':
        return say(`  ${event.task}: ${event.text}`);
      case 'task.retrying':
        return say(`! ${event.task} failed and is tried again in ${event.inMs / 1000} s: ${event.error.split('\n')[0]}`);
      case 'task.left_behind':
        return say(`! ${leftBehindText(event)}`);
      case 'task.finished':
        // One that failed may be tried again.
        if (event.outcome === 'failed') failures.set(event.task, event.error ?? '');
        else failures.delete(event.task);
        return say(finishedLine(event));
      case 'undo.started':
        return say(`${styled('yellow', '<')} undo (${event.reason}): ${event.entries} entr${event.entries === 1 ? 'y' : 'ies'}`);
      case 'undo.entry':
        return say(
          `${event.ok ? styled('yellow', '<') : styled('red', '✖')} undo ${event.task} (${event.kind})${event.error === undefined ? '' : `: ${event.error}`}`,
        );
      case 'warning':
        return printError(`warning: ${event.message}`);
      case 'undo.interrupted':
        return printError(`! ${interruptedText(event)}`);
      case 'run.finished':
        say(`run ${event.run} ${event.ok ? 'done' : 'failed'} in ${duration(event.seconds)}`);
        return printSummary(event, failures, (task) => `chrootfile logs ${run} ${task}`);
    }
  };
  return { sink, end: async () => {} };
}

/** One text, not one for each line: of a million lines these would be most of the memory. */
function linesOf({ task, lines }: Extract<RunEvent, { type: 'task.output' }>): string {
  const before = `${styled('dim', `${task} |`)} `;
  return before + lines.join(`\n${before}`);
}

function finishedLine(event: Extract<RunEvent, { type: 'task.finished' }>): string {
  const { task, outcome, seconds, reason, error } = event;
  switch (outcome) {
    case 'done':
      return `${styled('green', '✔')} ${task} ${styled('dim', duration(seconds))}`;
    case 'skipped':
      return `- ${task} skipped: ${reason}`;
    case 'up_to_date':
      return `${styled('green', '✔')} ${task} is up to date: ${reason}`;
    case 'unreached':
      return `- ${task} not run: ${reason}`;
    case 'tolerated':
      return `! ${task} failed, which the recipe allows: ${error?.split('\n')[0]}`;
    case 'failed':
      return `${styled('red', '✖')} ${task} failed after ${duration(seconds)}`;
  }
}
