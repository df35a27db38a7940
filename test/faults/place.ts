import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Tools } from './shim.js';

/** How a start of the program ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** It did not end by itself within the limit, and was killed. */
  readonly hung: boolean;
}

/** A start of the program that goes on. */
export interface Going {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when a text has been printed; false when the program ended without it. */
  saw(text: string): Promise<boolean>;
}

/** Where one case happens: a folder with the state of the program and its recipe, and the program. */
export class Place {
  constructor(
    readonly folder: string,
    readonly program: string,
    readonly tools: Tools,
    /** How long a start of the program may take. */
    private readonly limitMs = 60_000,
  ) {}

  get state(): string {
    return join(this.folder, 'state');
  }

  /** The folder of the libraries that come with the program. */
  get libraries(): string {
    return join(dirname(dirname(this.program)), 'recipes/lib');
  }

  write(name: string, text: string): void {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, name), text);
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  /** Runs the program to its end. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.start(args, env).ended;
  }

  /** Runs the program, which must succeed. */
  async must(args: readonly string[]): Promise<Ended> {
    const ended = await this.run(args);
    if (ended.code !== 0) throw new Error(`${args.join(' ')}: exit code ${ended.code ?? ended.signal}\n${tail(ended)}`);
    return ended;
  }

  /** Starts the program in a process group of its own, which is killed when it takes too long. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Going {
    const child = spawn(this.program, args, {
      cwd: this.folder,
      env: { ...process.env, CHROOTFILE_STATE: this.state, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const printed = { stdout: '', stderr: '' };
    const waiting: (() => void)[] = [];
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        printed[stream] += text;
        for (const look of waiting) look();
      });
    }
    let hung = false;
    const late = setTimeout(() => {
      hung = true;
      killGroup(child);
    }, this.limitMs);
    const ended = new Promise<Ended>((done, fail) => {
      child.on('error', fail);
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        clearTimeout(late);
        done({ code, signal, ...printed, hung });
      };
      child.on('close', end);
      // A process that was left behind holds the pipes: they are not waited for.
      child.on('exit', (code, signal) => setTimeout(end, 500, code, signal).unref());
    });
    const saw = (text: string) =>
      new Promise<boolean>((found) => {
        const look = () => (printed.stdout + printed.stderr).includes(text) && found(true);
        waiting.push(look);
        look();
        void ended.then(() => found(false));
      });
    return { child, ended, saw };
  }
}

/** Kills a start of the program and what it started in its process group. */
export function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** The last lines that were printed. */
export function tail({ stdout, stderr }: Ended): string {
  return `${stdout}${stderr}`.trimEnd().split('\n').slice(-8).join('\n');
}

/** The last JSON line of `--format json`, where there is one. */
export function lastEvent({ stdout }: Ended): { readonly type?: string; readonly ok?: boolean; readonly run?: string } {
  try {
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as object;
  } catch {
    return {};
  }
}
