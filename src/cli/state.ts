import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { shellWord } from '../linux/shell_quote.js';
import { commandToType, systemState } from '../runtime/runs/command_to_type.js';
import { checkState } from '../runtime/runs/format.js';
import { ExitError, exits } from './exit_codes.js';

/** Whether this process is root. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The folder of runs and the embedded EC2, as {@link statePath} finds it. @param use what the command does with it.
 * @throws ExitError when this user may not do so; FormatError when a newer version has written it.
 */
export function stateFolder(folder: string | undefined, use: 'read' | 'change' = 'read'): string {
  const state = statePath(folder);
  for (const need of ['read', use] as const) {
    const closed = closedIn(state, need);
    if (closed === undefined) continue;
    const what = closed === state ? 'it' : closed;
    const verb = need === 'read' ? 'read' : 'changed';
    throw new ExitError(exits.host, `the state in ${state} cannot be ${verb}: ${what} belongs to ${ownerOf(closed)}\n  help: ${withSudo(state)}`);
  }
  if (use === 'change' && isReadOnly(state))
    throw new ExitError(
      exits.host,
      `the state in ${state} cannot be changed: its file system is read-only\n  help: name another folder with --state or CHROOTFILE_STATE`,
    );
  checkState(state);
  return state;
}

/** @throws ExitError for other users, with the command for root: sudo does not pass CHROOTFILE_STATE on. */
export function mustBeRoot(why: string, words: string, folder: string | undefined): void {
  if (isRoot()) return;
  const named = folder ?? process.env['CHROOTFILE_STATE'];
  throw new ExitError(exits.host, `${why}\n  help: sudo ${commandToType(named ? resolve(named) : systemState, words)}`);
}

function isReadOnly(state: string): boolean {
  try {
    accessSync(visible(state), constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}

/** The named state folder; else the system's for root; else the user's own, or the system's if only that exists. */
export function statePath(folder: string | undefined): string {
  const named = folder ?? process.env['CHROOTFILE_STATE'];
  if (named) return existsSync(named) ? realpathSync(named) : resolve(named);
  const own = join(process.env['XDG_STATE_HOME'] || join(homedir(), '.local/state'), 'chrootfile');
  return isRoot() || (!existsSync(own) && existsSync(systemState)) ? systemState : own;
}

/** What this user may not read or change of a state folder: it, a part of it, or a folder above; undefined when all is open. */
export function closedIn(state: string, use: 'read' | 'change'): string | undefined {
  const { R_OK, W_OK, X_OK } = constants;
  const parts = [state, join(state, 'runs'), ...(use === 'read' ? [] : [join(state, 'local')])];
  const mode = use === 'read' ? R_OK | X_OK : R_OK | W_OK | X_OK;
  const closed = parts.find((path) => !isOpen(path, mode)) ?? [join(state, 'format')].find((path) => !isOpen(path, R_OK));
  return closed === undefined ? undefined : visible(closed);
}

/** Whether a path does not exist, or permits a use of it. */
function isOpen(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
}

/** The path, or the nearest one above it that this user can see: that is the closed one. */
function visible(path: string): string {
  try {
    statSync(path);
    return path;
  } catch {
    return visible(dirname(path));
  }
}

/** The name of the user whom a file belongs to. Source: passwd(5). */
export function ownerOf(path: string): string {
  const { uid } = statSync(path);
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([, , id]) => id === String(uid));
  return entry?.[0] ?? `the user with the id ${uid}`;
}

/** This command line, by root and with the same state. */
export function withSudo(state: string): string {
  const words = process.argv.slice(2);
  const isNamed = state === systemState || words.some((word) => /^--state(=|$)/.test(word));
  return ['sudo chrootfile', ...words.map(shellWord), ...(isNamed ? [] : ['--state', shellWord(state)])].join(' ');
}

/** The umask of runs and undo scripts, so that modes in an image do not depend on who starts them. */
export const usualUmask = 0o022;
