import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Outcome, worstFirst } from './cases.js';
import { cleanHost, leftOnHost, lookAtHost } from './host.js';
import { faultsOfLayers, faultsOfNext, layersRecipe } from './layers.js';
import { type Going, lastEvent, Place, tail } from './place.js';
import type { Bench } from './pool.js';
import { tinyRecipe } from './scenarios.js';
import { diskSums, faultsOfState, pathsOf, type Standard, succeededRuns } from './state.js';

/** Power cuts in one run, on one type of file system. */
export interface PowerCase {
  readonly part: 'power';
  readonly type: 'ext4' | 'xfs';
  readonly round: number;
  /** Whether the run makes layers, too. */
  readonly layers: boolean;
}

/** What the disk of the machine held at one moment. */
interface Clone {
  readonly file: string;
  /** The run had reported its image before the clone began. */
  readonly reported: boolean;
  readonly ms: number;
}

/** The state after the run, on a machine whose power did not fail. */
interface Whole {
  readonly sums: ReadonlyMap<string, string>;
  readonly run: string;
  readonly allowed: readonly string[];
}

/** How often the power fails, and how long after the end of the run it still may. */
const everyMs = 30;
const afterEndMs = 1000;
/** How many of the clones of a run are tried: before its end and after. */
const triedOfEach = 10;

/** Two runs on each type of file system, and one that makes layers. */
export function powerCases(): PowerCase[] {
  return [1, 2, 3].flatMap((round) => (['ext4', 'xfs'] as const).map((type) => ({ part: 'power', type, round, layers: round === 3 }) as const));
}

/**
 * Has the power fail at many moments of one run: the state is on a file system in a file, and that file is cloned, at
 * once as a whole, while the run goes on. What is only in memory then is not in the clone. Each clone is mounted in
 * place of the first, as after a start of the machine.
 */
export async function tryPower(bench: Bench, one: PowerCase): Promise<Outcome[]> {
  const host = lookAtHost();
  const disks = new Disks(bench.folder);
  try {
    const inner = disks.make(one.type);
    const place = new Place(join(bench.folder, 'case'), bench.program, bench.tools);
    place.write('recipe.yml', one.layers ? layersRecipe() : tinyRecipe());
    disks.mount(inner, place.state);
    const clones: Clone[] = [];
    const going = place.start(['run', 'recipe.yml', '--format', 'json']);
    await cloneWhile(going, disks, inner, clones);
    const ended = await going.ended;
    if (ended.code !== 0) throw new Error(`the run ended with ${ended.code ?? ended.signal}: ${tail(ended)}`);
    const whole: Whole = { sums: diskSums(place), run: lastEvent(ended).run ?? '', allowed: pathsOf(place) };
    disks.unmount(place.state);
    const outcomes: Outcome[] = [];
    for (const clone of chosen(clones)) {
      const started = Date.now();
      disks.mount(clone.file, place.state);
      const wrong = await faultsAfter(place, clone, whole);
      if (one.layers) wrong.push(...faultsOfLayers(place), ...(await faultsOfNext(place, { keeps: false })));
      wrong.push(...(await leftOnHost(new Set([...host, ...lookAtHost()]), place.folder)));
      disks.unmount(place.state);
      outcomes.push(outcomeOf(one, clone, wrong, started));
    }
    return outcomes;
  } finally {
    disks.close();
    await cleanHost(host, bench.folder);
    rmSync(bench.folder, { recursive: true, force: true });
  }
}

async function cloneWhile(going: Going, disks: Disks, inner: string, clones: Clone[]): Promise<void> {
  const started = performance.now();
  let reported = false;
  let until = Number.POSITIVE_INFINITY;
  void going.saw('"run.finished"').then((seen) => {
    reported = seen;
    until = performance.now() + afterEndMs;
  });
  while (performance.now() < until) {
    const begun = performance.now();
    const seen = reported;
    clones.push({ file: await disks.clone(inner, clones.length), reported: seen, ms: Math.round(begun - started) });
    await sleep(Math.max(0, everyMs - (performance.now() - begun)));
  }
}

/** Some of before the end and some of after, evenly; the first after it is the hardest. */
function chosen(clones: readonly Clone[]): Clone[] {
  return [false, true].flatMap((reported) => {
    const these = clones.filter((clone) => clone.reported === reported);
    const step = Math.max(1, these.length / triedOfEach);
    return Array.from({ length: Math.min(triedOfEach, these.length) }, (_, i) => these[Math.floor(i * step)] as Clone);
  });
}

/** What is wrong after the start of the machine and `undo --all`. */
async function faultsAfter(place: Place, { reported }: Clone, { sums, run, allowed }: Whole): Promise<string[]> {
  const undone = await place.run(['undo', '--all']);
  const standard: Standard = {
    allowed: [...allowed, 'state/lost+found'],
    before: [],
    runsBefore: [],
    made: ['local-1 images', 'local-1 snapshots'],
    marker: 'written by the recipe',
  };
  const now = diskSums(place);
  return [
    ...(undone.code === 0 ? [] : [`undo --all: exit code ${undone.code ?? undone.signal}: ${tail(undone)}`]),
    ...faultsOfState(place, standard),
    ...(reported && !succeededRuns(place).has(run) ? ['the image was reported, and the journal does not say that the run succeeded'] : []),
    ...(reported && now.size === 0 ? ['the image was reported, and its disk is gone'] : []),
    ...[...now].filter(([disk, sum]) => sums.get(disk) !== sum).map(([disk]) => `other content: ${disk.replace(/[0-9a-f]{17}/, 'ID')}`),
  ];
}

function outcomeOf({ type, round, layers }: PowerCase, { reported, ms }: Clone, wrong: readonly string[], started: number): Outcome {
  return {
    part: 'power',
    title: `power ${type}, run ${round}, ${ms} ms after its start (${reported ? 'reported' : 'not reported'})`,
    fault: `${type}${layers ? ' with layers' : ''}, ${reported ? 'after' : 'before'} the end`,
    result: reported ? 'succeeded' : 'killed',
    wrong: worstFirst(wrong),
    hung: false,
    again: 'npm run test:faults -- --recipe power',
    seconds: (Date.now() - started) / 1000,
  };
}

/** A file system that shares blocks, in a file, and on it files with file systems that are mounted elsewhere. */
class Disks {
  /** Loop devices with what is mounted from them, the last last. */
  private readonly mounted: { readonly device: string; readonly path: string }[] = [];
  private readonly pool: string;

  constructor(folder: string) {
    rmSync(folder, { recursive: true, force: true });
    this.pool = join(folder, 'pool');
    mkdirSync(folder, { recursive: true });
    const file = sparse(join(folder, 'pool.img'), 8);
    execFileSync('mkfs.xfs', ['-q', '-m', 'reflink=1', file]);
    this.mount(file, this.pool);
  }

  make(type: 'ext4' | 'xfs'): string {
    const file = sparse(join(this.pool, 'inner.img'), 2);
    execFileSync(`mkfs.${type}`, ['-q', file]);
    return file;
  }

  async clone(file: string, number: number): Promise<string> {
    const clone = join(this.pool, `clone-${number}.img`);
    // Not spawnSync: what the run prints must be seen at once.
    await promisify(execFile)('cp', ['--reflink=always', file, clone]);
    return clone;
  }

  mount(file: string, path: string): void {
    mkdirSync(path, { recursive: true });
    const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
    this.mounted.push({ device, path });
    execFileSync('mount', [device, path]);
  }

  unmount(path: string): void {
    const at = this.mounted.findIndex((one) => one.path === path);
    const [{ device = '' } = {}] = this.mounted.splice(at, 1);
    execFileSync('umount', [path]);
    execFileSync('losetup', ['--detach', device]);
  }

  close(): void {
    for (const { device, path } of this.mounted.reverse()) {
      spawnSync('umount', ['--lazy', path]);
      spawnSync('losetup', ['--detach', device]);
    }
  }
}

function sparse(file: string, sizeGiB: number): string {
  writeFileSync(file, '');
  truncateSync(file, sizeGiB * 1024 ** 3);
  return file;
}
