import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import type { RunEvent } from '../../runtime/engine/events.js';
import { policy } from '../../runtime/engine/policy.js';
import { print, printError } from '../terminal/output.js';
import { command, inWorkspace } from './github_command.js';
import { duration } from './lines.js';
import { lineOf, show } from './plain.js';
import type { Report } from './report.js';
import { type Failure, Summary } from './summary.js';

type Finished = Extract<RunEvent, { type: 'task.finished' }>;

/**
 * For GitHub Actions: the output of a task as a group once the task has ended, since tasks run in parallel and groups
 * do not nest; an annotation for each failure; a summary of the job.
 * @param summaryFile `$GITHUB_STEP_SUMMARY`.
 */
export function githubReport(state: string, summaryFile: string | undefined): Report {
  const summary = new Summary(state);
  const outputs = new Map<string, string[]>();
  const ended: Finished[] = [];
  const keep = (task: string, lines: readonly string[]) => {
    const kept = outputs.get(task) ?? [];
    outputs.set(task, kept);
    kept.push(...lines);
    if (kept.length > policy.heldLines) kept.splice(0, kept.length - policy.heldLines, '… earlier lines are in the log of the task');
  };
  const sink = (event: RunEvent) => {
    summary.see(event);
    if (event.type === 'task.output') return keep(event.task, event.lines);
    if (event.type === 'run.finished') return finish(event);
    if (event.type === 'task.finished') ended.push(event);
    const lines = event.type === 'task.finished' || event.type === 'undo.entry' ? taken(event.task) : undefined;
    if (lines !== undefined && 'task' in event) return printGroup(lineOf(event) ?? event.task, lines);
    show(event, summary);
  };
  /** The lines kept of a task. What the undo of a resource prints at its release is kept under the resource. */
  const taken = (task: string) => {
    const name = outputs.has(task) ? task : task.replace(/\.released$/, '');
    const lines = outputs.get(name);
    outputs.delete(name);
    return lines;
  };
  const finish = (event: Extract<RunEvent, { type: 'run.finished' }>) => {
    for (const [task, lines] of outputs) printGroup(task, lines);
    // Values of outputs may look like commands.
    withoutCommands(() => show(event, summary));
    for (const failure of summary.failures.values()) print(annotationOf(failure));
    if (summaryFile !== undefined) writeSummary(summaryFile, event, ended);
  };
  return { sink, end: async () => {} };
}

function printGroup(title: string, lines: readonly string[]): void {
  print(command('group', {}, title));
  withoutCommands(() => print(...lines));
  print('::endgroup::');
}

/** Nothing that is printed meanwhile acts as a workflow command: GitHub ignores commands between two equal tokens. Source: GitHub Actions, "Workflow commands". */
function withoutCommands(printing: () => void): void {
  const token = randomUUID();
  print(command('stop-commands', {}, token));
  printing();
  print(`::${token}::`);
}

/** An annotation at the place that the error begins with. */
function annotationOf({ task, error }: Failure): string {
  const [first = '', ...more] = error.split('\n');
  const [, file, line, col, how] = /^(.+?):(\d+):(\d+): (.*)$/.exec(first) ?? [];
  const title = `${task} failed`;
  if (file === undefined) return command('error', { title }, error);
  return command('error', { file: inWorkspace(file), line, col, title }, [how, ...more].join('\n'));
}

function writeSummary(file: string, { run, ok, seconds, outputs }: Extract<RunEvent, { type: 'run.finished' }>, ended: readonly Finished[]): void {
  const cell = (text: string) => text.replace(/[\\|`<&\n]/g, (c) => (c === '\n' ? ' ' : `&#${c.charCodeAt(0)};`));
  const table = (titles: readonly string[], rows: readonly (readonly string[])[]) =>
    rows.length === 0 ? [] : ['', ...[titles, titles.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)];
  const text = [
    `### ${ok ? '✔' : '✖'} run ${run} ${ok ? 'succeeded' : 'failed'} in ${duration(seconds)}`,
    ...table(
      ['task', 'outcome', 'time'],
      ended.map(({ task, outcome, cancelled, seconds: time }) => [cell(task), cancelled ? 'cancelled' : outcome.replace('_', ' '), duration(time)]),
    ),
    ...table(
      ['output', 'value'],
      Object.entries(outputs).map(([name, value]) => [cell(name), cell(typeof value === 'string' ? value : JSON.stringify(value))]),
    ),
    '',
  ];
  try {
    appendFileSync(file, `${text.join('\n')}\n`);
  } catch (error) {
    printError(`warning: the job summary cannot be written: ${(error as Error).message}`);
  }
}
