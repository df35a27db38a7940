import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { cancelOn, systemProgram } from './command.js';
import { shellWord } from './shell_quote.js';

/** Where a command runs, what its environment is, and the files it gets as 3, 4 and so on. */
export interface TerminalOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly files: readonly number[];
  /** Ends it as {@link cancelOn} does. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command on the terminal of this program, by script(1): a terminal of its own, relayed to this one, in which it
 * is the foreground. Ctrl-C is the command's, and however it ends, the terminal is as it was before.
 * @param command the program by its path, and its arguments.
 * @returns its exit code, 128 and more where a signal ended it.
 */
export async function onTerminal(command: readonly string[], { env, cwd, files, signal }: TerminalOptions): Promise<[number, NodeJS.Signals | null]> {
  const told = 3 + files.length;
  const shell = env['SHELL'] === undefined ? 'unset SHELL' : `SHELL=${shellWord(env['SHELL'])}`;
  // Its own shell, which leads the new session, tells its number: script(1) alone cannot end what ignores a TERM.
  const inside = `echo $$ >&${told}; exec ${told}>&-; ${shell}; exec ${command.map(shellWord).join(' ')}`;
  const words = ['--pdeathsig', 'KILL', '--', systemProgram('script') ?? 'script', '--quiet', '--return', '--command', inside, '/dev/null'];
  const child = spawn(systemProgram('setpriv') ?? 'setpriv', words, {
    cwd,
    env: { ...env, SHELL: '/bin/sh' },
    stdio: ['inherit', 'inherit', 'inherit', ...files, 'pipe'],
  });
  const ended = once(child, 'exit') as Promise<[number, NodeJS.Signals | null]>;
  const group = new Promise<number | undefined>((known) => {
    const pipe = child.stdio[told as 3] as Readable;
    pipe.once('data', (text) => known(Number(text)));
    pipe.once('close', () => known(undefined));
  });
  const [how] = await Promise.all([ended, group.then((pid) => ended.finally(cancelOn(signal, pid)))]);
  return how;
}
