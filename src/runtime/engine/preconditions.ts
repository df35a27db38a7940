import type { PipeMaker } from '../../linux/fifo.js';
import { hostPolicy } from '../../linux/policy.js';
import { runScript, ScriptError } from '../../linux/sandboxed_script.js';
import type { PreparedTask } from './prepared_task.js';

/** How the command of a check failed, and its last lines of output. */
export interface CheckFailure {
  readonly how: string;
  readonly lines: readonly string[];
}

/** @throws Error with the message of the first precondition that fails. */
export async function checkPreconditions(task: PreparedTask, pipes: PipeMaker, signal: AbortSignal): Promise<void> {
  for (const { command, message } of task.preconditions()) {
    const failure = await checkCommand(task, command(), pipes, signal);
    if (failure === undefined) continue;
    const title = `precondition not met${message === undefined ? '' : `: ${message()}`}`;
    throw new Error([title, `  $ ${command()}`, `  ${failure.how}`, ...failure.lines.map((line) => `  | ${line}`)].join('\n'));
  }
}

/**
 * Runs a command of a task's `preconditions` or `status` in the task's folder and environment.
 * @returns how it failed; undefined when it succeeded.
 */
export async function checkCommand(task: PreparedTask, text: string, pipes: PipeMaker, signal: AbortSignal): Promise<CheckFailure | undefined> {
  const lines: string[] = [];
  const { timeoutMs } = task.linked.task;
  const script = { ...task.place(), text, shell: ['/bin/sh', '-e'], keepsMounts: false, timeoutMs, signal };
  try {
    await runScript({ ...script, onLines: (more) => lines.push(...more.slice(-hostPolicy.tailLines)), onMask: task.onMask }, pipes);
    return undefined;
  } catch (error) {
    if (!(error instanceof ScriptError) || signal.aborted) throw error;
    return { how: error.how, lines: lines.slice(-hostPolicy.tailLines) };
  }
}
