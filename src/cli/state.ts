import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkState } from '../runtime/runs/format.js';

/** Whether this process is root. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The folder of runs and the embedded EC2: the named one, else the system's for root, else the user's.
 * @throws FormatError when a newer version has written it.
 */
export function stateFolder(folder: string | undefined): string {
  const state = folderNamed(folder);
  checkState(state);
  return state;
}

/** Where root's runs are, unless another folder is named. */
export const systemState = '/var/lib/chrootfile';

function folderNamed(folder: string | undefined): string {
  const named = folder ?? process.env['CHROOTFILE_STATE'];
  if (named) return existsSync(named) ? realpathSync(named) : resolve(named);
  if (isRoot()) return systemState;
  return join(process.env['XDG_STATE_HOME'] || join(homedir(), '.local/state'), 'chrootfile');
}

/** The umask of runs and undo scripts, so that modes in an image do not depend on who starts them. */
export const usualUmask = 0o022;
