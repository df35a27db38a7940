import { shellWord } from '../../linux/shell_quote.js';
import type { Left, RunEvent } from '../../runtime/engine/events.js';
import { commandToType } from '../../runtime/runs/command_to_type.js';
import type { RunFolder } from '../../runtime/runs/run_folder.js';
import { print, printError, styled } from '../terminal/output.js';
import { cancelText, counted, duration, names } from './lines.js';

type Finished = Extract<RunEvent, { type: 'run.finished' }>;

/** A task that failed by itself. */
export interface Failure {
  readonly task: string;
  readonly error: string;
  readonly seconds: number;
}

/** What is known of a run as its events arrive, and the lines that end it: the cause of a failure, the outcome, what to type next. */
export class Summary {
  readonly running = new Set<string>();
  /** Tasks that failed by themselves, in the order they did. */
  readonly failures = new Map<string, Failure>();
  private readonly cancelled = new Set<string>();
  /** Tasks that have a log. */
  private readonly printed = new Set<string>();
  private readonly notRun = new Set<string>();
  private releases: ReadonlySet<string> = new Set();
  /** Tasks taken from layers, and the seconds they took when they ran. */
  private readonly cached = new Map<string, number>();
  /** Why the run was cancelled from outside. */
  private reason: string | undefined;

  /** Whether the whole run is being rolled back, and whether a signal has been answered since. */
  isRollingBack = false;
  private isAnswered = false;

  /** @param state the state folder of the run. */
  constructor(private readonly state: string) {}

  see(event: RunEvent): void {
    if (event.type === 'run.started') this.releases = new Set(event.nodes.flatMap(({ id, type }) => (type === 'release' ? [id] : [])));
    else if (event.type === 'task.output') this.printed.add(event.task);
    else if (event.type === 'task.checking' || event.type === 'task.progress' || event.type === 'task.started') this.running.add(event.task);
    else if (event.type === 'run.interrupted') this.reason ??= event.reason;
    else if (event.type === 'task.finished') this.seeEnd(event);
    else if (event.type === 'undo.started') this.isRollingBack = true;
    else if (event.type === 'undo.interrupted') this.isAnswered = this.isRollingBack;
  }

  /** What a signal does; undefined for the first one during the rollback, which `undo.interrupted` answers. */
  interruption(event: Extract<RunEvent, { type: 'run.interrupted' }>): string | undefined {
    if (!this.isRollingBack) return cancelText(event, this.running.size);
    return this.isAnswered ? 'no longer waiting' : undefined;
  }

  /** @param quiet print only errors and outputs. */
  print(event: Finished, quiet = false): void {
    if (event.ok) return printSuccess(event, this.state, quiet, this.savedText());
    if (!quiet) for (const line of this.cancelLines()) printError(line);
    for (const { task, error, seconds } of this.failures.values()) {
      printError('', `${styled('red', '✖', process.stderr)} ${styled('bold', task, process.stderr)} failed after ${duration(seconds)}`, error);
      const logged = this.printed.has(task) ? task : task.replace(/\.released$/, '');
      if (this.printed.has(logged)) printError(`  log: ${commandToType(this.state, `logs ${event.run} ${shellWord(logged)}`)}`);
    }
    printError('');
    printOutcome(event, this.state, this.reason);
  }

  /** A failed task may be retried, and a cancelled one may run later. */
  private seeEnd({ task, outcome, error = '', seconds, cancelled, saved = 0 }: Extract<RunEvent, { type: 'task.finished' }>): void {
    this.running.delete(task);
    for (const list of [this.failures, this.cancelled, this.notRun]) list.delete(task);
    if (outcome === 'cached') this.cached.set(task, saved);
    if (outcome === 'not_run' && !this.releases.has(task)) this.notRun.add(task);
    else if (outcome === 'failed' && cancelled) this.cancelled.add(task);
    else if (outcome === 'failed') this.failures.set(task, { task, error, seconds });
  }

  private savedText(): string {
    const saved = [...this.cached.values()].reduce((sum, seconds) => sum + seconds, 0);
    return this.cached.size === 0 ? '' : `; ${counted(this.cached.size, 'cached task')} saved ${duration(saved)}`;
  }

  private cancelLines(): string[] {
    const [cause] = this.failures.keys();
    const because = this.reason !== undefined || cause === undefined ? '' : ` because ${cause} failed`;
    return [
      ...(this.cancelled.size === 0 ? [] : [`cancelled${because}: ${names([...this.cancelled])}`]),
      ...(this.notRun.size === 0 ? [] : [`not run: ${counted(this.notRun.size, 'task')} (${names([...this.notRun])})`]),
    ];
  }
}

function printSuccess(event: Finished, state: string, quiet: boolean, saved: string): void {
  const { run, seconds, outputs, outputs_error: error, artifacts } = event;
  const usage = usageText(event);
  if (!quiet) print(...(usage === undefined ? [] : [usage]), `run ${run} succeeded in ${duration(seconds)}${saved}`);
  for (const [name, value] of Object.entries(outputs)) print(`${name} = ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  if (error !== undefined) printOutputsError(error, event, state);
  else if (!quiet && artifacts.length > 0) print(styled('dim', `delete what it created: ${commandToType(state, `destroy ${run}`)}`));
}

/** The run succeeded: what it created exists, and is listed. */
function printOutputsError(error: string, { run, artifacts }: Finished, state: string): void {
  printError(
    '',
    `${styled('red', '✖', process.stderr)} The run succeeded and what it created is kept, but ${error}`,
    ...artifacts.map(({ region, type, id }) => `  ${region}  ${type}  ${id}`),
    `  help: fix "outputs" for the next run; to delete what this one created: ${commandToType(state, `destroy ${run}`)}`,
  );
}

/** The last lines of a run that failed. */
function printOutcome({ run, seconds, kept, left }: Finished, state: string, reason: string | undefined): void {
  const how = `run ${run} ${kept ? 'paused' : 'failed'} after ${duration(seconds)}${reason === undefined ? '' : `: ${reason}`}`;
  if (kept) {
    printError(`${how}; kept for --resume: ${left.map(({ task }) => task).join(', ') || 'nothing'}`);
    printError(`  resume: ${commandToType(state, `run --resume ${run}`)}`, `  undo:   ${commandToType(state, `undo ${run}`)}`);
  } else if (left.length > 0) {
    printError(`${how}; not everything it created could be rolled back`);
    printLeft(left, { state, id: run });
  } else {
    printError(`${how}; everything it created was rolled back`);
    if (reason === undefined) printError('  next: fix the recipe and run it again, or with --on-failure shell');
  }
}

/** What the run waited for in EC2, if that took a second or more. */
function usageText({ ec2 }: Finished): string | undefined {
  const waits = Object.entries(ec2?.waited ?? {}).filter(([, seconds]) => seconds >= 1);
  if (ec2 === undefined || waits.length === 0) return undefined;
  const calls = Object.values(ec2.calls).reduce((sum, n) => sum + n, 0);
  return `EC2: ${counted(calls, 'call')}; waited for ${waits.map(([what, seconds]) => `${what} ${duration(seconds)}`).join(', ')}`;
}

/** Lists what is left of a run, with the command that tries again and what to do by hand. */
export function printLeft(left: readonly Left[], { state, id }: Pick<RunFolder, 'state' | 'id'>, verb: 'undo' | 'destroy' = 'undo'): void {
  printError(`Left behind by run ${id}; try again with: ${commandToType(state, `${verb} ${id}`)}`);
  for (const { task, kind, error, by_hand } of left) {
    printError(`  ${task} (${kind}): ${error}`, ...by_hand.map((command) => `    ${command}`));
  }
}
