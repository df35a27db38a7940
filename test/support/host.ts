import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a run may change on a host, as lines that can be compared. */
export interface HostState {
  readonly mounts: ReadonlySet<string>;
  readonly loops: ReadonlySet<string>;
  readonly dev: ReadonlySet<string>;
  readonly processes: ReadonlySet<string>;
  readonly temporary: ReadonlySet<string>;
}

/** Looks at the mounts of all processes, at loop devices, /dev, processes of ours, and temporary folders. */
export async function lookAtHost(): Promise<HostState> {
  return { mounts: mounts(), loops: loops(), dev: dev(), processes: processes(), temporary: temporary() };
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

function mounts(): Set<string> {
  const seen = new Set<string>();
  for (const pid of pids()) {
    for (const line of lines(`/proc/${pid}/mountinfo`)) {
      const [, , device, root, path] = line.split(' ');
      seen.add(`${device} ${root} ${path} ${line.split(' - ')[1]}`);
    }
  }
  return seen;
}

function loops(): Set<string> {
  const attached = readdirSync('/sys/block').filter((name) => name.startsWith('loop') && existsSync(`/sys/block/${name}/loop/backing_file`));
  return new Set(attached.map((name) => `${name} ${lines(`/sys/block/${name}/loop/backing_file`)[0]}`));
}

function dev(): Set<string> {
  const all = readdirSync('/dev', { recursive: true, encoding: 'utf8' });
  // Terminals come and go with other people's sessions; the kernel keeps a loop node once it made one.
  return new Set(all.filter((path) => !/^(pts\/|shm\/(?!chrootfile)|fd\/|loop\d+$)/.test(path)));
}

/** The processes of ours, each as its number and command line. */
export function processes(): Set<string> {
  const mine = readlinkSync('/proc/self/ns/pid');
  const seen = new Set<string>();
  for (const pid of pids()) {
    const [, state = ''] = /\) (\S)/.exec(lines(`/proc/${pid}/stat`)[0] ?? '') ?? [];
    const command = (lines(`/proc/${pid}/cmdline`)[0] ?? '').replaceAll('\0', ' ').trim();
    const ours = namespaceOf(pid) !== mine || /chrootfile|dist\/main\.js|proc\/1\/fd|setpriv|unshare/.test(command) || hasOurEnvironment(pid);
    if (state !== 'Z' && command !== '' && ours && pid !== String(process.pid) && !command.includes('test/run.ts')) seen.add(`${pid} ${command}`);
  }
  return seen;
}

/** Programs of the host that chrootfile runs (mkfs, mount, …) are told by the three variables they are given. */
function hasOurEnvironment(pid: string): boolean {
  const names = (lines(`/proc/${pid}/environ`)[0] ?? '')
    .split('\0')
    .filter(Boolean)
    .map((entry) => entry.split('=')[0]);
  return names.sort().join() === 'HOME,LC_ALL,PATH';
}

function temporary(): Set<string> {
  const folders = [tmpdir(), '/dev/shm', '/run', '/mnt', '/var/lib/chrootfile'];
  return new Set(
    folders.flatMap((folder) =>
      existsSync(folder)
        ? readdirSync(folder)
            .filter((name) => /chrootfile|mmdebstrap|runs|local/.test(name))
            .map((name) => join(folder, name))
        : [],
    ),
  );
}

function pids(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return readlinkSync('/proc/self/ns/pid');
  }
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
