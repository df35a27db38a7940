import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkState } from '../runtime/runs/format.js';

/** Whether this process is root. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The folder that keeps runs and the embedded EC2: as given, else the system's for root, else the user's.
 * @throws FormatError where a newer version has written it.
 */
export function stateFolder(folder: string | undefined): string {
  const state = folderNamed(folder);
  checkState(state);
  return state;
}

function folderNamed(folder: string | undefined): string {
  const named = folder ?? process.env['CHROOTFILE_STATE'];
  if (named) return existsSync(named) ? realpathSync(named) : resolve(named);
  if (isRoot()) return '/var/lib/chrootfile';
  return join(process.env['XDG_STATE_HOME'] || join(homedir(), '.local/state'), 'chrootfile');
}

/** What runs and undo scripts have, whoever starts them: modes in an image do not depend on that. */
export const usualUmask = 0o022;
