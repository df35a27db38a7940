import { Command, CommanderError } from 'commander';
import { exits } from './exit_codes.js';
import { printError } from './terminal/output.js';
import { addVerbs, type Verbs } from './verbs.js';

// The SDK warns on standard error of Node versions it will no longer support.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
// A closed pipe or a lost terminal is no reason to stop undoing.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

// A file that would be too large is an error of the write. A library ends the program by this signal where nobody listens.
process.on('SIGXFSZ', () => {});

/** Put here by the build. */
declare const VERSION: string;
let exitCode: number = exits.done;

// What stands behind `--` is the recipe's: this program's own words are read without it. Before the verb it says nothing.
const own = process.argv.slice(process.argv[2] === '--' ? 3 : 2);
const split = ['run', 'plan'].includes(own[0] ?? '') ? own.indexOf('--') : -1;
const passed = split < 0 ? [] : own.splice(split).slice(1);

/** All verbs, in the order of the help. */
const verbs: Verbs = {
  run: () => import('./commands/run.js'),
  check: () => import('./commands/check.js'),
  plan: () => import('./commands/plan.js'),
  list: () => import('./commands/list.js'),
  graph: () => import('./commands/graph.js'),
  init: () => import('./commands/init.js'),
  undo: () => import('./commands/undo.js'),
  runs: () => import('./commands/runs.js'),
  logs: () => import('./commands/logs.js'),
  kinds: () => import('./commands/kinds.js'),
  schema: () => import('./commands/schema.js'),
  completion: () => import('./commands/completion.js'),
  complete: () => import('./commands/complete.js'),
  doctor: () => import('./commands/doctor.js'),
  destroy: () => import('./commands/destroy.js'),
  gc: () => import('./commands/gc.js'),
  local: () => import('./commands/local.js'),
};

async function main(): Promise<void> {
  // A promise that is never settled must not end the program as if all were well.
  process.exitCode = exits.failed;
  try {
    await (await programFor(own)).parseAsync(own, { from: 'user' });
    process.exitCode = exitCode;
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? exits.done : exits.invalid) : await failed(error);
  }
  // A connection that a library left open must not keep the program; what was written must have gone out.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((done) => stream.write('', () => done()))));
  process.exit();
}

/** The program, with the verb that the first word names, or with all. */
async function programFor(words: readonly string[]): Promise<Command> {
  const program = new Command('chrootfile')
    .description('Builds machine images by the chroot method from a graph of tasks, with undo on disk.')
    .version(VERSION)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .configureOutput({ writeErr: (text) => printError(text.trimEnd()) })
    .exitOverride()
    .addHelpText(
      'after',
      `
Examples:
  sudo chrootfile run recipes/base.yml         build an image
  chrootfile plan recipes/base.yml image       what that would do, and why
  chrootfile check recipes/*.yml               find all faults
  sudo chrootfile undo --all                   take back what a killed run left

Exit codes: 0 done; 1 a task failed and all was undone; 2 recipe or usage invalid; 3 the host lacks something;
4 locked; 5 something could not be undone; 6 succeeded and kept, but an output could not be computed;
124 run --timeout; 129, 130, 143 interrupted and all was undone.`,
    );
  const exit = (code: number) => {
    exitCode = code;
  };
  // The version is said without any of them.
  if (words[0] !== '--version') await addVerbs(program, verbs, { words, passed, exit, programFor });
  return program;
}

void main();
// What no promise was waited for. As without this: nothing more is done, and the journal tells what is to be undone.
const end = (code: number) => process.exit(code);
process.on('uncaughtException', (error) => void failed(error).then(end, () => end(exits.failed)));

async function failed(error: unknown): Promise<number> {
  const { reportFailure } = await import('./failure.js');
  return reportFailure(error, VERSION, own);
}
