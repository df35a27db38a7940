import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';

/** The program as a user starts it. */
export const program = resolve(import.meta.dirname, '../../bin/chrootfile');
export const repository = resolve(import.meta.dirname, '../..');

/** For `doctor`, which looks for an account: whoever runs the tests may have one. */
export const noAccount = { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/nonexistent', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent' };

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when a text has come so many times on either stream. */
  saw(text: string, times?: number): Promise<void>;
}

export interface StartOptions {
  /** Working folder; runs are kept in `state` in it. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The size in bytes that no file of the program may pass: writing more fails with EFBIG. */
  readonly limit?: number;
}

/** Starts the program with its state in the folder. */
export function start(args: readonly string[], { folder, env = {}, limit }: StartOptions): Started {
  const [name = '', ...more] = limit === undefined ? [program, ...args] : ['prlimit', `--fsize=${limit}`, program, ...args];
  const child = spawn(name, more, {
    cwd: folder,
    env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state'), NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return followed(child);
}

/** A program that was started, with what it prints. */
export function followed(child: ChildProcessByStdio<null, Readable, Readable>): Started {
  let stdout = '';
  let stderr = '';
  const waiting: { text: string; times: number; found: () => void }[] = [];
  const look = () => {
    for (const wait of waiting) if ((stdout + stderr).split(wait.text).length > wait.times) wait.found();
  };
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    look();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    look();
  });
  const ended = new Promise<Ended>((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }));
  });
  const saw = (text: string, times = 1) =>
    new Promise<void>((found, fail) => {
      waiting.push({ text, times, found });
      look();
      void ended.then((e) => fail(new Error(`ended without "${text}":\n${e.stdout}${e.stderr}`)));
    });
  return { child, ended, saw };
}

/** Runs the program to its end. */
export function run(args: readonly string[], options: StartOptions): Promise<Ended> {
  return start(args, options).ended;
}

/** The last event of a run with `--format json`, or what it printed when there is none. */
export function finished(ended: Ended): Record<string, unknown> {
  const last = ended.stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(last) as Record<string, unknown>;
  } catch {
    throw new Error(`no JSON at the end: ${ended.stdout}${ended.stderr}`);
  }
}
