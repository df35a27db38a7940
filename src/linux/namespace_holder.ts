import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeFile, writeWhole } from './atomic_write.js';
import { killGroup } from './command.js';
import { identityOf, type ProcessIdentity, stateOf } from './process_identity.js';

/**
 * Keeps this process's mount namespace alive, with all that is mounted in it, by a process that does nothing else, as
 * long as a file tells who that is. (Pinning the namespace to a file needs a private mount on the host, and fails at
 * random on kernels whose namespaces have no order: `mount --bind` of it gives EINVAL.)
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

/** Ends what keeps a namespace. Whoever is in the namespace stays there; after the last one it is gone. */
export async function letNamespaceGo(file: string): Promise<void> {
  const keeper = keeperOf(file);
  if (keeper !== undefined) killGroup(keeper.pid, 'SIGKILL');
  while (keeper !== undefined && stateOf(keeper) === 'alive') await sleep(10);
  removeFile(file);
}

/** The process that keeps a namespace; undefined when none does, as after a restart. */
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

/** Whether this process is in the mount namespace of another. */
export function isWith({ pid }: ProcessIdentity): boolean {
  return readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt');
}
