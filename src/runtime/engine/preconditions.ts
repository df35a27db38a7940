import type { PipeMaker } from '../../linux/fifo.js';
import { hostPolicy } from '../../linux/policy.js';
import { runScript, ScriptError } from '../../linux/sandboxed_script.js';
import type { PreparedTask } from './prepared_task.js';

/** Why a command of a check failed: how it ended, and its last lines. */
export interface CheckFailure {
  readonly how: string;
  readonly lines: readonly string[];
}

/** @throws Error with the message of the first precondition of a task that does not hold. */
export async function checkPreconditions(task: PreparedTask, pipes: PipeMaker, signal: AbortSignal): Promise<void> {
  for (const { command, message } of task.preconditions()) {
    const failure = await checkCommand(task, command(), pipes, signal);
    if (failure === undefined) continue;
    const title = `precondition not met${message === undefined ? '' : `: ${message()}`}`;
    throw new Error([title, `  $ ${command()}`, `  ${failure.how}`, ...failure.lines.map((line) => `  | ${line}`)].join('\n'));
  }
}

/**
 * Runs a command of a task's `preconditions` or `status` where the task runs, with its environment.
 * @returns why it failed; undefined when it succeeded.
 */
export async function checkCommand(task: PreparedTask, text: string, pipes: PipeMaker, signal: AbortSignal): Promise<CheckFailure | undefined> {
  const lines: string[] = [];
  const { timeoutMs } = task.linked.task;
  const script = { ...task.place(), text, shell: ['/bin/sh', '-e'], keepsMounts: false, timeoutMs, signal };
  try {
    await runScript({ ...script, onLines: (more) => lines.push(...more.slice(-hostPolicy.tailLines)) }, pipes);
    return undefined;
  } catch (error) {
    if (!(error instanceof ScriptError) || signal.aborted) throw error;
    return { how: error.how, lines: lines.slice(-hostPolicy.tailLines) };
  }
}
