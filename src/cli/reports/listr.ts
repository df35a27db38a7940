import { Listr, ListrTaskState, type ListrTaskWrapper } from 'listr2';
import { plainText } from '../../linux/plain_text.js';
import type { RunEvent } from '../../runtime/engine/events.js';
import { print, printError, styled } from '../terminal/output.js';
import { counted, duration, endingOf, interruptedText, leftBehindText, retryText } from './lines.js';
import type { Report } from './report.js';
import { Screen, type ScreenState, type TaskOptions, timeWidth } from './screen.js';
import { Summary } from './summary.js';

// biome-ignore lint/suspicious/noExplicitAny: the wrapper's types differ by renderer, and ours is chosen at run time
type Wrapper = ListrTaskWrapper<any, any, any>;
type Finished = Extract<RunEvent, { type: 'task.finished' }>;
type Started = Extract<RunEvent, { type: 'run.started' }>;

/** A node of the plan, and its task in Listr. */
interface Node {
  readonly title: string;
  readonly options: TaskOptions;
  readonly ended: Deferred<Finished | undefined>;
  /** Waiting, paused until a lock or a check lets it start, or started. */
  state: ListrTaskState;
  /** What it does or printed last. */
  output: string;
  /** Absent until Listr begins. */
  wrapper?: Wrapper;
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

/**
 * Shows a run on a terminal: a list of Listr's with a task for each node of the plan, drawn by {@link Screen}. Each task
 * waits for its node to end. Order, limits, signals and undo are up to the scheduler.
 */
export function listrReport(state: string): Report {
  const nodes = new Map<string, Node>();
  const summary = new Summary(state);
  const shown: ScreenState = { notice: undefined, failed: 0 };
  const over = deferred<void>();
  let drawn: Promise<unknown> = Promise.resolve();
  let screen: Screen | undefined;
  let finished: Extract<RunEvent, { type: 'run.finished' }> | undefined;
  let undo = { entries: 0, done: 0, reason: '' };

  const begin = (event: Started) => {
    print(`run ${event.run}: ${event.recipe}${event.done === 0 ? '' : `, ${event.done} already done`}`);
    for (const { id, type, description } of event.nodes) nodes.set(id, nodeOf(id, type, description));
    class OwnScreen extends Screen {
      constructor(...given: ConstructorParameters<typeof Screen>) {
        super(...given);
        screen = this;
      }
    }
    const list = [...nodes].map(([id, node]) => taskOf(id, node));
    // Without a title it is not shown; the screen stays until the last event.
    const rest = { task: () => over.promise };
    const listr = new Listr([...list, rest], {
      renderer: OwnScreen,
      rendererOptions: { state: shown },
      concurrent: true,
      exitOnError: false,
      collectErrors: false,
      registerSignalListeners: false,
    });
    drawn = listr.run();
  };
  const notice = (text: string) => {
    shown.notice = text;
    screen?.update();
  };
  const warn = (text: string) => {
    printError(`${styled('yellow', '!', process.stderr)} ${text}`);
    screen?.update();
  };
  const interrupted = (event: Extract<RunEvent, { type: 'run.interrupted' }>) => {
    const text = summary.interruption(event);
    if (text === undefined) return;
    if (summary.isRollingBack) warn(`${event.reason}: ${text}`);
    else notice(`${text} · ${event.reason}`);
  };
  const rollingBack = (what = '') => `rolling back ${counted(undo.entries, 'change')}: ${undo.done} done${what} · ${undo.reason}`;

  const sink = (event: RunEvent) => {
    summary.see(event);
    shown.failed = summary.failures.size;
    switch (event.type) {
      case 'run.started':
        return begin(event);
      case 'task.started':
        return start(nodes.get(event.task), event.attempt);
      case 'task.output':
        return show(nodes.get(event.task), event.lines.at(-1));
      case 'task.checking':
        return progress(nodes.get(event.task), event.text);
      case 'task.progress':
        return progress(nodes.get(event.task), event.text, event.percent);
      case 'task.retrying':
        return show(nodes.get(event.task), retryText(event));
      case 'task.finished':
        return nodes.get(event.task)?.ended.resolve(event);
      case 'task.left_behind':
        return print(`${styled('yellow', '!')} ${leftBehindText(event)}`);
      case 'terminal.lent':
        screen?.lend();
        return print(`${styled('cyan', '>')} ${nodes.get(event.task)?.title ?? event.task}`);
      case 'terminal.returned':
        return screen?.takeBack();
      case 'run.interrupted':
        return interrupted(event);
      case 'undo.started':
        undo = { ...event, done: 0 };
        shown.notice = rollingBack();
        return;
      case 'undo.entry':
        undo.done += 1;
        if (undo.entries > 0) shown.notice = rollingBack(` · ${event.task} (${event.kind})`);
        return;
      case 'undo.interrupted':
        // Not the notice, which the next change replaces: what a second signal does stays true to the end.
        return warn(interruptedText(event));
      case 'warning':
        return printError(`${styled('yellow', 'warning:', process.stderr)} ${event.message}`);
      case 'run.finished':
        finished = event;
        return;
    }
  };

  return {
    sink,
    end: async () => {
      for (const node of nodes.values()) node.ended.resolve(undefined);
      over.resolve();
      await drawn;
      if (finished !== undefined) summary.print(finished);
    },
  };
}

/** Listr starts all its tasks at once; one whose node has not started is set back to waiting. */
function taskOf(id: string, node: Node) {
  return {
    title: id,
    rendererOptions: node.options,
    task: async (_: unknown, wrapper: Wrapper) => {
      node.wrapper = wrapper;
      wrapper.task.title$ = node.title;
      wrapper.task.state$ = node.state;
      wrapper.task.output$ = node.output;
      const event = await node.ended.promise;
      wrapper.task.title$ = event === undefined ? '' : lineOf(event, node);
      if (event?.outcome === 'succeeded') wrapper.task.state$ = ListrTaskState.STARTED;
      else if (event?.outcome === 'failed') throw new Error(event.error);
      else wrapper.skip();
    },
  };
}

function nodeOf(id: string, type: 'task' | 'release', description: string | undefined): Node {
  const name = styled('bold', plainText(id));
  const about = description === undefined ? '' : `  ${styled('dim', plainText(description.split('\n')[0] ?? ''))}`;
  return {
    title: `${name}${about}`,
    options: { isRelease: type === 'release', name },
    ended: deferred(),
    state: ListrTaskState.WAITING,
    output: '',
  };
}

function start(node: Node | undefined, attempt: number): void {
  turn(node, ListrTaskState.STARTED);
  // Not what it waited for before.
  progress(node, attempt > 1 ? `attempt ${attempt}` : '');
}

/** Shows what a task does; before its start, what it waits for. */
function progress(node: Node | undefined, text: string, percent?: number): void {
  if (node?.state === ListrTaskState.WAITING) turn(node, ListrTaskState.PAUSED);
  if (node !== undefined) node.options.percent = percent;
  show(node, text);
}

function turn(node: Node | undefined, state: ListrTaskState): void {
  if (node === undefined || node.state === state) return;
  node.state = state;
  if (node.wrapper !== undefined) node.wrapper.task.state$ = state;
}

function show(node: Node | undefined, text = ''): void {
  if (node === undefined) return;
  node.output = plainText(text);
  if (node.wrapper !== undefined) node.wrapper.task.output$ = node.output;
}

/** The line with which a node scrolls off; empty if the end of the run summarizes it. */
function lineOf(event: Finished, { title, options: { isRelease } }: Node): string {
  const ending = endingOf(event);
  if (ending === undefined || (isRelease && event.outcome === 'skipped')) return '';
  const seconds = event.outcome === 'skipped' || event.outcome === 'up_to_date' || event.outcome === 'cached' ? '' : duration(event.seconds);
  const text = event.outcome === 'failed' ? styled('red', ending.text) : styled('dim', ending.text);
  return `${ending.mark} ${styled('dim', seconds.padStart(timeWidth))}  ${title}${ending.text === '' ? '' : `  ${text}`}`;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((r) => {
    resolve = r;
  });
  return { promise, resolve };
}
