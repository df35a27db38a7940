import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { openShell, type ShellPlace } from '../../linux/interactive_shell.js';
import type { FailedTask, FailureWish } from '../../runtime/engine/execution.js';
import { harmless, print, styled } from './output.js';

/** The values of `--on-failure`. */
export type FailureMode = 'undo' | 'keep' | 'ask' | 'shell';

/** Decides what happens after tasks failed, according to `--on-failure`; `ask` and `shell` ask the user. */
export function onFailureOf(
  mode: FailureMode,
  signal: AbortSignal,
  redact: (text: string) => string,
): (failed: readonly FailedTask[], interrupted: boolean) => Promise<FailureWish> {
  return async (failed, interrupted) => {
    if (mode === 'undo' || mode === 'keep') return mode;
    if (interrupted) return 'undo';
    // Undefined if a release failed: then there is no place to open a shell.
    const [first] = failed;
    print(
      ...failed.flatMap(({ task, error }) => [
        '',
        `${styled('red', '✖')} ${styled('bold', task.id)} failed; everything created so far still exists`,
        redact(error),
      ]),
    );
    if (mode === 'shell' && first !== undefined) await openShellFor(first.task, first.place, signal);
    for (;;) {
      const answer = await asked(`${first === undefined ? '' : `[s]hell ${where(first.task)}, `}[r]etry, [k]eep for run --resume, [u]ndo? `, signal);
      if (answer === undefined || answer.startsWith('u')) return 'undo';
      if (answer.startsWith('r')) return 'retry';
      if (answer.startsWith('k')) return 'keep';
      if (answer.startsWith('s') && first !== undefined) await openShellFor(first.task, first.place, signal);
    }
  };
}

/** Asks before each task whether it should run, until the user chooses to continue without asking. */
export function stepper(signal: AbortSignal): (task: LinkedTask, place: ShellPlace) => Promise<boolean> {
  let free = false;
  let stopped = false;
  return async (task, place) => {
    while (!free && !stopped) {
      const answer = await asked(`next: ${styled('bold', task.id)} ${where(task)}: [enter] run it, [s]hell, [c]ontinue without asking, [q]uit? `, signal);
      stopped = answer === undefined || answer.startsWith('q');
      if (answer === '') return true;
      if (answer?.startsWith('c')) free = true;
      if (answer?.startsWith('s')) await openShellFor(task, place, signal);
    }
    return !stopped;
  };
}

function where({ in: chroot }: LinkedTask): string {
  return chroot === undefined ? 'on the host' : `in ${chroot}`;
}

async function openShellFor(task: LinkedTask, place: ShellPlace, signal: AbortSignal): Promise<void> {
  print(`Opening a shell for ${task.id} ${where(task)}; type "exit" to leave it.`);
  try {
    await openShell(place, task.in === undefined ? task.id : `${task.id} in ${task.in}`, signal);
  } catch (error) {
    // For example, its working directory is missing. The questions continue.
    print((error as Error).message);
  }
}

/** The answer to a question; undefined when the terminal is closed or the run is cancelled. */
export async function asked(question: string, signal: AbortSignal): Promise<string | undefined> {
  // After Ctrl-D there are no more answers.
  if (signal.aborted || process.stdin.readableEnded) return undefined;
  // Not in the terminal's raw mode: Ctrl-C stays a signal.
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  try {
    const closed = once(lines, 'close').then(() => undefined);
    return (await Promise.race([lines.question(harmless(question), { signal }), closed]))?.trim().toLowerCase();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    lines.close();
  }
}
