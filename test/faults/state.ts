import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isLayer } from './layers.js';
import type { Place } from './place.js';
import { plainPath } from './shim.js';

/** What a folder of state must be like when all is undone. */
export interface Standard {
  /** Paths that may be there, without what differs from run to run. */
  readonly allowed: readonly string[];
  /** What was there before. */
  readonly before: Held;
  /** Runs that had succeeded before. */
  readonly runsBefore: readonly string[];
  /** What one succeeded run makes, as `REGION KIND`. */
  readonly made: readonly string[];
  /** Whether what was there before may be gone, because the case deletes it. */
  readonly mayDelete?: boolean;
  /** The text of the file `marker` on every disk; undefined where the disks hold no file system. */
  readonly marker?: string | undefined;
}

/** Ids of resources with the region and the kind, as `REGION/KIND/ID`. */
export type Held = readonly string[];

/** Files of the folder of a run, also of one that failed. */
const filesOfRun = /^state\/runs\/RUN(|\/(inputs|outputs|plan|manifest)\.json|\/(events|journal)\.jsonl|\/recipe\.yml|\/logs(\/.*)?)$/;

/** Folders of a state; an image that was deregistered is remembered for a while. */
const folders = /^state(\/(runs|locks|local)|\/local\/[a-z]+(-[a-z]+)*-\d+(\/(volumes|snapshots|images|disks|deregistered(\/ami-ID)?))?)?$/;

/** Compares a folder of state with what it must be like; gives what is wrong. */
export function faultsOfState(place: Place, standard: Standard): string[] {
  const succeeded = succeededRuns(place);
  return [
    ...pathsOf(place)
      .filter((path) => !folders.test(path) && !filesOfRun.test(path) && !standard.allowed.includes(path))
      .map((path) => `left: ${path}`),
    ...faultsOfRuns(place),
    ...unreadable(place),
    ...faultsOfResources(place, standard, succeeded),
    ...faultsOfDisks(place, standard.marker),
  ];
}

/** Everything in the state of a place, without what differs from run to run. */
export function pathsOf({ folder, state }: Place): string[] {
  return existsSync(state) ? readdirSync(state, { recursive: true, encoding: 'utf8' }).map((path) => plainPath(join(state, path), folder)) : [];
}

/** The images, snapshots and volumes there are, without the snapshots of layers. */
export function held({ state }: Place): Held {
  return regionsOf(state).flatMap((region) =>
    ['images', 'snapshots', 'volumes'].flatMap((kind) =>
      jsonIn(join(state, 'local', region, kind))
        .filter((name) => !isLayer(textOf(join(state, 'local', region, kind, name))))
        .map((name) => `${region}/${kind}/${name.replace('.json', '')}`),
    ),
  );
}

/** Runs that count as succeeded, by their journals. */
export function succeededRuns({ state }: Place): ReadonlySet<string> {
  return new Set(runsOf(state).filter((run) => /"how":"(committed|succeeded)"/.test(textOf(join(state, 'runs', run, 'journal.jsonl')))));
}

/** Sums of the disks of all snapshots, by `REGION/disks/ID.img`. */
export function diskSums({ state, tools }: Place): Map<string, string> {
  const disks = regionsOf(state).flatMap((region) =>
    jsonIn(join(state, 'local', region, 'snapshots')).map((name) => `${region}/disks/${name.replace('.json', '.img')}`),
  );
  const there = disks.filter((disk) => existsSync(join(state, 'local', disk)));
  if (there.length === 0) return new Map();
  const sums = execFileSync(
    tools.diskSum,
    there.map((disk) => join(state, 'local', disk)),
    { encoding: 'utf8' },
  ).split('\n');
  return new Map(there.map((disk, i) => [disk, sums[i] ?? '']));
}

function faultsOfRuns({ state }: Place): string[] {
  return runsOf(state).flatMap((run) => {
    const journal = join(state, 'runs', run, 'journal.jsonl');
    if (!existsSync(journal)) return ['a folder of a run without a journal'];
    const [head = '', ...lines] = textOf(journal).split('\n');
    // One that was cut off was relied on by nothing; but none may be lost with it.
    const joined = lines.filter((line) => !isJson(line) && line.lastIndexOf('{"type":') > 0);
    return [...(isJson(head) ? [] : ['a folder of a run without a journal']), ...joined.map((line) => `journal: two lines in one: ${line.slice(0, 80)}`)];
  });
}

function unreadable({ folder, state }: Place): string[] {
  const root = join(state, 'local');
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json') && !isJson(textOf(join(root, path))))
    .map((path) => `not JSON: ${plainPath(join(root, path), folder)}`);
}

/** Whether there is what was there before and what succeeded runs made, and nothing else. */
function faultsOfResources(place: Place, { before, runsBefore, made, mayDelete }: Standard, succeeded: ReadonlySet<string>): string[] {
  const now = held(place);
  const lost = mayDelete ? [] : before.filter((one) => !now.includes(one)).map((one) => `gone: ${plain(one)}`);
  const byRun = new Map<string, string[]>([...succeeded].map((run) => [run, []]));
  const strays: string[] = [];
  for (const one of now.filter((other) => !before.includes(other))) {
    const run = runOf(place, one);
    if (one.includes('/volumes/') || !byRun.has(run)) strays.push(`left: ${plain(one)}`);
    else byRun.get(run)?.push(plain(one));
  }
  const incomplete = [...byRun].filter(([run, things]) => !runsBefore.includes(run) && things.sort().join() !== [...made].sort().join());
  return [...lost, ...strays, ...incomplete.map(([, things]) => `a succeeded run has ${things.join(', ') || 'nothing'} instead of ${made.join(', ')}`)];
}

/** What a resource is, without its id. */
export function plain(one: string): string {
  return one.split('/').slice(0, 2).join(' ');
}

function runOf({ state }: Place, one: string): string {
  return /"chrootfile:run",\s*"Value":\s*"([^"]*)"/.exec(textOf(join(state, 'local', `${one}.json`)))?.[1] ?? '';
}

/** Whether every snapshot has its disk, with a clean file system, and every disk its snapshot. */
function faultsOfDisks({ state }: Place, marker: string | undefined): string[] {
  return regionsOf(state).flatMap((region) => {
    const at = (kind: string, name: string) => join(state, 'local', region, kind, name);
    const snapshots = jsonIn(at('snapshots', ''));
    const volumes = jsonIn(at('volumes', ''));
    const disks = existsSync(at('disks', '')) ? readdirSync(at('disks', '')) : [];
    const strays = disks.filter((disk) => ![...snapshots, ...volumes].includes(disk.replace('.img', '.json')));
    return [
      ...strays.map((disk) => `disk without a record: ${region} ${plainPath(disk, '')}`),
      ...snapshots.flatMap((name) => {
        const disk = at('disks', name.replace('.json', '.img'));
        if (!existsSync(disk)) return [`snapshot without a disk: ${region}`];
        const text = textOf(at('snapshots', name));
        // A layer may have been made before the marker was written.
        return isJson(text) ? faultsOfDisk(disk, (JSON.parse(text) as { size?: number }).size, isLayer(text) ? undefined : marker) : [];
      }),
    ];
  });
}

function faultsOfDisk(disk: string, sizeGiB = 0, marker: string | undefined): string[] {
  if (statSync(disk).size !== sizeGiB * 1024 ** 3) return [`disk of a snapshot: ${statSync(disk).size} bytes instead of ${sizeGiB} GiB`];
  if (marker === undefined) return [];
  const check = spawnSync('e2fsck', ['-fn', disk], { encoding: 'utf8' });
  if (check.status !== 0) return [`disk of a snapshot: e2fsck: ${(check.stdout + check.stderr).split('\n').filter(Boolean).at(-1)}`];
  const found = spawnSync('debugfs', ['-R', 'cat /marker', disk], { encoding: 'utf8' }).stdout.trim();
  return found === marker ? [] : [`disk of a snapshot: marker "${found}" instead of "${marker}"`];
}

function regionsOf(state: string): string[] {
  const root = join(state, 'local');
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /-\d+$/.test(entry.name))
    .map(({ name }) => name);
}

function runsOf(state: string): string[] {
  return existsSync(join(state, 'runs')) ? readdirSync(join(state, 'runs')) : [];
}

function jsonIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
