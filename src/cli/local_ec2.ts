import { join } from 'node:path';
import { LocalEc2, localRegion } from '../local/ec2.js';
import { hasPool, openPool } from '../local/pool.js';
import { withLock } from '../runtime/locks.js';
import { hostShell } from '../runtime/shell.js';

/** The embedded EC2 of a state folder; its pool is mounted where there is one. */
export async function openLocalEc2(state: string, region = localRegion): Promise<LocalEc2> {
  const root = localFolder(state);
  if (hasPool(root)) await withLock(join(state, 'locks', 'pool'), 'the embedded EC2', () => openPool(runCommand, root));
  return new LocalEc2({
    root,
    region,
    run: runCommand,
    withLock: (path, action) => withLock(path, 'the embedded EC2', action),
  });
}

/** Where a state folder keeps the embedded EC2. */
export function localFolder(state: string): string {
  return join(state, 'local');
}

/** Runs programs of the host for the embedded EC2, which knows no shell of its own. */
export function runCommand(command: readonly string[], options: { readonly allow?: readonly number[] } = {}): Promise<string> {
  return hostShell.run(command, options);
}
