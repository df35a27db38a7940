import { Listr, type ListrTaskWrapper } from 'listr2';
import { plainText } from '../../linux/plain_text.js';
import type { RunEvent } from '../../runtime/engine/events.js';
import { policy } from '../../runtime/engine/policy.js';
import { print, printError, styled } from '../terminal/output.js';
import { Screen } from '../terminal/screen.js';
import type { Report } from './report.js';
import { duration, interruptedText, leftBehindText, printSummary } from './summary.js';

// biome-ignore lint/suspicious/noExplicitAny: the wrapper's types differ by renderer, and ours is chosen at run time
type Wrapper = ListrTaskWrapper<any, any, any>;

interface Node {
  readonly id: string;
  readonly title: string;
  readonly ended: PromiseWithResolver<{ outcome: string; reason?: string | undefined; error?: string | undefined }>;
  /** The last line it said, and the timer that will show it. */
  latest: string;
  redraw: NodeJS.Timeout | undefined;
  /** 0 while it waits. */
  attempt: number;
  running: boolean;
}

interface PromiseWithResolver<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

/**
 * Draws the plan with listr2: a task of Listr's for each node, which waits for ours to end. Order, limits, signals
 * and undo are the scheduler's affair; Listr only draws.
 */
export function listrReport(): Report {
  const nodes = new Map<string, Node>();
  const failures = new Map<string, string>();
  const wrappers = new Map<string, Wrapper>();
  let drawn: Promise<unknown> = Promise.resolve();
  let undo: Node | undefined;
  let undoDrawn: Promise<unknown> = Promise.resolve();
  let finished: Extract<RunEvent, { type: 'run.finished' }> | undefined;
  let run = '';
  const warnings: string[] = [];
  let screen: Screen | undefined;
  class OwnScreen extends Screen {
    constructor(...given: ConstructorParameters<typeof Screen>) {
      super(...given);
      screen = this;
    }
  }

  const draw = (list: readonly Node[]) => {
    const listr = new Listr(
      list.map((node) => ({
        title: node.id === 'undo' ? node.title : styled('dim', `${node.title} · waiting`),
        task: async (_: unknown, wrapper: Wrapper) => {
          wrappers.set(node.id, wrapper);
          if (node.attempt > 0) wrapper.title = titleOf(node);
          const { outcome, reason, error } = await node.ended.promise;
          const notRun = { skipped: 'skipped', unreached: 'not run', up_to_date: 'up to date' }[outcome];
          if (notRun !== undefined) wrapper.skip(`${node.title} ${styled('dim', plainText(`${notRun}: ${reason ?? ''}`))}`);
          if (outcome === 'failed') throw new Error(`${node.title} ${styled('red', plainText(error?.split('\n')[0] ?? 'failed'))}`);
        },
        rendererOptions: { bottomBar: false, persistentOutput: false, outputBar: 1 },
      })),
      {
        renderer: OwnScreen,
        concurrent: true,
        exitOnError: false,
        collectErrors: false,
        registerSignalListeners: false,
        rendererOptions: { removeEmptyLines: true, collapseSkips: true, collapseErrors: true },
      },
    );
    return listr.run().catch(() => {});
  };

  const sink = (event: RunEvent) => {
    switch (event.type) {
      case 'run.started':
        run = event.run;
        for (const { id, description } of event.nodes) nodes.set(id, node(id, description));
        drawn = draw([...nodes.values()]);
        return;
      case 'task.started': {
        const known = nodes.get(event.task);
        const wrapper = wrappers.get(event.task);
        if (known === undefined) return;
        known.attempt = event.attempt;
        known.running = true;
        // Listr may not have begun with it yet.
        if (wrapper !== undefined) wrapper.title = titleOf(known);
        return;
      }
      case 'terminal.lent':
        screen?.lend();
        return print(`${styled('cyan', '>')} ${nodes.get(event.task)?.title ?? event.task}`);
      case 'terminal.returned':
        return screen?.takeBack();
      case 'task.output':
        return show(event.task, event.lines.at(-1) ?? '');
      case 'task.progress':
        return show(event.task, event.text);
      case 'task.retrying':
        return show(event.task, `failed, tried again in ${event.inMs / 1000} s: ${event.error.split('\n')[0]}`);
      case 'task.left_behind':
        warnings.push(leftBehindText(event));
        return;
      case 'task.finished': {
        const wrapper = wrappers.get(event.task);
        const known = nodes.get(event.task);
        if (event.outcome === 'failed') failures.set(event.task, event.error ?? '');
        if (event.outcome === 'tolerated') warnings.push(`${event.task} failed, which the recipe allows: ${event.error?.split('\n')[0]}`);
        if (wrapper !== undefined && known !== undefined && event.outcome === 'done') {
          wrapper.title = `${known.title} ${styled('dim', duration(event.seconds))}`;
          wrapper.output = '';
        }
        clearTimeout(known?.redraw);
        if (known !== undefined) known.running = false;
        known?.ended.resolve(event);
        return;
      }
      case 'undo.started':
        undo = node('undo', `undo: ${event.reason}, ${event.entries} to take back`);
        undoDrawn = drawn.then(() => draw([undo as Node]));
        return;
      case 'undo.entry':
        return show('undo', `${event.task} (${event.kind})${event.ok ? '' : `: ${event.error}`}`);
      case 'warning':
        warnings.push(event.message);
        return;
      case 'undo.interrupted':
        for (const known of [...nodes.values(), ...(undo === undefined ? [] : [undo])]) if (known.running) show(known.id, interruptedText(event));
        return;
      case 'run.finished':
        finished = event;
        clearTimeout(undo?.redraw);
        undo?.ended.resolve({ outcome: event.left.length === 0 ? 'done' : 'failed', error: 'not all could be undone' });
        for (const known of nodes.values()) known.ended.resolve({ outcome: 'unreached', reason: 'the run is over' });
        return;
    }
  };

  // The latest line only, and not more often than the screen is worth redrawing.
  const show = (id: string, text: string) => {
    const known = id === 'undo' ? undo : nodes.get(id);
    if (known === undefined) return;
    known.latest = plainText(text).slice(0, process.stdout.columns);
    known.redraw ??= setTimeout(() => {
      known.redraw = undefined;
      const wrapper = wrappers.get(id);
      if (wrapper !== undefined) wrapper.output = known.latest;
    }, policy.redrawMs);
  };

  return {
    sink,
    end: async () => {
      await drawn;
      await undoDrawn;
      for (const warning of warnings) printError(`${styled('yellow', 'warning:', process.stderr)} ${warning}`);
      if (finished !== undefined) printSummary(finished, failures, (task) => `chrootfile logs ${run} ${task}`);
    },
  };
}

function node(id: string, described: string | undefined): Node {
  const [name, description] = [plainText(id), described === undefined ? undefined : plainText(described)];
  return {
    id,
    title: id === 'undo' ? (description ?? name) : description === undefined ? name : `${name}  ${styled('dim', description)}`,
    ended: withResolver(),
    latest: '',
    redraw: undefined,
    attempt: 0,
    running: id === 'undo',
  };
}

function titleOf(node: Node): string {
  return node.attempt > 1 ? `${node.title} (attempt ${node.attempt})` : node.title;
}

function withResolver<T>(): PromiseWithResolver<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((r) => {
    resolve = r;
  });
  return { promise, resolve };
}
