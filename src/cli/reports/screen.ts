import { stripVTControlCharacters } from 'node:util';
import { type ListrEventManager, ListrTaskEventType, type ListrTaskObject, ListrTaskState } from 'listr2';
import { LiveArea, type Size } from '../terminal/live_area.js';
import { print, styled } from '../terminal/output.js';
import { clock } from './lines.js';

// biome-ignore lint/suspicious/noExplicitAny: the types differ by renderer, which is chosen at run time
type ListrTask = ListrTaskObject<any, any, any>;

/** What the screen shows besides the tasks; the report changes it during the run. */
export interface ScreenState {
  /** Shown instead of the help for Ctrl-C, e.g. that tasks are being cancelled. */
  notice: string | undefined;
  failed: number;
}

/** What is known of a task besides its state; the report changes it during the run. */
export interface TaskOptions {
  readonly isRelease: boolean;
  /** How far it is, when that is known. */
  percent?: number | undefined;
  /** Its title without the description, for a narrow terminal. */
  readonly name: string;
}

/**
 * Draws a list of Listr's: tasks that have ended scroll off, with their title as their last line; below them are the
 * running ones and one line of totals. A task without a title is not shown.
 */
export class Screen {
  static readonly nonTTY = false;
  static readonly rendererOptions: { state?: ScreenState } = {};
  static readonly rendererTaskOptions: Partial<TaskOptions> = {};

  private readonly area = new LiveArea((size) => this.rowsFor(size));
  /** Tasks and releases that run, or are paused before they start, and since when, in that order. */
  private readonly running = { tasks: new Map<ListrTask, number>(), releases: new Map<ListrTask, number>() };
  private readonly shown: readonly ListrTask[];
  /** Releases since the last line. */
  private released: string[] = [];
  /** Tasks that ended, and those of them that succeeded or did not have to run. */
  private ended = 0;
  private done = 0;
  private readonly total: number;
  private readonly startedAt = performance.now();

  constructor(
    tasks: readonly ListrTask[],
    private readonly options: { state?: ScreenState },
    _events?: ListrEventManager,
  ) {
    this.shown = tasks.filter((task) => task.hasTitle());
    this.total = this.shown.filter((task) => !isRelease(task)).length;
  }

  render(): void {
    for (const task of this.shown) {
      task.on(ListrTaskEventType.STATE, (state: ListrTaskState) => this.changed(task, state));
      task.on(ListrTaskEventType.CLOSED, () => this.closed(task));
    }
    this.area.start();
  }

  end(): void {
    this.printReleased();
    this.area.end();
  }

  /** Draws the current state at once. */
  update(): void {
    this.area.draw();
  }

  lend(): void {
    this.printReleased();
    this.area.end();
  }

  takeBack(): void {
    this.area.start();
  }

  private changed(task: ListrTask, state: ListrTaskState): void {
    const list = isRelease(task) ? this.running.releases : this.running.tasks;
    if (state !== ListrTaskState.STARTED && state !== ListrTaskState.PAUSED) list.delete(task);
    else if (!list.has(task)) list.set(task, performance.now());
  }

  private closed(task: ListrTask): void {
    if (!isRelease(task)) {
      this.ended += 1;
      if (task.title !== '' && !task.hasFailed()) this.done += 1;
    } else if (task.isCompleted()) {
      this.released.push(task.initialTitle ?? '');
      return;
    }
    // The line of a release that failed, or of any task.
    if (task.title === '') return;
    this.printReleased();
    print(task.title ?? '');
  }

  private printReleased(): void {
    if (this.released.length > 0) print(styled('dim', `${' '.repeat(timeWidth + 4)}released ${this.released.join(', ')}`));
    this.released = [];
  }

  private rowsFor({ columns, rows }: Size): string[] {
    const { tasks, releases } = this.running;
    const releasing = releases.size === 0 ? [] : [styled('dim', `${' '.repeat(timeWidth + 4)}releasing ${titles(releases.keys())}`)];
    const room = Math.max(0, rows - releasing.length - 1);
    const fits = tasks.size <= room ? room : Math.max(0, room - 1);
    const shown = first(tasks, fits);
    const hasPercent = shown.some(([task]) => optionsOf(task).percent !== undefined);
    const list = shown.map(([task, since]) => rowOf(task, since, { hasPercent, columns }));
    if (shown.length < tasks.size && room > 0) list.push(styled('dim', `${' '.repeat(timeWidth + 4)}… ${tasks.size - shown.length} more running`));
    return [...list, ...(rows > 1 ? releasing : []), this.status(columns)];
  }

  private status(columns: number): string {
    const { notice, failed } = this.options.state ?? { notice: undefined, failed: 0 };
    const elapsed = clock((performance.now() - this.startedAt) / 1000);
    if (notice !== undefined) return `${styled('yellow', notice)} · ${elapsed}`;
    const waiting = this.total - this.ended - this.running.tasks.size;
    const failures = failed === 0 ? '' : `${failed} failed · `;
    const counts = `${waiting} waiting · ${this.done} of ${this.total} done · ${elapsed}`;
    const help = ' · Ctrl-C cancels';
    return `${styled('red', failures)}${styled('dim', counts + (failures.length + counts.length + help.length > columns ? '' : help))}`;
  }
}

/** Columns for a time such as `59m 59s`. */
export const timeWidth = 7;
/** Columns that the last line of output has at least, before the description of its task is left out. */
const outputWidth = 30;
const spinner = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const spinnerMs = 100;

function rowOf(task: ListrTask, since: number, { hasPercent, columns }: { readonly hasPercent: boolean; readonly columns: number }): string {
  const now = performance.now();
  const mark = task.isPaused() ? styled('yellow', '·') : styled('cyan', spinner[Math.floor(now / spinnerMs) % spinner.length] ?? '');
  const { percent, name } = optionsOf(task);
  const column = hasPercent ? `  ${(percent === undefined ? '' : `${percent}%`).padStart('100%'.length)}` : '';
  const row = (title: string | undefined) => `${mark} ${clock((now - since) / 1000).padStart(timeWidth)}${column}  ${title}`;
  const whole = row(task.title);
  if (!task.output) return whole;
  // Not by the length of the output: the description would come and go.
  const hasRoom = columns - stripVTControlCharacters(whole).length >= outputWidth;
  return `${hasRoom ? whole : row(name)}  ${styled('dim', task.output)}`;
}

function isRelease(task: ListrTask): boolean {
  return optionsOf(task).isRelease;
}

function optionsOf(task: ListrTask): TaskOptions {
  return task.rendererTaskOptions as TaskOptions;
}

/** The first titles: the row is cut anyway. */
function titles(tasks: Iterable<ListrTask>): string {
  return first(tasks, 50)
    .map((task) => task.initialTitle ?? '')
    .join(', ');
}

function first<T>(items: Iterable<T>, most: number): T[] {
  const taken: T[] = [];
  for (const item of items) {
    if (taken.length >= most) break;
    taken.push(item);
  }
  return taken;
}
