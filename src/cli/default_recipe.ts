import { realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { ExitError, exits } from './exit_codes.js';

/** The name of the recipe that is used when none is named. */
export const defaultFile = 'chrootfile.yml';

/**
 * The recipe to use when none is named: `chrootfile.yml` in this folder, else in the nearest folder above that has one.
 * A recipe above is used only if nobody but the caller and root could have written it, since its scripts run as root.
 * @returns {@link defaultFile} if there is none.
 * @throws ExitError when the nearest one above could have been written by somebody else.
 */
export function defaultRecipe(): string {
  for (let folder = resolve('.'), above = false; ; folder = dirname(folder), above = true) {
    const file = join(folder, defaultFile);
    if (statSync(file, { throwIfNoEntry: false })?.isFile()) {
      if (above) mustBeTrusted(file);
      return relative('.', file);
    }
    if (folder === dirname(folder)) return defaultFile;
  }
}

/** @throws ExitError when somebody else could have written a file, or put another file or link in its place. */
function mustBeTrusted(file: string): void {
  const owners = [0, process.getuid?.(), sudoer()];
  const real = realpathSync(file);
  for (const path of [dirname(file), dirname(real), real]) {
    const { uid, mode } = statSync(path);
    const why = !owners.includes(uid) ? `${path} belongs to another user (uid ${uid})` : (mode & 0o022) !== 0 ? `others may write to ${path}` : undefined;
    if (why === undefined) continue;
    throw new ExitError(exits.invalid, `there is no ${defaultFile} in this folder, and ${file} is not used: ${why}\n  help: name the recipe to use it anyway`);
  }
}

/** The user who called sudo, if this program was started through it. Source: sudo(8), "ENVIRONMENT". */
function sudoer(): number | undefined {
  const { SUDO_UID } = process.env;
  return process.getuid?.() === 0 && SUDO_UID !== undefined ? Number(SUDO_UID) : undefined;
}
