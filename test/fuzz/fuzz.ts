import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { mutatedRecipe } from './mutations.js';

export interface FuzzOptions {
  readonly count: number;
  /** The first seed. */
  readonly seed: number;
  /** How many of them are given to the whole program, as a process. */
  readonly whole: number;
}

/** No recipe of the fuzzer takes longer, in the process that checks them and as a process of its own; by far on an idle machine. */
const [slowMs, hungMs] = [10_000, 60_000];

/** Checks recipes that were changed at random. Gives what went wrong, each with its seed. */
export async function fuzz({ count, seed, whole }: FuzzOptions): Promise<string[]> {
  const failures: string[] = [];
  for (let next = seed; next < seed + count; ) next = await checkFrom(next, seed + count, failures);
  for (let i = 0; i < whole; i += 1) {
    const one = seed + Math.floor((i * count) / whole);
    const why = await checkWhole(one);
    if (why !== undefined) failures.push(`${one}: chrootfile check: ${why}`);
  }
  return failures;
}

/** Gives the seed to go on from: that after one which hangs, or ends the process. */
function checkFrom(from: number, until: number, failures: string[]): Promise<number> {
  return new Promise((done, fail) => {
    const args = [...process.execArgv, join(import.meta.dirname, 'worker.ts'), String(from), String(until), String(slowMs)];
    // What tsx compiles for it would stay in the temporary folder.
    const worker = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TSX_DISABLE_CACHE: '1' } });
    let current = from;
    let timer: NodeJS.Timeout | undefined;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => worker.kill('SIGKILL'), hungMs);
    };
    watch();
    createInterface({ input: worker.stdout }).on('line', (line) => {
      watch();
      if (line.includes(':')) failures.push(line);
      else current = Number(line);
    });
    worker.on('error', fail);
    worker.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return done(until);
      failures.push(`${current}: ${signal === null ? `ended the process with ${code}` : `took longer than ${hungMs / 1000} s`}`);
      done(current + 1);
    });
  });
}

/** What the whole program does with a recipe that it must not. */
function checkWhole(seed: number): Promise<string | undefined> {
  return inFolder({ 'r.yml': mutatedRecipe(seed) }, async (folder) => {
    const { child, ended } = start(['check', 'r.yml'], { folder });
    const timer = setTimeout(() => child.kill('SIGKILL'), hungMs);
    const { code, signal, stderr } = await ended;
    clearTimeout(timer);
    if (signal !== null) return `took longer than ${hungMs / 1000} s`;
    if ((code !== 0 && code !== 2) || /internal error|^ +at /m.test(stderr)) return `exit ${code}: ${stderr}`;
    return undefined;
  });
}
