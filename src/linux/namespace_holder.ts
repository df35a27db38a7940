import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeFile, writeWhole } from './atomic_write.js';
import { killGroup } from './command.js';
import { identityOf, type ProcessIdentity, stateOf } from './process_identity.js';

/**
 * Starts a process that only keeps this process's mount namespace, with all its mounts, alive as long as a file with
 * the process's identity exists. (Binding the namespace to a file would need a private mount on the host. On kernels
 * whose namespaces have no order it also fails at random: `mount --bind` returns EINVAL.)
 */
export function keepNamespace(file: string): void {
  const child = spawn('/bin/sh', ['-c', 'while sleep 10; [ -e "$1" ]; do :; done', 'chrootfile-keeps', file], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
    env: {},
  });
  child.unref();
  writeWhole(file, JSON.stringify(identityOf(child.pid ?? 0)));
}

/** Ends the process that keeps a namespace alive. Processes in the namespace stay there; it disappears with the last one. */
export async function letNamespaceGo(file: string): Promise<void> {
  const keeper = keeperOf(file);
  if (keeper !== undefined) killGroup(keeper.pid, 'SIGKILL');
  while (keeper !== undefined && stateOf(keeper) === 'alive') await sleep(10);
  removeFile(file);
}

/** The process that keeps a namespace alive; undefined when there is none, for example after a reboot. */
export function keeperOf(file: string): ProcessIdentity | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const keeper = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
    return stateOf(keeper) === 'alive' ? keeper : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whether this process is in the same mount namespace as another. */
export function isWith({ pid }: ProcessIdentity): boolean {
  return readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt');
}
