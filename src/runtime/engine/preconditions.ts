import { evaluate } from '../../dsl/evaluate.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { Value } from '../../dsl/syntax/values.js';
import { hostPolicy } from '../../linux/policy.js';
import { runScript, ScriptError } from '../../linux/sandboxed_script.js';
import type { Execution } from './execution.js';
import { surroundingsOf } from './user_script.js';

/** Why a command of a check failed: how it ended, and its last lines. */
export interface CheckFailure {
  readonly command: string;
  readonly how: string;
  readonly lines: readonly string[];
}

/**
 * Runs a command of a task's `preconditions` or `status` where the task runs, with its environment.
 * @returns why it failed; undefined when it succeeded.
 */
export async function checkCommand(
  x: Execution,
  task: LinkedTask,
  command: Value,
  root: string | undefined,
  signal: AbortSignal,
): Promise<CheckFailure | undefined> {
  const text = String(evaluate(command, task.module, x.facts) ?? '');
  const lines: string[] = [];
  const script = { ...surroundingsOf(task, x.facts, root), text, shell: ['/bin/sh', '-e'], keepsMounts: false, timeoutMs: task.task.timeoutMs, signal };
  try {
    await runScript({ ...script, onLines: (more) => lines.push(...more.slice(-hostPolicy.tailLines)) }, x.pipes);
    return undefined;
  } catch (error) {
    if (!(error instanceof ScriptError) || signal.aborted) throw error;
    return { command: text, how: error.how, lines: lines.slice(-hostPolicy.tailLines) };
  }
}

/** @throws Error with the message of the first precondition of a task that does not hold. */
export async function checkPreconditions(x: Execution, task: LinkedTask, root: string | undefined, signal: AbortSignal): Promise<void> {
  for (const { sh, message } of task.task.preconditions) {
    const failure = await checkCommand(x, task, sh, root, signal);
    if (failure === undefined) continue;
    const said = message === undefined ? '' : `: ${String(evaluate(message, task.module, x.facts))}`;
    throw new Error([`precondition not met${said}`, `  $ ${failure.command}`, `  ${failure.how}`, ...failure.lines.map((line) => `  | ${line}`)].join('\n'));
  }
}
