import { type Command, CommanderError } from 'commander';
import { exits } from './exit_codes.js';
import { printError } from './terminal/output.js';
import { ProgramCommand } from './usage.js';
import { addVerbs, type Verbs } from './verbs.js';
import { enterFolders } from './working_folder.js';

// The SDK warns on standard error of Node versions it will no longer support.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
// A closed pipe or a lost terminal must not stop an undo.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

// Without a listener, this signal ends the program; with one, the write that made a file too large fails instead.
process.on('SIGXFSZ', () => {});

/** Set by the build. */
declare const VERSION: string;
let exitCode: number = exits.done;

/** The words for this program, and those after `--`, which are for the recipe. Before the verb `--` has no meaning. */
function wordsOf(argv: readonly string[]): { own: string[]; passed: string[] } {
  const words = enterFolders(argv[0] === '--' ? argv.slice(1) : argv);
  const split = ['run', 'plan', 'shell', 'why'].includes(words[0] ?? '') ? words.indexOf('--') : -1;
  const [own, passed] = split < 0 ? [words, []] : [words.slice(0, split), words.slice(split + 1)];
  // `help run` and `local help reset` are `run --help` and `local reset --help`.
  if (own[0] === 'help' && own[1] !== undefined && !(own[1] in verbs)) return { own: own.slice(1), passed };
  const help = own[0] === 'help' ? 0 : own[0] === 'local' && own[1] === 'help' ? 1 : -1;
  return { own: help < 0 ? own : [...own.toSpliced(help, 1), '--help'], passed };
}

let own = process.argv.slice(2);
/** All verbs, in the order of the help. */
const verbs: Verbs = {
  run: () => import('./commands/run.js'),
  check: () => import('./commands/check.js'),
  explain: () => import('./commands/explain.js'),
  plan: () => import('./commands/plan.js'),
  shell: () => import('./commands/shell.js'),
  why: () => import('./commands/why.js'),
  layers: () => import('./commands/layers.js'),
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
  pull: () => import('./commands/pull.js'),
  push: () => import('./commands/push.js'),
  destroy: () => import('./commands/destroy.js'),
  gc: () => import('./commands/gc.js'),
  local: () => import('./commands/local.js'),
};

async function main(): Promise<void> {
  // A promise that never settles must not end the program with exit code 0.
  process.exitCode = exits.failed;
  try {
    const words = wordsOf(own);
    own = words.own;
    await (await programFor(own, words.passed)).parseAsync(own, { from: 'user' });
    process.exitCode = exitCode;
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? exits.done : exits.invalid) : await failed(error);
  }
  // A connection that a library left open must not keep the program running; its output must be flushed.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((done) => stream.write('', () => done()))));
  process.exit();
}

/** The program, with the verb that the first word names, or with all verbs if it names none. */
async function programFor(words: readonly string[], passed: readonly string[] = []): Promise<Command> {
  const program = new ProgramCommand('chrootfile')
    .description('Build EC2 machine images by the chroot method, from a recipe of tasks. Failed runs are rolled back.')
    .version(VERSION)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .configureOutput({ writeErr: (text) => printError(text.trimEnd()) })
    .option('-C <folder>', 'start in another folder')
    .exitOverride()
    .addHelpText(
      'after',
      `
Examples:
  sudo chrootfile run recipes/base.yml         build an image
  chrootfile plan recipes/base.yml image       show what that would do
  chrootfile check recipes/*.yml               validate recipes
  sudo chrootfile undo --all                   clean up after a run that was killed

Without a recipe, a command uses chrootfile.yml in this folder or in the nearest folder above.

Exit codes: 0 succeeded; 1 a task failed, the run was rolled back; 2 invalid recipe or command line; 3 this machine lacks
something; 4 locked; 5 something could not be undone; 6 succeeded, but an output could not be computed;
124 timed out (run --timeout), rolled back; 129, 130, 143 interrupted by a signal, rolled back.`,
    );
  const exit = (code: number) => {
    exitCode = code;
  };
  // No verb is needed to print the version.
  if (words[0] !== '--version') await addVerbs(program, verbs, { words, passed, exit, programFor });
  return program;
}

void main();
// Errors that nobody awaited end the program, as they do by default: the journal records what has to be undone.
const end = (code: number) => process.exit(code);
process.on('uncaughtException', (error) => void failed(error).then(end, () => end(exits.failed)));

async function failed(error: unknown): Promise<number> {
  const { reportFailure } = await import('./failure.js');
  return reportFailure(error, VERSION, own);
}
