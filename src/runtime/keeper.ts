import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { identityOf, type ProcessIdentity, stateOf } from './process.js';
import { killGroup } from './shell.js';

/**
 * Keeps this process's mount namespace alive, with all that is mounted in it, by a process that does nothing else, as
 * long as a file tells who that is. (Pinning the namespace to a file needs a private mount on the host, and fails at
 * random on kernels whose namespaces have no order: `mount --bind` of it gives EINVAL.)
 */
export function keepNamespace(file: string): void {
  if (keeperIn(file) !== undefined) return;
  const child = spawn('/bin/sh', ['-c', 'while sleep 10; [ -e "$1" ]; do :; done', 'chrootfile-keeps', file], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
    env: {},
  });
  child.unref();
  writeFileSync(file, JSON.stringify(identityOf(child.pid ?? 0)), { mode: 0o600 });
}

/** Lets a kept namespace go. */
export function letNamespaceGo(file: string): void {
  const keeper = keeperIn(file);
  if (keeper !== undefined && stateOf(keeper) === 'alive') killGroup(keeper.pid, 'SIGKILL');
  rmSync(file, { force: true });
}

/** The file by which a kept namespace is entered; undefined when none is kept, or it is gone, as after a restart. */
export function keptNamespace(file: string): string | undefined {
  const keeper = keeperIn(file);
  return keeper !== undefined && stateOf(keeper) === 'alive' ? `/proc/${keeper.pid}/ns/mnt` : undefined;
}

/** Whether this process is in the mount namespace of a file. */
export function isInside(namespace: string): boolean {
  return readlinkSync(namespace) === readlinkSync('/proc/self/ns/mnt');
}

function keeperIn(file: string): ProcessIdentity | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity) : undefined;
}
