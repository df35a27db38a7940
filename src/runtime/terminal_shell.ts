import { spawn } from 'node:child_process';
import { closeSync, statSync } from 'node:fs';
import { memoryFile } from '../linux/memory_file.js';
import { shellWord } from '../linux/shell_word.js';
import { commandIn, mountsIn } from './chroot_entry.js';
import { insideRoot } from './inside.js';
import type { Script } from './script.js';

/** Where a shell is opened, and with which environment. */
export type ShellPlace = Pick<Script, 'env' | 'dir' | 'root' | 'privileged'>;

/**
 * Opens a shell for a person where a task runs, on the terminal of this program, and waits for its end. In a chroot it
 * has mount and pid namespaces of its own, as a task has; on the host it is in the run's mount namespace.
 * @param name what the prompt says.
 * @param signal ends it.
 */
export async function openShell({ env, dir, root, privileged }: ShellPlace, name: string, signal: AbortSignal): Promise<void> {
  const shell = root === undefined ? env['SHELL'] || '/bin/sh' : shellIn(root);
  const command = root === undefined ? [shell, '-i'] : await commandIn({ root, dir, privileged }, 3, [shell, '-i']);
  // By script(1): a terminal of its own, so that the shell's job control does not take this program's away.
  const terminal = ['setpriv', '--pdeathsig', 'KILL', '--', 'script', '--quiet', '--command', command.map(shellWord).join(' '), '/dev/null'];
  const files = root === undefined ? [] : [memoryFile(mountsIn({ root, dir, privileged }))];
  const child = spawn(terminal[0] as string, terminal.slice(1), {
    stdio: ['inherit', 'inherit', 'inherit', ...files],
    cwd: root === undefined ? dir : '/',
    env: { ...env, SHELL: '/bin/sh', TERM: process.env['TERM'] ?? 'dumb', PS1: `[${name}] # ` },
  });
  // TERM: it puts the terminal back as it was.
  const end = () => child.kill('SIGTERM');
  signal.addEventListener('abort', end);
  try {
    await new Promise<void>((done, fail) => {
      child.on('error', (error) => fail(new Error(`cannot open a shell in ${dir}: ${error.message}`)));
      child.on('close', () => done());
    });
  } finally {
    for (const fd of files) closeSync(fd);
    signal.removeEventListener('abort', end);
  }
}

function shellIn(root: string): string {
  const found = ['/bin/bash', '/usr/bin/bash'].find((path) => {
    try {
      return statSync(insideRoot(root, path), { throwIfNoEntry: false })?.isFile();
    } catch {
      return false;
    }
  });
  return found ?? '/bin/sh';
}
