import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Option } from 'commander';
import { hasLocalDisks } from '../../dsl/recipe/cloud.js';
import { mounts } from '../../linux/mounts.js';
import { keeperOf } from '../../linux/namespace_holder.js';
import { shellWord } from '../../linux/shell_quote.js';
import { noTerminal } from '../../runtime/engine/task_runner.js';
import { cloudOf } from '../cloud.js';
import { ExitError, exits } from '../exit_codes.js';
import { findKept, type PreparedRun, prepareResume, prepareRun, type RunOptions } from '../prepared_run.js';
import { fileAndTasks, knownTo } from '../recipe_file.js';
import { mustBeAbleToMount, mustHostVolumes, toolsFor } from '../requirements.js';
import { runSession } from '../session.js';
import { mustBeRoot, stateFolder, usualUmask } from '../state.js';
import { hasPerson, print, printError } from '../terminal/output.js';
import { watchSignals } from '../terminal/signals.js';
import { mustHave } from '../tools.js';
import { addCloudOptions, bytes, collect, count, duration, inputOption, inputsOption, stateOption, type Verb } from '../verbs.js';
import { plan } from './plan.js';

/** Declares `chrootfile run`. */
export const verb: Verb = (program, { passed, exit }) => {
  const command = program
    .command('run')
    .description('run a recipe, or some of its tasks and their dependencies')
    .usage('[options] [words...] [-- arguments...]')
    .argument('[words...]', 'recipe file (default: chrootfile.yml), then tasks; words after -- become run.arguments')
    .addOption(inputOption())
    .addOption(inputsOption());
  addCloudOptions(command)
    .addOption(new Option('-j, --jobs <n>', 'maximum number of scripts and disk tasks at the same time (default: number of CPUs)').argParser(count))
    .addOption(new Option('-k, --keep-going', 'keep running tasks that do not depend on a failed one').default(false))
    .addOption(new Option('-f, --force', 'run tasks even if they are up to date or cached, and make new layers').default(false))
    .addOption(new Option('--cache', 'use layers of earlier runs, and make some, even if the recipe has no "cache"'))
    .addOption(new Option('--no-cache', 'use no layers and make none'))
    .addOption(
      new Option('--refresh <task>', 'run a task even if it is up to date or cached, and all later tasks on its volume; can be repeated')
        .argParser(collect)
        .default([] as string[]),
    )
    .addOption(new Option('--from <task>', 'run a task and all that depend on it, even if they are up to date or cached'))
    .addOption(
      new Option('--on-failure <what>', 'what to do after a failure: undo the run, keep it for --resume, ask, or open a shell and ask')
        .choices(['undo', 'keep', 'ask', 'shell'])
        .default('undo'),
    )
    .addOption(new Option('--step', 'ask before each task').default(false))
    .addOption(new Option('--resume <run>', 'continue a paused run at the task that failed'))
    .addOption(new Option('--timeout <duration>', 'maximum duration of the whole run, e.g. 90s, 20m, 1h30m').argParser(duration))
    .addOption(new Option('--log-limit <size>', 'maximum size of the log of each task, e.g. 10M (default: 100M); the middle is cut').argParser(bytes))
    .addOption(new Option('--manifest <file>', 'write outputs, images and snapshots to a JSON file if the run succeeds'))
    .addOption(new Option('--format <format>', 'output format').choices(['auto', 'plain', 'json']).default('auto'))
    .addOption(new Option('-v, --verbose', 'print the output of tasks even on a terminal').default(false))
    .addOption(new Option('-q, --quiet', 'print only errors and outputs').default(false))
    .addOption(new Option('--no-sandbox', 'mount in the mount namespace of the host'))
    .addOption(new Option('-n, --dry-run', 'show the plan and run nothing, as "chrootfile plan" does').default(false))
    .addOption(stateOption())
    .addHelpText(
      'after',
      `\nExamples:\n  sudo chrootfile run recipes/base.yml -i size=8\n  sudo chrootfile run recipes/base.yml --format json | tail -n 1\n  sudo chrootfile run recipes/base.yml --on-failure shell\n  sudo chrootfile run --resume 20261122-0915\n  sudo chrootfile run tool.yml -- --verbose update`,
    )
    .action(async (words: string[], options) => {
      const launched = fromLauncher();
      const { file, tasks } = fileAndTasks(words);
      if (options.resume !== undefined && words.length + passed.length > 0)
        throw new ExitError(exits.invalid, `--resume takes no recipe, tasks or arguments: they are those of the run`);
      const other = options.resume === undefined ? undefined : unfitForResume(options);
      if (other !== undefined) throw new ExitError(exits.invalid, `--resume cannot be combined with ${other}`);
      if (options.dryRun) return await plan(file, tasks, { ...options, arguments: passed, why: options.verbose, json: options.format === 'json' });
      exit(await run(file, tasks, { ...options, arguments: passed, ...launched }));
    });
};

const whyRoot = 'run needs root: it mounts file systems, attaches volumes and enters chroots';

/** The option that a resumed run cannot have, because it goes on as it began. */
function unfitForResume(options: Readonly<Record<string, unknown>>): string | undefined {
  const { cache, refresh } = options;
  const name = ['dryRun', 'cloud', 'region', 'profile', 'endpoint', 'volumes', 'from'].find((each) => options[each]);
  if (name !== undefined) return name === 'dryRun' ? '--dry-run' : `--${name}`;
  if (cache !== undefined) return cache ? '--cache' : '--no-cache';
  return (refresh as readonly string[]).length > 0 ? '--refresh' : undefined;
}

/** Reads and removes the launcher's variables, so that tasks do not see them. */
export function fromLauncher(): Pick<RunOptions, 'sandbox' | 'sandboxRefused' | 'printKeeper'> {
  const { CHROOTFILE_SANDBOX, CHROOTFILE_PRINT_KEEPER } = process.env;
  delete process.env['CHROOTFILE_SANDBOX'];
  // It must enter a kept run's namespace before this program can.
  delete process.env['CHROOTFILE_PRINT_KEEPER'];
  return { sandbox: CHROOTFILE_SANDBOX === '1', sandboxRefused: CHROOTFILE_SANDBOX === 'refused', printKeeper: CHROOTFILE_PRINT_KEEPER === '1' };
}

/** `chrootfile run`: plans a recipe and runs it, or resumes a kept run; returns the exit code. */
async function run(file: string, goals: readonly string[], options: RunOptions): Promise<number> {
  if (options.printKeeper) {
    print(String(keeperOf(findKept(options).folder.keeper)?.pid ?? ''));
    return exits.done;
  }
  process.umask(usualUmask);
  if (options.onFailure === 'ask' || options.onFailure === 'shell') mustHavePerson(`--on-failure ${options.onFailure}`);
  if (options.step) mustHavePerson('--step');
  if (options.manifest !== undefined) mustBeWritable(options.manifest);
  if (options.resume !== undefined) mustBeRoot(whyRoot, `run --resume ${options.resume}`, options.state);
  return start(file, options.resume === undefined ? prepareRun(file, goals, options) : prepareResume(options), options);
}

/** Checks the host and runs what was prepared; returns the exit code. */
export async function start(file: string, prepared: PreparedRun, options: RunOptions): Promise<number> {
  await checkHost(file, prepared, options);
  // A resumed run goes on with its own.
  const report = options.quiet ? () => {} : printError;
  const cloud = options.resume === undefined ? await cloudOf(prepared.loaded.module.recipe.cloud, options, prepared.folder.state, report) : undefined;
  if (cloud !== undefined && hasLocalDisks(cloud)) await mustHostVolumes(prepared);
  const interruption = watchSignals(options.timeout);
  try {
    return await runSession(cloud === undefined ? prepared : { ...prepared, cloud }, options, interruption);
  } finally {
    interruption.stop();
  }
}

/** @throws ExitError if the manifest could not be written at the end. */
function mustBeWritable(manifest: string): void {
  const path = resolve(manifest);
  const why = !existsSync(dirname(path))
    ? `there is no folder ${dirname(manifest)}`
    : statSync(path, { throwIfNoEntry: false })?.isDirectory()
      ? 'it is a folder'
      : undefined;
  if (why !== undefined) throw new ExitError(exits.invalid, `--manifest ${manifest}: ${why}`);
}

/** @throws ExitError for an option that asks questions if there is no terminal. */
function mustHavePerson(what: string): void {
  if (hasPerson()) return;
  throw new ExitError(exits.invalid, `${what} needs a terminal\n  help: use --on-failure keep, then chrootfile run --resume RUN on a terminal`);
}

async function checkHost(file: string, prepared: PreparedRun, options: RunOptions): Promise<void> {
  const { plan, done } = prepared;
  const { sandbox } = options;
  mustBeRoot(whyRoot, `run ${shellWord(file)}`, options.state);
  stateFolder(options.state, 'change');
  mustBeAbleToMount(options.sandboxRefused);
  const holder = [...plan.tasks.values()].find((task) => task.lifetime === 'resource' && task.task.action.type === 'run' && task.in === undefined);
  if (!sandbox && holder !== undefined && !mounts().findLast(({ path }) => path === '/')?.shared) {
    const help = 'remove --no-sandbox, or run mount --make-rshared / first';
    throw new ExitError(exits.host, `without the sandbox "${holder.id}" cannot mount anything for the tasks that use it\n  help: ${help}`);
  }
  // A task that may be skipped or may fail reports a missing terminal when it starts.
  const asks = [...plan.tasks.values()].find(
    ({ id, task }) => task.action.type === 'run' && task.action.interactive && !done.has(id) && !task.if && !task.freshness && !task.continueOnError,
  );
  if (asks !== undefined && !hasPerson()) throw new ExitError(exits.host, `task "${asks.id}": ${noTerminal}`);
  mustHave(toolsFor(plan, knownTo(prepared.loaded)));
}
