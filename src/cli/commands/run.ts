import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { mounts } from '../../linux/mounts.js';
import { keeperOf } from '../../linux/namespace_holder.js';
import { noTerminal } from '../../runtime/engine/task_runner.js';
import { ExitError, exits } from '../exit_codes.js';
import { findKept, type PreparedRun, prepareResume, prepareRun, type RunOptions } from '../prepared_run.js';
import { mustHave, toolsFor } from '../requirements.js';
import { runSession } from '../session.js';
import { isRoot, usualUmask } from '../state.js';
import { hasPerson, print } from '../terminal/output.js';
import { watchSignals } from '../terminal/signals.js';

/** `chrootfile run`: plans a recipe and runs it, or goes on with a kept run; gives the exit code. */
export async function run(file: string, goals: readonly string[], options: RunOptions): Promise<number> {
  if (options.printKeeper) {
    print(String(keeperOf(findKept(options).folder.keeper)?.pid ?? ''));
    return exits.done;
  }
  process.umask(usualUmask);
  if (options.onFailure === 'ask' || options.onFailure === 'shell') mustHavePerson(`--on-failure ${options.onFailure}`);
  if (options.step) mustHavePerson('--step');
  if (options.manifest !== undefined) mustBeWritable(options.manifest);
  const prepared = options.resume === undefined ? prepareRun(file, goals, options) : prepareResume(options);
  checkHost(file, prepared, options.sandbox);
  const interruption = watchSignals(options.timeout);
  try {
    return await runSession(prepared, options, interruption);
  } finally {
    interruption.stop();
  }
}

/** @throws ExitError where a manifest could not be written at the end. */
function mustBeWritable(manifest: string): void {
  const path = resolve(manifest);
  const why = !existsSync(dirname(path))
    ? `there is no folder ${dirname(manifest)}`
    : statSync(path, { throwIfNoEntry: false })?.isDirectory()
      ? 'it is a folder'
      : undefined;
  if (why !== undefined) throw new ExitError(exits.invalid, `--manifest ${manifest}: ${why}`);
}

/** @throws ExitError where a person would be asked and there is none. */
function mustHavePerson(what: string): void {
  if (hasPerson()) return;
  throw new ExitError(
    exits.invalid,
    `${what} asks on a terminal, and there is none\n  help: --on-failure keep, then chrootfile run --resume RUN on a terminal`,
  );
}

function checkHost(file: string, { plan, done }: PreparedRun, sandbox: boolean): void {
  if (!isRoot()) throw new ExitError(exits.host, `run needs root: it mounts, attaches and changes root\n  help: sudo chrootfile run ${file}`);
  const holder = [...plan.tasks.values()].find((task) => task.lifetime === 'hold' && task.task.action.type === 'run' && task.in === undefined);
  if (!sandbox && holder !== undefined && !mounts().findLast(({ path }) => path === '/')?.shared) {
    const help = 'leave out --no-sandbox, or mount --make-rshared / first';
    throw new ExitError(exits.host, `without the sandbox "${holder.id}" cannot mount anything for the tasks that stand on it\n  help: ${help}`);
  }
  // One that may turn out not to run, or may fail, is told when it comes to it.
  const asks = [...plan.tasks.values()].find(
    ({ id, task }) => task.action.type === 'run' && task.action.interactive && !done.has(id) && !task.if && !task.freshness && !task.continueOnError,
  );
  if (asks !== undefined && !hasPerson()) throw new ExitError(exits.host, `task "${asks.id}": ${noTerminal}`);
  mustHave(toolsFor(plan));
}
