import { closeSync, statSync } from 'node:fs';
import { commandIn, mountsIn } from './chroot_entry.js';
import { memoryFile } from './memory_file.js';
import { onTerminal } from './on_terminal.js';
import { insideRoot } from './rooted_path.js';
import type { Script } from './sandboxed_script.js';

/** Where to open a shell, and its environment. */
export type ShellPlace = Pick<Script, 'env' | 'dir' | 'root' | 'privileged'>;

/**
 * Opens an interactive shell where a task runs, on the terminal of this program, and waits until it ends. In a chroot
 * it has its own mount and pid namespaces, like a task. On the host it is in the run's mount namespace.
 * @param name shown in the prompt.
 * @param signal ends the shell.
 */
export async function openShell({ env, dir, root, privileged }: ShellPlace, name: string, signal: AbortSignal): Promise<void> {
  const shell = root === undefined ? env['SHELL'] || '/bin/sh' : shellIn(root);
  const command = root === undefined ? [shell, '-i'] : await commandIn({ root, dir, privileged }, 3, [shell, '-i']);
  const files = root === undefined ? [] : [memoryFile(mountsIn({ root, dir, privileged }))];
  try {
    await onTerminal(command, {
      env: { ...env, TERM: process.env['TERM'] ?? 'dumb', PS1: `[${name}] # ` },
      cwd: root === undefined ? dir : '/',
      files,
      signal,
    });
  } catch (error) {
    throw new Error(`cannot open a shell in ${dir}: ${(error as Error).message}`, { cause: error });
  } finally {
    for (const fd of files) closeSync(fd);
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
