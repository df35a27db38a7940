import type { Left, RunEvent } from '../../runtime/engine/events.js';
import { print, printError, styled } from '../terminal/output.js';

type Finished = Extract<RunEvent, { type: 'run.finished' }>;

/** What remains to be said once a run is over: outputs, or what failed and what became of it. */
export function printSummary(event: Finished, failures: ReadonlyMap<string, string>, logOf: (task: string) => string): void {
  for (const [task, error] of failures) {
    printError('', `${styled('red', '✖', process.stderr)} ${styled('bold', task, process.stderr)} failed`, error, `  log: ${logOf(task)}`);
  }
  if (event.ok) {
    const usage = usageText(event);
    if (usage !== undefined) print(usage);
    for (const [name, value] of Object.entries(event.outputs)) print(`${name} = ${typeof value === 'string' ? value : JSON.stringify(value)}`);
    if (event.outputs_error !== undefined) printOutputsError(event.outputs_error, event);
    return;
  }
  printError('');
  if (event.kept) printKept(event);
  else if (event.left.length === 0) printError(`The run failed; everything it made was undone. (run ${event.run})`);
  else printLeft(event.left, event.run);
}

/** The run succeeded: what it made is there, and named. */
function printOutputsError(error: string, { run, artifacts }: Finished): void {
  printError(
    '',
    `${styled('red', '✖', process.stderr)} The run succeeded and what it made is kept, but ${error}`,
    ...artifacts.map(({ region, type, id }) => `  ${region}  ${type}  ${id}`),
    `  help: fix "outputs" for the next run; to delete what this one made: chrootfile destroy ${run}`,
  );
}

/** That a signal came during an undo, and what the next one does. */
export function interruptedText({ reason, waiting }: Extract<RunEvent, { type: 'undo.interrupted' }>): string {
  const what = waiting.length === 0 ? 'undoing what was made' : `waiting for ${waiting.join(', ')}`;
  return `${reason}: ${what}; a second signal ends the wait and leaves the rest to "chrootfile undo"`;
}

/** What EC2 took its time for, where that was worth a line. */
function usageText({ ec2 }: Finished): string | undefined {
  const waits = Object.entries(ec2?.waited ?? {}).filter(([, seconds]) => seconds >= 1);
  if (ec2 === undefined || waits.length === 0) return undefined;
  const calls = Object.values(ec2.calls).reduce((sum, n) => sum + n, 0);
  return `EC2: ${calls} calls; waited for ${waits.map(([what, seconds]) => `${what} ${duration(seconds)}`).join(', ')}`;
}

function printKept({ run, left }: Finished): void {
  printError(
    `What run ${run} made is kept: ${left.map(({ task }) => task).join(', ') || 'nothing'}`,
    `  go on:  chrootfile run --resume ${run}`,
    `  undo:   chrootfile undo ${run}`,
  );
}

/** Lists what is left of a run, with what a person would type. */
export function printLeft(left: readonly Left[], run: string, verb: 'undo' | 'destroy' = 'undo'): void {
  printError(`Left behind by run ${run}; try again with: chrootfile ${verb} ${run}`);
  for (const { task, kind, error, by_hand } of left) {
    printError(`  ${task} (${kind}): ${error}`, ...by_hand.map((command) => `    ${command}`));
  }
}

/** `1.2 s`, `1 min 5 s`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** What a script left behind, in a sentence. */
export function leftBehindText({ task, processes, mounts }: Extract<RunEvent, { type: 'task.left_behind' }>): string {
  const things = [...(processes.length > 0 ? [`processes (${processes.join(', ')})`] : []), ...(mounts.length > 0 ? [`mounts (${mounts.join(', ')})`] : [])];
  return `${task} left ${things.join(' and ')} behind, which were ended`;
}
