import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { durationMs } from '../dsl/syntax/lexical.js';
import { ExitError, exits } from './exit_codes.js';
import { printError } from './terminal/output.js';

// The SDK warns on standard error of Node versions it will no longer support.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
// Said by the launcher; not for the tasks' environment.
const sandbox = process.env['CHROOTFILE_SANDBOX'] === '1';
delete process.env['CHROOTFILE_SANDBOX'];
// Asked by the launcher, which must enter a kept run's namespace before this program can.
const printKeeper = process.env['CHROOTFILE_PRINT_KEEPER'] === '1';
delete process.env['CHROOTFILE_PRINT_KEEPER'];
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

const state = () => new Option('--state <folder>', 'where runs and the embedded EC2 are kept (default: /var/lib/chrootfile for root)');
const collect = (value: string, all: readonly string[]) => [...all, value];
const input = () => new Option('-i, --input <name=value>', 'value of an input; may be given several times').argParser(collect).default([] as string[], 'none');
const inputs = () =>
  new Option('--inputs <file>', 'values of inputs, as YAML, JSON or dotenv (.env); may be given several times')
    .argParser(collect)
    .default([] as string[], 'none');
const json = () => new Option('--json', 'print JSON').default(false);

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

program
  .command('run')
  .description('run a recipe, or some of its tasks and what they need')
  .usage('[options] [words...] [-- arguments...]')
  .argument('[words...]', 'recipe file (default chrootfile.yml), then tasks; what stands behind -- is run.arguments in the recipe')
  .addOption(input())
  .addOption(inputs())
  .addOption(new Option('--cloud <provider>', 'where to build, instead of what the recipe says').choices(['local', 'aws']))
  .addOption(new Option('--region <region>', 'region, instead of what the recipe or the environment says'))
  .addOption(new Option('--profile <profile>', 'profile of the shared AWS configuration, likewise'))
  .addOption(new Option('--endpoint <url>', 'another EC2 endpoint'))
  .addOption(new Option('-j, --jobs <n>', 'how many scripts and disk tasks run at once (default: number of CPUs)').argParser(count))
  .addOption(new Option('-k, --keep-going', 'after a failure, go on with what does not depend on it').default(false))
  .addOption(new Option('-f, --force', 'run tasks that are up to date, too').default(false))
  .addOption(
    new Option('--on-failure <what>', 'undo what was made, keep it for --resume, ask, or open a shell and ask')
      .choices(['undo', 'keep', 'ask', 'shell'])
      .default('undo'),
  )
  .addOption(new Option('--step', 'ask before each task').default(false))
  .addOption(new Option('--resume <run>', 'go on with a run that was kept, from the task that failed'))
  .addOption(new Option('--timeout <duration>', 'longest time for all, e.g. 90s, 20m, 2h').argParser(duration))
  .addOption(
    new Option(
      '--log-limit <size>',
      'how much of the output of each task is kept in its log, e.g. 10M (default: 100M): the beginning, and the last lines',
    ).argParser(bytes),
  )
  .addOption(new Option('--manifest <file>', 'write the outputs, images and snapshots of a run that ended well, as JSON'))
  .addOption(new Option('--format <format>', 'how to report').choices(['auto', 'plain', 'json']).default('auto'))
  .addOption(new Option('-v, --verbose', 'print the output of tasks, on a terminal too').default(false))
  .addOption(new Option('-q, --quiet', 'print only what went wrong, and the outputs').default(false))
  .addOption(new Option('--no-sandbox', 'mount in the namespace of the host'))
  .addOption(new Option('-n, --dry-run', 'show the plan instead, as the verb plan does').default(false))
  .addOption(state())
  .addHelpText(
    'after',
    `\nExamples:\n  sudo chrootfile run recipes/base.yml -i size=8\n  sudo chrootfile run recipes/base.yml --format json | tail -n 1\n  sudo chrootfile run recipes/base.yml --on-failure shell\n  sudo chrootfile run --resume 20261122-0915\n  sudo chrootfile run tool.yml -- --verbose update`,
  )
  .action(async (words: string[], options) => {
    const { fileAndTasks } = await import('./recipe_file.js');
    const { file, tasks } = fileAndTasks(words);
    if (options.resume !== undefined && words.length + passed.length > 0)
      throw new ExitError(exits.invalid, `--resume takes no recipe, no tasks and no arguments: the run has its own`);
    const [other] = ['dryRun', 'cloud', 'region', 'profile', 'endpoint'].filter((name) => options[name]);
    if (options.resume !== undefined && other !== undefined)
      throw new ExitError(exits.invalid, `--resume does not go with --${other === 'dryRun' ? 'dry-run' : other}`);
    if (options.dryRun) return (await import('./commands/plan.js')).plan(file, tasks, { ...options, arguments: passed, json: options.format === 'json' });
    const { run } = await import('./commands/run.js');
    exit(await run(file, tasks, { ...options, arguments: passed, sandbox, printKeeper }));
  });

program
  .command('check')
  .description('find all faults of recipes, without running anything')
  .argument('[files...]', 'recipe files (default chrootfile.yml)')
  .addOption(input())
  .addOption(inputs())
  .addOption(new Option('--format <format>', 'how to report').choices(['text', 'json', 'github']).default('text'))
  .addHelpText('after', '\nExamples:\n  chrootfile check recipes/*.yml\n  chrootfile check recipes/base.yml --format github')
  .action(async (files: string[], options) => exit((await import('./commands/check.js')).check(files.length > 0 ? files : ['chrootfile.yml'], options)));

program
  .command('plan')
  .description('show what a run would do, in which order and why, and what its undo would be')
  .argument('[words...]', 'recipe file (default chrootfile.yml), then tasks')
  .addOption(input())
  .addOption(inputs())
  .addOption(json())
  .addHelpText('after', '\nExamples:\n  chrootfile plan recipes/base.yml\n  chrootfile plan recipes/base.yml image --json')
  .action(async (words: string[], options) => {
    const { fileAndTasks } = await import('./recipe_file.js');
    const { file, tasks } = fileAndTasks(words);
    (await import('./commands/plan.js')).plan(file, tasks, { ...options, arguments: passed });
  });

program
  .command('list')
  .description('list the tasks, outputs and inputs of a recipe')
  .argument('[file]', 'recipe file', 'chrootfile.yml')
  .addOption(input())
  .addOption(inputs())
  .addOption(json())
  .addHelpText('after', '\nExamples:\n  chrootfile list recipes/base.yml')
  .action(async (file: string, options) => (await import('./commands/list.js')).list(file, options));

program
  .command('graph')
  .description('draw what a run would do, and what waits for what')
  .argument('[words...]', 'recipe file (default chrootfile.yml), then tasks')
  .addOption(new Option('--format <format>', 'how to draw').choices(['text', 'mermaid', 'dot']).default('text'))
  .addOption(input())
  .addOption(inputs())
  .addHelpText('after', '\nExamples:\n  chrootfile graph recipes/base.yml\n  chrootfile graph recipes/base.yml image --format dot | dot -Tsvg > base.svg')
  .action(async (words: string[], options) => {
    const { fileAndTasks } = await import('./recipe_file.js');
    const { file, tasks } = fileAndTasks(words);
    (await import('./commands/graph.js')).graph(file, tasks, options);
  });

program
  .command('init')
  .description('make a recipe to start from, and what editors need')
  .argument('[folder]', 'where to', '.')
  .addHelpText('after', '\nExamples:\n  chrootfile init my-image')
  .action(async (folder: string) => (await import('./commands/init.js')).init(folder));

program
  .command('undo')
  .description('take back what a run that died, or could not undo everything, left behind')
  .argument('[run]', 'the run, or a beginning of its id')
  .addOption(new Option('--all', 'all such runs').default(false))
  .addOption(input())
  .addOption(json())
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  sudo chrootfile undo --all\n  sudo chrootfile undo 20261122-0915')
  .action(async (run: string | undefined, options) => exit(await (await import('./commands/undo.js')).undo(run, options)));

program
  .command('runs')
  .description('list runs, and whether anything of them is left')
  .addOption(json())
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  sudo chrootfile runs --json')
  .action(async (options) => (await import('./commands/runs.js')).runs(options.state, options.json));

program
  .command('logs')
  .description('print the output of the tasks of a run')
  .argument('[run]', 'the run, or a beginning of its id (default: the last)')
  .argument('[task]', 'one task of it')
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  sudo chrootfile logs\n  sudo chrootfile logs 20261122-0915 grub')
  .action(async (run: string | undefined, task: string | undefined, options) => (await import('./commands/runs.js')).logs(options.state, run, task));

program
  .command('kinds')
  .description('list the built-in kinds of tasks, or show the manual of one')
  .argument('[kind]', 'e.g. mount')
  .addOption(json())
  .addHelpText('after', '\nExamples:\n  chrootfile kinds\n  chrootfile kinds ec2.volume')
  .action(async (kind: string | undefined, options) => (await import('./commands/kinds.js')).kinds(kind, options.json));

program
  .command('schema')
  .description('print the JSON Schema of recipes, or of one recipe with its own names; or write it for editors')
  .argument('[files...]', 'recipe files')
  .addOption(new Option('--write', 'write .chrootfile/NAME.schema.json beside each (default chrootfile.yml)').default(false))
  .addOption(new Option('--watch', 'write it, and again whenever a recipe or a library of it changes').default(false))
  .addHelpText('after', '\nExamples:\n  chrootfile schema > recipe.schema.json\n  chrootfile schema --write recipes/*.yml')
  .action(async (files: string[], options) => (await import('./commands/schema.js')).schema(files, options));

program
  .command('completion')
  .description('print the script by which a shell completes tasks, inputs, runs and options')
  .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
  .addHelpText('after', '\nExamples:\n  source <(chrootfile completion bash)\n  chrootfile completion fish > ~/.config/fish/completions/chrootfile.fish')
  .action(async (shell: 'bash' | 'zsh' | 'fish') => (await import('./commands/completion.js')).completion(shell));
program
  .command('complete', { hidden: true })
  .argument('[words...]')
  .action(async (words: string[]) => (await import('./commands/complete.js')).complete(program, words));

program
  .command('doctor')
  .description('check whether this host can do the work')
  .addOption(json())
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  sudo chrootfile doctor')
  .action(async (options) => exit(await (await import('./commands/doctor.js')).doctor(options.state, options.json)));

program
  .command('destroy')
  .description('deregister the images of a run that ended well, and delete their snapshots, in every region')
  .argument('<run>', 'id of the run, or the beginning of it')
  .addOption(new Option('--yes', 'do not ask').default(false))
  .addOption(json())
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  sudo chrootfile destroy 20261122-0915\n  sudo chrootfile destroy 20261122-0915 --yes --json')
  .action(async (id: string, options) => exit(await (await import('./commands/destroy.js')).destroy(id, options)));

program
  .command('gc')
  .description('find by tag what runs of lost machines left in an account, and delete it with --delete')
  .addOption(new Option('--delete', 'delete it; without this it is only listed').default(false))
  .addOption(new Option('--run <run>', 'only what this run has made, whatever its age'))
  .addOption(
    new Option('--older <duration>', 'age from which a run that nobody knows counts as lost, e.g. 12h, 7d').argParser(age).default(7 * 86_400_000, '7d'),
  )
  .addOption(new Option('--regions <names>', 'where to look, with commas between; all for every region (default: that of --region or the environment)'))
  .addOption(new Option('--cloud <provider>', 'where to look').choices(['local', 'aws']).default('local'))
  .addOption(new Option('--region <region>', 'region to begin with, instead of what the environment says'))
  .addOption(new Option('--profile <profile>', 'profile of the shared AWS configuration'))
  .addOption(new Option('--endpoint <url>', 'another EC2 endpoint'))
  .addOption(json())
  .addOption(state())
  .addHelpText(
    'after',
    '\nOnly what is tagged chrootfile:state=building is looked at. A run is taken when this machine knows that it is dead, when its\ninstance was terminated, when --run names it, or when it is older than --older; never one that goes on or is kept here.\n\nExamples:\n  chrootfile gc --cloud aws --regions eu-west-1,us-east-1\n  chrootfile gc --cloud aws --regions all --older 2d --delete\n  chrootfile gc --cloud aws --run 20261122-0915-web-x1y2 --delete',
  )
  .action(async (options) => {
    const { gc, regionList } = await import('./commands/gc.js');
    exit(await gc({ ...options, ...(options.regions === undefined ? {} : { regions: regionList(options.regions) }) }));
  });

const local = program.command('local').description('look after the embedded EC2');
for (const what of ['images', 'volumes', 'snapshots'] as const) {
  local
    .command(what)
    .description(`list the ${what} it holds`)
    .addOption(json())
    .addOption(state())
    .addHelpText('after', `\nExamples:\n  sudo chrootfile local ${what} --json`)
    .action(async (options) => (await import('./commands/local.js')).listLocal(what, options.state, options.json));
}
local
  .command('serve')
  .description('serve it to other programs over HTTP, with block devices and instance metadata')
  .addOption(new Option('--port <n>', 'port of EC2 and STS; 0 is any that is free').argParser(port).default(7780))
  .addOption(new Option('--metadata-port <n>', 'port of the instance metadata service, likewise').argParser(port).default(7781))
  .addOption(new Option('--listen <address>', 'serve EC2 and STS, never metadata, on another address than 127.0.0.1; needs --host'))
  .addOption(new Option('--host <names...>', 'names that clients may call this machine by'))
  .addOption(new Option('--no-auth', 'do not verify signatures: whoever can connect may use it'))
  .addOption(new Option('--region <region>', 'the region this machine says it is in').default('local-1'))
  .addOption(new Option('--latency <profile>', 'how long things take: instant, ec2, or a file (default: instant)'))
  .addOption(new Option('--faults <file>', 'what goes wrong'))
  .addOption(new Option('--log <file>', 'write all requests with their answers, as lines of JSON'))
  .addOption(json())
  .addOption(state())
  .addHelpText(
    'after',
    '\nExamples:\n  sudo chrootfile local serve\n  sudo chrootfile local serve --latency ec2 --log requests.ndjson\n  sudo chrootfile local serve --port 0 --metadata-port 0 --json\n  sudo chrootfile local serve --listen 10.0.0.5 --host build1.example',
  )
  .action(async ({ host, ...options }) => exit(await (await import('./commands/serve.js')).serveLocal({ ...options, hosts: host })));
local
  .command('env')
  .description('print what AWS clients need to use the served EC2: endpoint, access key, region')
  .addOption(json())
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  eval "$(sudo chrootfile local env)"')
  .action(async (options) => (await import('./served_ec2.js')).printServedEnvironment(options.state, options.json));
local
  .command('check')
  .description('find what crashes and power cuts left: unreadable records, disks without a record, dead locks, dangling links')
  .addOption(new Option('--repair', 'rebuild records as far as runs tell, and remove drafts, dead locks and dangling links; disks stay').default(false))
  .addOption(new Option('--delete-orphans <ids...>', 'delete these disks, which no record has'))
  .addOption(json())
  .addOption(state())
  .addHelpText(
    'after',
    '\nExamples:\n  sudo chrootfile local check\n  sudo chrootfile local check --repair\n  sudo chrootfile local check --delete-orphans snap-0123456789abcdef0',
  )
  .action(async (options) => exit(await (await import('./commands/local_check.js')).checkLocal(options)));
local
  .command('export')
  .description('write the disk of an image to a file')
  .argument('<image>', 'id or name of the image')
  .argument('<file>', 'raw, or qcow2 by its ending')
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  sudo chrootfile local export ami-0123456789abcdef0 base.img\n  sudo chrootfile local export base-1763799000 base.qcow2')
  .action(async (image: string, file: string, options) => (await import('./commands/local.js')).exportImage(image, file, options.state));
local
  .command('init')
  .description('keep it on a file system that shares blocks, in a file: volumes and snapshots are made at once then')
  .addOption(new Option('--size <size>', 'most room it may take, e.g. 50G; it takes what is used').argParser(bytes).default(50 * 2 ** 30, '50G'))
  .addOption(new Option('--fs <type>', 'the file system').choices(['xfs', 'btrfs']).default('xfs'))
  .addOption(state())
  .addHelpText(
    'after',
    '\nExamples:\n  sudo chrootfile local init --size 50G --fs xfs\n\nWhat is there moves along; `local reset` takes the file system away again.',
  )
  .action(async (options) => (await import('./commands/local.js')).initLocal(options.state, options));
local
  .command('detach')
  .description('detach the volumes that a server left attached when it ended, because they were in use')
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  sudo chrootfile local detach')
  .action(async (options) => exit(await (await import('./commands/local.js')).detachLocal(options.state)));
local
  .command('reset')
  .description('remove all its images, snapshots and volumes, and what init made')
  .addOption(new Option('--yes', 'do it').default(false))
  .addOption(state())
  .addHelpText('after', '\nExamples:\n  sudo chrootfile local reset --yes')
  .action(async (options) => (await import('./commands/local.js')).resetLocal(options.state, options.yes));

function count(text: string): number {
  if (!/^[1-9][0-9]*$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return Number(text);
}

function port(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It must be a port, 0 to 65535.');
  return Number(text);
}

function duration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as 90s, 20m or 2h.');
  return ms;
}

function age(text: string): number {
  const [, days] = /^([0-9]+)d$/.exec(text) ?? [];
  return days === undefined ? duration(text) : Number(days) * 86_400_000;
}

function bytes(text: string): number {
  const [, number, unit = ''] = /^([1-9][0-9]*)([KMGT])$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError('It must be a size such as 10M, 50G or 1T.');
  return Number(number) * 1024 ** ('KMGT'.indexOf(unit) + 1);
}

function exit(code: number): void {
  exitCode = code;
}

async function main(): Promise<void> {
  // A promise that is never settled must not end the program as if all were well.
  process.exitCode = exits.failed;
  try {
    await program.parseAsync(own, { from: 'user' });
    process.exitCode = exitCode;
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? exits.done : exits.invalid) : await failed(error);
  }
  // A connection that a library left open must not keep the program; what was written must have gone out.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((done) => stream.write('', () => done()))));
  process.exit();
}

void main();
// What no promise was waited for. As without this: nothing more is done, and the journal tells what is to be undone.
const end = (code: number) => process.exit(code);
process.on('uncaughtException', (error) => void failed(error).then(end, () => end(exits.failed)));

async function failed(error: unknown): Promise<number> {
  const { reportFailure } = await import('./failure.js');
  return reportFailure(error, VERSION, own);
}
