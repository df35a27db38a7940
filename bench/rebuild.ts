import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Figure, median, program, type Row } from './measure.js';
import { mmdebstrapOnce } from './mmdebstrap_once.js';

/** One run of a recipe: its time, and how each task ended. */
interface Rebuild {
  readonly seconds: number;
  readonly tasks: ReadonlyMap<string, { readonly outcome: string; readonly seconds: number }>;
}

/** A state folder, and where its disks are. */
interface Store {
  readonly name: string;
  /** Whether it shares blocks. Where it does not, a layer is a copy, and the only target is to be quicker than without. */
  readonly isPool: boolean;
  /** Runs a recipe and deletes the image, because images take space and every run makes one. */
  run(recipe: string, ...args: readonly string[]): Rebuild;
  chrootfile(...args: readonly string[]): void;
}

/** Runs of a recipe whose work is in layers, on a file system that shares blocks and on the plain one of the folder. */
export function rebuild(folder: string, rounds: number): Row[] {
  cpSync(resolve(import.meta.dirname, '../recipes'), join(folder, 'recipes'), { recursive: true });
  const path = mmdebstrapOnce(folder);
  let whole: Rebuild | undefined;
  return ['pool', 'plain'].flatMap((kind) => {
    const store = openStore(folder, kind === 'pool', path);
    try {
      // The first one runs the real mmdebstrap.
      whole ??= store.run(join(folder, 'recipes/base.yml'));
      return [...base(store, folder, rounds, whole), ...web(store, folder, rounds), variants(store, folder, rounds)];
    } finally {
      store.chrootfile('undo', '--all');
      store.chrootfile('local', 'reset', '--yes');
    }
  });
}

function openStore(folder: string, isPool: boolean, path: string): Store {
  const env = { ...process.env, PATH: path, CHROOTFILE_STATE: join(folder, isPool ? 'pool' : 'plain') };
  const chrootfile = (...args: readonly string[]) => execFileSync(program, args, { encoding: 'utf8', env, cwd: folder, maxBuffer: 1e9 });
  if (isPool) chrootfile('local', 'init', '--size', '30G');
  const name = isPool ? 'xfs (`local init`)' : spawnSync('stat', ['-f', '-c', '%T', folder], { encoding: 'utf8' }).stdout.trim();
  const run = (recipe: string, ...args: readonly string[]) => {
    const started = performance.now();
    const events = chrootfile('run', recipe, '--format', 'json', ...args)
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { type: string; task: string; outcome: string; seconds: number; run: string });
    const seconds = (performance.now() - started) / 1000;
    chrootfile('destroy', events.at(-1)?.run ?? '', '--yes');
    return { seconds, tasks: new Map(events.filter(({ type }) => type === 'task.finished').map((event) => [event.task, event])) };
  };
  return { name, isPool, run, chrootfile };
}

/** @param whole a build with the real mmdebstrap, whose time counts: the others copy its result. */
function base(store: Store, folder: string, rounds: number, whole: Rebuild): Row[] {
  const recipe = join(folder, 'recipes/base.yml');
  const first = repeat(rounds, () => {
    store.chrootfile('layers', 'prune', '--keep', '1K');
    return store.run(recipe);
  });
  const off = repeat(rounds, () => store.run(recipe, '--no-cache'));
  const unchanged = repeat(rounds, () => store.run(recipe));
  const last = repeat(rounds, (round) => store.run(edited(recipe, 'version', round)));
  const grub = repeat(rounds, (round) => store.run(edited(recipe, 'grub', round)));
  const without = figureOf('without layers', off);
  const real = figureOf('a build with mmdebstrap', [whole]);
  return [
    {
      work: `\`recipes/base.yml\`, first run, on ${store.name}`,
      figures: [figureOf('makes layers', first), without, real],
      ...atMost(first, without.seconds + 0.05 * real.seconds, '≤ without layers + 5 % of a build with mmdebstrap'),
      note: 'In all rows but the last figure of this one, mmdebstrap is replaced by a copy of its result.',
    },
    {
      work: `\`recipes/base.yml\`, nothing changed, on ${store.name}`,
      figures: [figureOf('with layers', unchanged), real],
      ...(store.isPool ? atMost(unchanged, 5, '≤ 5 s') : quicker(unchanged, real)),
    },
    afterEdit(store, '`recipes/base.yml`, last task changed', last, real, off, ['version']),
    afterEdit(store, '`recipes/base.yml`, `grub` changed', grub, real, off, ['grub', 'version']),
  ];
}

function web(store: Store, folder: string, rounds: number): Row[] {
  const recipe = join(folder, 'recipes/web.yml');
  makeSource(store, folder);
  const source = ['-i', 'source=warm'];
  const off = repeat(rounds, () => store.run(recipe, ...source, '--no-cache'));
  store.run(recipe, ...source);
  const unchanged = repeat(rounds, () => store.run(recipe, ...source));
  const last = repeat(rounds, (round) => store.run(edited(recipe, 'smoke', round), ...source));
  const without = figureOf('without layers', off);
  return [
    {
      work: `\`recipes/web.yml\`, nothing changed, on ${store.name}`,
      figures: [figureOf('with layers', unchanged), without],
      ...(store.isPool ? atMost(unchanged, 1.5, '≤ 1.5 s') : quicker(unchanged, without)),
    },
    afterEdit(store, '`recipes/web.yml`, last task changed', last, without, off, ['smoke', 'cleanup.all']),
  ];
}

/** The common beginning of two images is made once, and the other one starts from its layer. */
function variants(store: Store, folder: string, rounds: number): Row {
  const file = join(folder, 'recipes/variants.yml');
  const source = ['-i', 'source=warm'];
  const once = repeat(rounds, (round) => store.run(edited(file, 'PACKAGES: less', round), ...source));
  const off = repeat(rounds, () => store.run(file, ...source, '--no-cache'));
  const beginnings = once.map(({ tasks }) => ['web-tools', 'cache-tools'].filter((task) => tasks.get(task)?.outcome === 'succeeded').length);
  return {
    work: `\`recipes/variants.yml\`, two images with a common beginning, first run, on ${store.name}`,
    figures: [figureOf('makes layers', once), figureOf('without layers', off)],
    bound: 'one beginning, not two',
    held: beginnings.every((count) => count === 1),
  };
}

/** The time of a run in which some tasks changed, beside that of these tasks. */
function afterEdit(store: Store, work: string, runs: readonly Rebuild[], without: Figure, off: readonly Rebuild[], tasks: readonly string[]): Row {
  const own = median(off.map((run) => tasks.reduce((sum, task) => sum + (run.tasks.get(task)?.seconds ?? 0), 0)));
  const most = 1.2 * own + 1;
  const bound = `≤ 1.2 × the tasks that run (${own.toFixed(2)} s) + 1 s = ${most.toFixed(2)} s`;
  const target = store.isPool ? atMost(runs, most, bound) : quicker(runs, without);
  const plan = 'A run in which nothing changed takes more than a second on a busy machine. Making a layer starts eleven short processes.';
  return { work: `${work}, on ${store.name}`, figures: [figureOf('with layers', runs), without], ...target, plan };
}

function atMost(runs: readonly Rebuild[], most: number, bound: string): Pick<Row, 'bound' | 'held'> {
  return { bound, held: figureOf('', runs).seconds <= most };
}

function quicker(runs: readonly Rebuild[], { seconds }: Figure): Pick<Row, 'bound' | 'held'> {
  return atMost(runs, seconds, 'quicker than without layers');
}

/** A base image with the packages that the other recipes install, so that the network is not timed. */
function makeSource(store: Store, folder: string): void {
  store.chrootfile('run', join(folder, 'recipes/base.yml'), '-q');
  const text = `version: 1
includes: {ami: {recipe: "chrootfile:image_from_image", with: {source_filters: {name: "base-*"}, name: warm}}}
tasks: {warm: {in: ami.chroot, run: "apt-get update; apt-get install -y --no-install-recommends --download-only nginx-light memcached less procps"}}
goals: [ami.image]
`;
  const file = join(folder, 'warm.yml');
  writeFileSync(file, text);
  store.chrootfile('run', file, '-q');
}

/** A copy of a recipe, beside it, with a comment in the script of a task or with another value of a variable. */
function edited(recipe: string, what: string, round: number): string {
  const text = readFileSync(recipe, 'utf8');
  const own = new RegExp(`(\\n {2}${what}:\\n(?: {4}.*\\n)*? {4}run: \\|\\n)`);
  const changed = what.includes(': ') ? text.replace(what, `ROUND: ${round}, ${what}`) : text.replace(own, `$1      # ${round}\n`);
  if (changed === text) throw new Error(`${recipe} has no ${what} any more`);
  const file = recipe.replace(/\.yml$/, '-edited.yml');
  writeFileSync(file, changed);
  return file;
}

/** Runs something once more than it counts. */
function repeat(rounds: number, run: (round: number) => Rebuild): Rebuild[] {
  return Array.from({ length: rounds + 1 }, (_, round) => run(round)).slice(1);
}

function figureOf(who: string, runs: readonly Rebuild[]): Figure {
  const seconds = runs.map((run) => run.seconds);
  return { who, runs: runs.length, seconds: median(seconds), least: Math.min(...seconds), most: Math.max(...seconds) };
}
