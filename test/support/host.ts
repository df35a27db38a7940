import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespaces } from './namespaces.js';

/** What a run may change on a host, as lines that can be compared; only what belongs to this suite. */
export interface HostState {
  readonly mounts: ReadonlySet<string>;
  readonly loops: ReadonlySet<string>;
  readonly dev: ReadonlySet<string>;
  readonly processes: ReadonlySet<string>;
  readonly temporary: ReadonlySet<string>;
}

/** A loop device that has a disk. */
interface Loop {
  readonly name: string;
  readonly 'back-file': string;
  /** None for who may not ask. */
  readonly 'back-maj:min': string | null;
  readonly 'maj:min': string;
}

/** What all runs of the host share: a lock, a node or link that comes and goes with a loop device, a folder for such links. */
interface Trace {
  readonly path: string;
  /** One name may be made again, by somebody else. */
  readonly inode: number;
  readonly owner: 'ours' | 'others' | 'nobody';
}

/** Looks at the mounts and processes of this suite, its loop devices, what leads to them, its locks, and temporary folders. */
export async function lookAtHost(): Promise<HostState> {
  const traces = ownTraces();
  return {
    mounts: mounts(),
    loops: new Set(ourLoops().map((loop) => `${loop.name} ${loop['back-file']}`)),
    dev: new Set(traces.filter((name) => name.startsWith('/dev'))),
    processes: processes(),
    temporary: new Set([...temporary(), ...traces.filter((name) => !name.startsWith('/dev'))]),
  };
}

/** What is there after that was not before, or the other way round. */
export function differences(before: HostState, after: HostState): string[] {
  return (Object.keys(before) as (keyof HostState)[]).flatMap((what) => [
    ...[...after[what]].filter((line) => !before[what].has(line)).map((line) => `+ ${what}: ${line}`),
    ...[...before[what]].filter((line) => !after[what].has(line)).map((line) => `- ${what}: ${line}`),
  ]);
}

/** The differences once what is still going away is gone, at most `ms` later. */
export async function settledDifferences(before: HostState, ms: number): Promise<string[]> {
  for (let waited = 0; ; waited += 50) {
    const left = differences(before, await lookAtHost());
    if (left.length === 0 || waited >= ms) return left;
    await sleep(50);
  }
}

/** The processes of this suite but the one that runs the tests and what that stands on, each as its number and command line. */
export function processes(): Set<string> {
  const seen = new Set<string>();
  const above = ancestors();
  for (const pid of pids()) {
    const [, state = ''] = /\) (\S)/.exec(lines(`/proc/${pid}/stat`)[0] ?? '') ?? [];
    const command = (lines(`/proc/${pid}/cmdline`)[0] ?? '').replaceAll('\0', ' ').trim();
    // tsx starts the compiler at the first file that it has not compiled before, and keeps it.
    if (state !== 'Z' && command !== '' && !above.has(pid) && !command.includes('/esbuild --service=')) seen.add(`${pid} ${command}`);
  }
  return seen;
}

/** Every mount of a process of ours but those that the host made meanwhile: they come here because the suite's are their slaves. */
function mounts(): Set<string> {
  const ofHost = new Set<string>();
  const seen = new Set<string>();
  // Again at the end: what the host has mounted in between.
  for (const pid of ['self', ...pids(), 'self']) {
    for (const line of lines(`/proc/${pid}/mountinfo`)) {
      const [fields = '', source = ''] = line.split(' - ');
      const [, , device, root, path = ''] = fields.split(' ');
      const mount = `${device} ${root} ${path} ${source}`;
      // Source: proc(5), /proc/pid/mountinfo, optional fields. A bind of a folder of the host has the field too.
      if (pid === 'self' && / master:\d+/.test(fields) && !path.startsWith(`${tmpdir()}/`)) ofHost.add(mount);
      else seen.add(mount);
    }
  }
  return new Set([...seen].filter((mount) => !ofHost.has(mount)));
}

/** The loop devices whose disk is a file below this suite's folder, or on another such loop device. */
function ourLoops(folder = tmpdir()): readonly Loop[] {
  const all = attachedLoops();
  // By the folder's own name, which is random: where its file system was mounted is lost with the mount namespace.
  const ours = new Set(all.filter((loop) => `${loop['back-file']}`.includes(`/${basename(folder)}/`)));
  for (let before = -1; before < ours.size; ) {
    before = ours.size;
    // The numbers are padded as in a table.
    const numbers = new Set([...ours].map((loop) => loop['maj:min'].trim()));
    for (const loop of all) if (numbers.has(loop['back-maj:min']?.trim() ?? '')) ours.add(loop);
  }
  return [...ours];
}

let listed: { readonly attached: string; readonly loops: readonly Loop[] } | undefined;

/** All that have a disk. The program that knows them is asked only when others have one than when it was asked last. */
function attachedLoops(): readonly Loop[] {
  const names = readdirSync('/sys/block').filter((name) => name.startsWith('loop'));
  const attached = names.flatMap((name) => lines(`/sys/block/${name}/loop/backing_file`).map((file) => `${name} ${file}`)).join('\n');
  if (attached === '') return [];
  if (listed?.attached === attached) return listed.loops;
  const printed = execFileSync('losetup', ['--list', '--json', '--output', 'NAME,BACK-FILE,BACK-MAJ:MIN,MAJ:MIN'], { encoding: 'utf8' });
  listed = { attached, loops: printed.trim() === '' ? [] : (JSON.parse(printed) as { loopdevices: Loop[] }).loopdevices };
  return listed.loops;
}

/** What was seen to be this suite's, by its disk or its owner: it is this suite's, too, once that has gone. */
const seenAsOurs = new Set<string>();

/** What was there before the suite: the number of its pid namespace may have been another one's, which left a lock. */
const fromBefore = new Set<string>();

/** Looks until the process ends, so that links and locks are known by the time their disk or owner has gone. To be called first. */
export function watchTraces(): void {
  for (const trace of allTraces()) fromBefore.add(nameOf(trace));
  setInterval(ownTraces, 100).unref();
}

function ownTraces(): string[] {
  const found = allTraces().filter((trace) => !fromBefore.has(nameOf(trace)));
  for (const trace of found) if (trace.owner === 'ours') seenAsOurs.add(nameOf(trace));
  return found.flatMap((trace) => (trace.owner !== 'others' && seenAsOurs.has(nameOf(trace)) ? [nameOf(trace)] : []));
}

function allTraces(): Trace[] {
  return [...deviceTraces(), ...locks()];
}

function nameOf({ path, inode }: Trace): string {
  return `${path} (inode ${inode})`;
}

const byId = '/dev/disk/by-id';

/** The partitions, aliases and links of loop devices, whoever has them. */
function deviceTraces(folder = tmpdir()): Trace[] {
  const ours = new Set(ourLoops(folder).map(({ name }) => basename(name)));
  const ownerOf = (loop: string, volume?: string): Trace['owner'] => {
    const [disk] = lines(`/sys/block/${loop}/loop/backing_file`);
    // A link that was left behind leads to whatever is attached next.
    if (disk === undefined || (volume !== undefined && !disk.includes(volume))) return 'nobody';
    return ours.has(loop) ? 'ours' : 'others';
  };
  const nodes = readdirSync('/dev').flatMap((name) => {
    const path = join('/dev', name);
    const target = name.startsWith('xvd') ? (linkOf(path) ?? '') : name;
    const [, loop] = /^(loop\d+)(?:p\d+)?$/.exec(target) ?? [];
    return loop === undefined || loop === name ? [] : trace(path, () => ownerOf(loop));
  });
  const links = entriesOf(byId).flatMap((name) => {
    const [, volume] = /^nvme-Amazon_Elastic_Block_Store_vol([0-9a-f]+)$/.exec(name) ?? [];
    const target = linkOf(join(byId, name)) ?? '';
    return volume === undefined ? [] : trace(join(byId, name), () => ownerOf(basename(target), `vol-${volume}`));
  });
  return [...nodes, ...links];
}

function trace(path: string, ownerOf: () => Trace['owner']): Trace[] {
  const inode = inodeOf(path);
  return inode === undefined ? [] : [{ path, inode, owner: ownerOf() }];
}

/** Detaches the disks that a suite left behind below a folder, when it was killed, with what leads to them. */
export function removeDisks(folder: string): void {
  for (const { path, owner } of deviceTraces(folder)) if (owner === 'ours' && !path.startsWith('/dev/loop')) rmSync(path, { force: true });
  // Those on a pool first; the last of them may take the pool's along.
  for (const { name } of [...ourLoops(folder)].reverse()) {
    spawnSync('sh', ['-c', 'partx --delete "$0"; losetup --detach "$0"', name]);
  }
}

/** Everything in folders that only this suite has. */
function temporary(): string[] {
  const own = [tmpdir(), ...(inNamespaces ? ['/dev/shm'] : [])];
  return own.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
}

/** The locks of the host: folders with one file, which says whose each is. */
function locks(): Trace[] {
  const mine = readlinkSync('/proc/self/ns/pid');
  const names = entriesOf('/run').filter((name) => name.startsWith('chrootfile-lock-'));
  return names.flatMap((name) =>
    trace(join('/run', name), () => {
      const [said = ''] = entriesOf(join('/run', name)).flatMap((file) => lines(join('/run', name, file)));
      const [, namespace] = /"pidNamespace":"([^"]*)"/.exec(said) ?? [];
      return namespace === undefined ? 'nobody' : namespace === mine ? 'ours' : 'others';
    }),
  );
}

/** The processes of this suite: it has a pid namespace of its own, where it may. */
function pids(): string[] {
  return inNamespaces ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
}

function ancestors(): Set<string> {
  const above = new Set<string>();
  for (let pid = String(process.pid); pid !== '0' && !above.has(pid); ) {
    above.add(pid);
    pid = /\) \S (\d+)/.exec(lines(`/proc/${pid}/stat`)[0] ?? '')?.[1] ?? '0';
  }
  return above;
}

function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path).ino;
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
