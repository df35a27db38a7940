import type { LinkedTask } from '../resolve/link.js';

/** The tasks of a recipe with a shell in the place of one of them, or (`after`) behind it. */
export function withShell(
  all: ReadonlyMap<string, LinkedTask>,
  id: string,
  after: boolean,
): { readonly tasks: ReadonlyMap<string, LinkedTask>; readonly shell: string } {
  const shell = after ? `${id} (shell)` : id;
  const tasks = [...all].flatMap(([each, task]): [string, LinkedTask][] => {
    if (each !== id) return [[each, task]];
    return after
      ? [
          [each, task],
          [shell, shellAfter(task, shell)],
        ]
      : [[each, shellInsteadOf(task, `A shell before ${id}`)]];
  });
  return { tasks: new Map(tasks), shell };
}

/** It runs where the task would, with its environment. */
function shellInsteadOf(linked: LinkedTask, description: string): LinkedTask {
  const { task } = linked;
  const { at, action } = task;
  const run = action.type === 'run' ? action : { env: new Map(), dir: undefined };
  const script = { type: 'literal', value: shellScript(linked.uses.size === 0), at } as const;
  return {
    ...linked,
    lifetime: 'step',
    freezes: [],
    task: {
      ...task,
      description,
      action: { type: 'run', script, dir: run.dir, env: run.env, interactive: true, outputs: new Map() },
      if: undefined,
      timeoutMs: undefined,
      retries: { limit: 0, delayMs: 0, backoff: 1 },
      preconditions: [],
      freshness: undefined,
    },
  };
}

/** In the chroot of the task, or in the chroot that the task is. What it uses stays until the shell ends. */
function shellAfter(linked: LinkedTask, id: string): LinkedTask {
  const { action, at } = linked.task;
  const isChroot = action.type === 'kind' && action.kind.name === 'chroot';
  const uses = linked.lifetime === 'resource' ? new Set([...linked.uses, linked.id]) : linked.uses;
  const link = { to: linked.id, released: false, because: 'the shell is opened after it', span: at.document.keySpanOf(at.pointer) };
  return {
    ...shellInsteadOf(linked, `A shell after ${linked.id}`),
    id,
    uses,
    in: isChroot ? linked.id : linked.in,
    links: [...linked.links, link],
    rank: linked.rank + 0.5,
  };
}

/** The exit code of the last command in it does not matter. @param onlyHost whether the task uses no resource of the recipe. */
const shellScript = (
  onlyHost: boolean,
) => `echo 'Leave the shell with "exit". ${onlyHost ? 'It runs on the build host: what it changes there stays' : 'The volumes of the run are then deleted'}.'
if [ -x /bin/bash ]; then /bin/bash -i || :; else /bin/sh -i || :; fi`;
