import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { hostPolicy } from './policy.js';
import { shellWord } from './shell_quote.js';

/** Runs programs of the host. */
export interface Shell {
  /**
   * Runs a program and returns its standard output.
   * @throws CommandError when it fails; the signal's reason when it was cancelled.
   */
  run(command: readonly string[], options?: CommandOptions): Promise<string>;
}

export interface CommandOptions {
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string;
  /** Exit codes besides 0 that are not failures. */
  readonly allow?: readonly number[];
  /** Environment to use instead of the default one. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command to show in errors. */
  readonly shownAs?: readonly string[];
}

/** A program of the host that failed. */
export class CommandError extends Error {
  constructor(
    readonly command: readonly string[],
    readonly exitCode: number | undefined,
    output: string,
    how = exitCode === undefined ? 'could not be run' : `failed with exit code ${exitCode}`,
  ) {
    const tail = output
      .trimEnd()
      .split('\n')
      .slice(-hostPolicy.tailLines)
      .filter((line) => line !== '');
    super([`${shown(command)}: ${how}`, ...tail.map((line) => `  ${line}`)].join('\n'));
    this.name = 'CommandError';
  }
}

/** The folders of system programs, in search order. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The path of a program in {@link systemPath}; undefined when it is missing. */
export function systemProgram(name: string): string | undefined {
  return systemPath
    .split(':')
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The environment of child processes: a fixed PATH and messages in English. Nothing else is inherited. */
const environment = { PATH: systemPath, LC_ALL: 'C.UTF-8', HOME: '/root' };

/** The host's shell. Each program runs in its own session, has empty standard input, and dies with this process. */
export const hostShell: Shell = {
  async run(command, { input, signal, cwd, allow = [], env = environment, shownAs = command } = {}) {
    signal?.throwIfAborted();
    const child = execa('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
      detached: true,
      cleanup: false,
      reject: false,
      extendEnv: false,
      env,
      stripFinalNewline: false,
      ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
      ...(cwd === undefined ? {} : { cwd }),
    });
    const stop = signal === undefined ? undefined : cancelOn(signal, child.pid);
    const result = await child;
    stop?.();
    signal?.throwIfAborted();
    if (result.exitCode === undefined && result.signal === undefined) throw new CommandError(shownAs, undefined, String(result.cause ?? ''));
    if (result.signal !== undefined) throw new CommandError(shownAs, undefined, result.stderr, `was killed by ${result.signal}`);
    if (result.exitCode !== 0 && !allow.includes(result.exitCode as number)) throw new CommandError(shownAs, result.exitCode, result.stderr || result.stdout);
    return result.stdout;
  },
};

/**
 * Ends a process group when a signal aborts: with TERM, and after `hostPolicy.termToKillMs` with KILL, or at once with
 * KILL if the abort's reason requests it. @returns a function that stops watching the signal.
 */
export function cancelOn(signal: AbortSignal, pid: number | undefined): () => void {
  if (pid === undefined) return () => {};
  let timer: NodeJS.Timeout | undefined;
  const cancel = () => {
    killGroup(pid, 'SIGTERM');
    timer = setTimeout(() => killGroup(pid, 'SIGKILL'), hostPolicy.termToKillMs);
    hurry.add(pid);
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return () => {
    signal.removeEventListener('abort', cancel);
    hurry.delete(pid);
    clearTimeout(timer);
  };
}

/** Process groups that got TERM and are still running. */
const hurry = new Set<number>();

/** Kills these groups at once, because the user asked a second time. */
export function killCancelled(): void {
  for (const pid of hurry) killGroup(pid, 'SIGKILL');
}

/** Sends a signal to a process group, which may have ended. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function shown(command: readonly string[]): string {
  return command.map(shellWord).join(' ').replaceAll('\n', '\\n');
}
