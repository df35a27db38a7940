import type { Plan } from '../dsl/plan/plan.js';
import { systemProgram } from '../linux/command.js';
import { ExitError, exits } from './exit_codes.js';

/** A program of the host, and the Debian package that has it. */
export interface Tool {
  readonly program: string;
  readonly package: string;
}

/** What every run needs. */
export const runTools: readonly Tool[] = [
  { program: 'setpriv', package: 'util-linux' },
  { program: 'unshare', package: 'util-linux' },
  { program: 'mkfifo', package: 'coreutils' },
];

/** What the embedded EC2 needs. */
export const localTools: readonly Tool[] = [
  { program: 'setpriv', package: 'util-linux' },
  { program: 'losetup', package: 'mount' },
  { program: 'partx', package: 'util-linux' },
  { program: 'blockdev', package: 'util-linux' },
  { program: 'cp', package: 'coreutils' },
];

/** What the tasks of a plan need. */
export function toolsFor(plan: Plan): Tool[] {
  const tools = [...runTools];
  for (const { task } of plan.tasks.values()) {
    if (task.action.type === 'run' && task.action.interactive) tools.push({ program: 'script', package: 'bsdutils' });
    if (task.action.type !== 'kind') continue;
    tools.push(...Object.entries(task.action.kind.tools).map(([program, from]) => ({ program, package: from })));
  }
  return tools;
}

/** @throws ExitError with what to install, when this host lacks any of the tools. */
export function mustHave(tools: readonly Tool[]): void {
  const missing = missingTools(tools);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => tool.package))].join(' ');
  throw new ExitError(exits.host, `this host lacks ${missing.map((tool) => tool.program).join(', ')}\n  help: apt-get install ${packages}`);
}

/** Those of the tools that this host lacks. */
export function missingTools(tools: readonly Tool[]): Tool[] {
  const unique = new Map(tools.map((tool) => [tool.program, tool]));
  return [...unique.values()].filter((tool) => systemProgram(tool.program) === undefined);
}
