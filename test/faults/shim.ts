import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What is done to the program at one of its calls. Signals come before the call. `ENOSPC` and `EIO` fail the call once,
 * `EIO+` it and all later ones. `SHORT` writes half, and the next writes find the disk full. `LATE` kills the program a moment after it has started another program.
 */
export const faults = ['KILL', 'LATE', 'TERM', 'INT', 'HUP', 'ENOSPC', 'EIO', 'EIO+', 'SHORT'] as const;
export type Fault = (typeof faults)[number];

/** A call by which the program changes something. */
export interface Point {
  readonly number: number;
  readonly call: string;
  readonly path: string;
}

/** The library that does the faults, and a program that sums disks up. */
export interface Tools {
  readonly shim: string;
  readonly diskSum: string;
}

/** Compiles what is written in C into a folder. @throws Error that names the package where there is no compiler. */
export function compileTools(folder: string): Tools {
  const tools = { shim: join(folder, 'shim.so'), diskSum: join(folder, 'disk_sum') };
  const at = (name: string) => join(import.meta.dirname, name);
  for (const args of [
    ['-shared', '-fPIC', '-o', tools.shim, at('shim.c'), '-ldl'],
    ['-o', tools.diskSum, at('disk_sum.c')],
  ]) {
    const { error, status, stderr } = spawnSync('cc', ['-O2', '-Wall', ...args], { encoding: 'utf8' });
    if (error !== undefined) throw new Error(`no C compiler: ${error.message}\n  help: apt-get install gcc libc6-dev`);
    if (status !== 0) throw new Error(`cc failed:\n${stderr}`);
  }
  return tools;
}

/** The environment in which the calls of the program are counted, and one of them has a fault. */
export function shimmed(tools: Tools, folder: string, fault?: { readonly at: number; readonly fault: Fault }): Record<string, string> {
  return {
    LD_PRELOAD: tools.shim,
    CHROOTFILE_FAULT_ROOTS: `${folder}/:/run/chrootfile:/dev/`,
    CHROOTFILE_FAULT_COUNT: traceOf(folder),
    ...(fault === undefined ? {} : { CHROOTFILE_FAULT: fault.fault, CHROOTFILE_FAULT_AT: String(fault.at) }),
  };
}

/** The calls that were counted in a folder. */
export function pointsOf(folder: string): Point[] {
  if (!existsSync(traceOf(folder))) return [];
  return readFileSync(traceOf(folder), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [number = '', call = '', ...path] = line.split(' ');
      return { number: Number(number), call, path: path.join(' ') };
    });
}

/** Whether a fault can happen at a call: only a started program can be interrupted at work, and only a write be cut short. */
export function applies(fault: Fault, { call }: Point): boolean {
  if (fault === 'LATE') return call === 'fork';
  return fault !== 'SHORT' || /^p?write/.test(call);
}

/** A call without what differs from run to run: ids, process numbers, the place of the case. */
export function callOf({ call, path }: Point, folder: string): string {
  return `${call} ${plainPath(path, folder)}`;
}

/** A path without what differs from run to run. */
export function plainPath(path: string, folder: string): string {
  return path
    .replace(`${folder}/`, '')
    .replace(/\d{8}-\d{6}-([a-z_]+)-\w{4}/g, 'RUN')
    .replace(/\b(vol|snap|ami)-?[0-9a-f]{17}/g, '$1-ID')
    .replace(/\b(layers|making)\/[0-9a-f]{64}/g, '$1/KEY')
    .replace(/\btasks\/[0-9a-f]{32}/g, 'tasks/HASH')
    .replace(/\bloop\d+/g, 'loopN')
    .replace(/\.(json|lock|jsonl)\.\d+/g, '.$1.PID')
    .replace(/chrootfile-\d+-\d+/g, 'chrootfile-PID-TIME');
}

function traceOf(folder: string): string {
  return join(folder, 'trace');
}
