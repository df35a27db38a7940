import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** The program that is timed. */
export const program = resolve(import.meta.dirname, '../bin/chrootfile');

/** The measurements of one program. */
export interface Figure {
  readonly who: string;
  readonly runs: number;
  /** Seconds from start to end: median, minimum and maximum. */
  readonly seconds: number;
  readonly least: number;
  readonly most: number;
  /** CPU seconds of the process tree; median. */
  readonly cpu?: number;
  /** Requests to EC2 and the metadata service, of one run. */
  readonly calls?: number;
  /** Peak memory of the process tree, with shared pages divided among their users. */
  readonly memory_mb?: number;
}

/** A benchmark with the measurements of all programs; the first is chrootfile. */
export interface Row {
  readonly work: string;
  readonly figures: readonly Figure[];
  readonly bound: string;
  readonly held: boolean;
  readonly note?: string;
  /** Why the target is missed, and what would reach it. */
  readonly plan?: string;
}

/** The times of one run. */
export interface Timed {
  readonly seconds: number;
  readonly cpu: number;
}

/** A program to measure. */
export interface Contender {
  readonly who: string;
  readonly command: (round: number) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Number of counted runs; defaults to that of the others. */
  readonly runs?: number;
}

/** Runs a command to its end. @throws Error when it fails. */
export function timed(command: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = process.cwd()): Timed {
  // The shell's own measurement of all its descendants, on a separate stream.
  const done = spawnSync('bash', ['-c', 'TIMEFORMAT="%R %U %S"; exec 3>&1; { time "$@" >/dev/null 2>&3; } 2>&1 3>&2', 'bash', ...command], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1e9,
  });
  const [, wall, user, system] = /([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(done.stdout) ?? [];
  if (done.status !== 0 || wall === undefined) throw new Error(`${command.join(' ')}: ${done.stdout}${done.stderr}`);
  return { seconds: Number(wall), cpu: Number(user) + Number(system) };
}

/** Times programs in turn, A B A B …, after one warm-up round, so that ratios stay valid when the speed of the machine changes. */
export function inTurn(contenders: readonly Contender[], rounds: number, cwd = process.cwd()): Figure[] {
  const all = contenders.map(() => [] as Timed[]);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [i, { command, env, runs = rounds }] of contenders.entries()) {
      if (round > runs) continue;
      const one = timed(command(round), env, cwd);
      if (round > 0) all[i]?.push(one);
    }
  }
  return contenders.map(({ who }, i) => figureOf(who, all[i] ?? []));
}

export function figureOf(who: string, runs: readonly Timed[]): Figure {
  const seconds = runs.map((run) => run.seconds);
  return { who, runs: runs.length, seconds: median(seconds), least: Math.min(...seconds), most: Math.max(...seconds), cpu: median(runs.map((run) => run.cpu)) };
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Runs a command and returns the peak memory of its process tree, in MB. Source: proc(5), smaps_rollup, Pss. */
export async function peakMemory(command: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = process.cwd()): Promise<number> {
  const [name = '', ...args] = command;
  const child = spawn(name, args, { cwd, env: { ...process.env, ...env }, stdio: 'ignore' });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(
      peak,
      treeOf(child).reduce((sum, pid) => sum + pssOf(pid), 0),
    );
  }, 10);
  await new Promise((done) => child.on('close', done));
  clearInterval(watch);
  return Math.round(peak / 1024);
}

function treeOf(child: ChildProcess): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [, parent] = /\) \S (\d+)/.exec(read(`/proc/${name}/stat`)) ?? [];
    parents.set(Number(name), Number(parent));
  }
  const tree = [child.pid ?? 0];
  for (const pid of tree) for (const [other, parent] of parents) if (parent === pid) tree.push(other);
  return tree;
}

function pssOf(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The phases a script of this folder printed, in seconds. */
export function phasesIn(printed: string): Map<string, number> {
  const lines = printed.trim().split('\n');
  return new Map(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

/** The seconds of each node of a run, from what it printed with `--format json`. */
export function secondsIn(events: string): Map<string, number> {
  const ended = events.split('\n').filter((line) => line.includes('"task.finished"'));
  return new Map(ended.map((line) => JSON.parse(line) as { task: string; seconds: number }).map(({ task, seconds }) => [task, seconds]));
}
