import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LocalEc2, localRegion } from '../local/ec2.js';
import { openPool } from '../local/pool.js';
import { withLock } from '../runtime/locks.js';
import { hostShell } from '../runtime/shell.js';

/** Opens the embedded EC2 of a state folder; its pool is mounted where there is one. */
export async function openLocalEc2(state: string, region = localRegion): Promise<LocalEc2> {
  // Not only where there is a pool: one may be in the making.
  if (existsSync(state)) await whilePoolStays(state, () => openPool(runCommand, localFolder(state)));
  return localEc2(state, region);
}

/** The embedded EC2 of a state folder whose pool is open. */
export function localEc2(state: string, region: string): LocalEc2 {
  return new LocalEc2({
    root: localFolder(state),
    region,
    run: runCommand,
    withLock: (path, action) => withLock(path, 'the embedded EC2', action),
  });
}

/** Runs something while no other process makes, opens or removes the pool. */
export function whilePoolStays<T>(state: string, action: () => Promise<T>): Promise<T> {
  return withLock(join(state, 'locks', 'pool'), 'the embedded EC2', action);
}

/** Where a state folder keeps the embedded EC2. */
export function localFolder(state: string): string {
  return join(state, 'local');
}

/** Runs programs of the host for the embedded EC2, which knows no shell of its own. */
export function runCommand(command: readonly string[], options: { readonly allow?: readonly number[]; readonly signal?: AbortSignal } = {}): Promise<string> {
  return hostShell.run(command, options);
}
