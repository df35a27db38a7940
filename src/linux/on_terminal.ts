import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { cancelOn, systemProgram } from './command.js';
import { shellWord } from './shell_quote.js';

/** The folder, environment and files of a command. It gets the files as descriptors 3, 4 and so on. */
export interface TerminalOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly files: readonly number[];
  /** Ends the command as {@link cancelOn} does. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command on the terminal of this program. script(1) gives it its own terminal, in which it is in the
 * foreground, and relays that terminal to this one. Ctrl-C goes to the command. However the command ends, the terminal
 * is restored.
 * @param command the path of the program, and its arguments.
 * @returns its exit code, 128 or more when it was killed by a signal.
 */
export async function onTerminal(command: readonly string[], { env, cwd, files, signal }: TerminalOptions): Promise<[number, NodeJS.Signals | null]> {
  const pidFd = 3 + files.length;
  const shell = env['SHELL'] === undefined ? 'unset SHELL' : `SHELL=${shellWord(env['SHELL'])}`;
  // The shell of the new session reports its pid: script(1) alone cannot end a command that ignores TERM.
  const inside = `echo $$ >&${pidFd}; exec ${pidFd}>&-; ${shell}; exec ${command.map(shellWord).join(' ')}`;
  const words = ['--pdeathsig', 'KILL', '--', systemProgram('script') ?? 'script', '--quiet', '--return', '--command', inside, '/dev/null'];
  const child = spawn(systemProgram('setpriv') ?? 'setpriv', words, {
    cwd,
    env: { ...env, SHELL: '/bin/sh' },
    stdio: ['inherit', 'inherit', 'inherit', ...files, 'pipe'],
  });
  const ended = once(child, 'exit') as Promise<[number, NodeJS.Signals | null]>;
  const group = new Promise<number | undefined>((resolve) => {
    const pipe = child.stdio[pidFd as 3] as Readable;
    pipe.once('data', (text) => resolve(Number(text)));
    pipe.once('close', () => resolve(undefined));
  });
  const [how] = await Promise.all([ended, group.then((pid) => ended.finally(cancelOn(signal, pid)))]);
  return how;
}
