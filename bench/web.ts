import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { median, phasesIn, program, type Row, secondsIn } from './measure.js';

const recipes = resolve(import.meta.dirname, '../recipes');

/** The tasks of recipes/web.yml that correspond to each phase of web.sh. */
const phases: Readonly<Record<string, readonly string[]>> = {
  clone: ['ami.volume'],
  attach: ['ami.disk'],
  mount: ['ami.rootfs', 'ami.grow', 'ami.root'],
  prepare: ['ami.chroot'],
  packages: ['packages'],
  finish: ['pages', 'smoke', 'cleanup.all', 'ami.chroot.released'],
  unmount: ['ami.root.released', 'ami.rootfs.released'],
  detach: ['ami.disk.released'],
  snapshot: ['ami.snapshot'],
  remove: ['ami.image', 'ami.volume.released'],
};

/**
 * Times recipes/web.yml beside bench/web.sh, in turn, on an image whose package lists and packages are there already:
 * once on the file system of the folder, once on a pool of XFS.
 */
export function web(folder: string, rounds: number): Row[] {
  const state = join(folder, 'web-state');
  const env = { ...process.env, CHROOTFILE_STATE: state };
  const chrootfile = (...args: string[]) => execFileSync(program, args, { encoding: 'utf8', env, cwd: folder, maxBuffer: 1e9 });
  try {
    chrootfile('run', join(recipes, 'base.yml'), '-q');
    const warm = `version: 1
includes: {ami: {recipe: ${join(recipes, 'lib/image_from_image.yml')}, with: {source_filters: {name: "base-*"}, name: warm}}}
tasks: {warm: {in: ami.chroot, run: "apt-get update; apt-get install -y --no-install-recommends --download-only nginx-light"}}
goals: [ami.image]
`;
    writeFileSync(join(folder, 'warm.yml'), warm);
    chrootfile('run', 'warm.yml', '-q');
    const source = sourceDisk(state);
    const compare = (on: string): Row => {
      const work = join(state, 'local/bench');
      mkdirSync(work);
      const script: Map<string, number>[] = [];
      const recipe: Map<string, number>[] = [];
      for (let i = 0; i <= rounds; i += 1) {
        const both = [byScript(source, work), byRecipe(folder, env)] as const;
        // The first of each is not counted.
        if (i === 0) continue;
        script.push(both[0]);
        recipe.push(both[1]);
      }
      rmSync(work, { recursive: true });
      const of = (runs: readonly Map<string, number>[], phase: string) => runs.map((run) => run.get(phase) ?? 0);
      const figure = (who: string, runs: readonly Map<string, number>[]) => {
        const whole = of(runs, 'whole');
        return { who, runs: runs.length, seconds: median(whole), least: Math.min(...whole), most: Math.max(...whole) };
      };
      const names = [...Object.keys(phases), 'rest'];
      const split = (runs: readonly Map<string, number>[]) => names.map((phase) => `${phase} ${median(of(runs, phase)).toFixed(2)}`).join(', ');
      const figures = [figure('chrootfile', recipe), figure('bench/web.sh', script)];
      const more = median(of(recipe, 'whole')) - median(of(script, 'whole'));
      const note = `chrootfile: ${split(recipe)}. Script: ${split(script)}.`;
      return { work: `\`recipes/web.yml\` on ${on}`, figures, bound: '≤ script + 0.6 s', held: more <= 0.6, note };
    };
    const plain = compare(spawnSync('stat', ['-f', '-c', '%T', folder], { encoding: 'utf8' }).stdout.trim());
    chrootfile('local', 'init', '--size', '30G', '--fs', 'xfs');
    return [plain, compare('xfs (`local init`)')];
  } finally {
    chrootfile('undo', '--all');
    chrootfile('local', 'reset', '--yes');
  }
}

function byScript(source: string, work: string): Map<string, number> {
  const started = performance.now();
  const text = execFileSync(join(import.meta.dirname, 'web.sh'), [source, work], { encoding: 'utf8' });
  const whole = (performance.now() - started) / 1000;
  return withWhole(phasesIn(text), whole);
}

function byRecipe(folder: string, env: NodeJS.ProcessEnv): Map<string, number> {
  const started = performance.now();
  const events = execFileSync(program, ['run', join(recipes, 'web.yml'), '-i', 'source=warm', '--no-cache', '--format', 'json'], {
    encoding: 'utf8',
    env,
    cwd: folder,
    maxBuffer: 1e9,
  });
  const whole = (performance.now() - started) / 1000;
  const ended = secondsIn(events);
  const secondsOf = (task: string) => {
    const found = ended.get(task);
    if (found === undefined) throw new Error(`recipes/web.yml has no task ${task} any more`);
    return found;
  };
  const seconds = new Map(Object.entries(phases).map(([phase, tasks]) => [phase, tasks.reduce((sum, task) => sum + secondsOf(task), 0)]));
  return withWhole(seconds, whole);
}

/** Adds the total time, and the rest outside all phases: starting, loading, planning, finding the image. */
function withWhole(seconds: Map<string, number>, whole: number): Map<string, number> {
  const known = [...seconds.values()].reduce((sum, each) => sum + each, 0);
  return seconds.set('whole', whole).set('rest', whole - known);
}

/** The disk behind the image called "warm". */
function sourceDisk(state: string): string {
  const images = JSON.parse(execFileSync(program, ['local', 'images', '--json', '--state', state], { encoding: 'utf8' })) as {
    name: string;
    mappings: { snapshot: string }[];
  }[];
  const snapshot = images.find((image) => image.name === 'warm')?.mappings[0]?.snapshot;
  return join(state, 'local/local-1/disks', `${snapshot}.img`);
}
