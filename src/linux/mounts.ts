import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Shell } from './command.js';

/** A mount as this process sees it. */
export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly source: string;
  /** `major:minor` of its device. */
  readonly device: string;
  /** Whether what is mounted below it shows up in other namespaces too. */
  readonly shared: boolean;
}

/** All mounts of this process's namespace, in the order they were made. Source: proc(5), /proc/pid/mountinfo. */
export function mounts(): Mount[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , device = '', , path = '', , ...propagation] = before.split(' ');
      const [type = '', source = ''] = after.split(' ');
      return { path: decoded(path), type, source: decoded(source), device, shared: propagation.some((field) => field.startsWith('shared:')) };
    });
}

/** The mounts at a path and below it, the last made first. */
export function mountsUnder(path: string): Mount[] {
  return mounts()
    .filter((mount) => mount.path === path || mount.path.startsWith(`${path}/`))
    .reverse();
}

/**
 * Unmounts what is mounted at a path and below it, the last made first. Nothing mounted is fine.
 * @param keep how many of the first made are somebody else's.
 */
export async function unmountTree(path: string, shell: Shell, keep: number): Promise<void> {
  const all = mountsUnder(path).map((mount) => mount.path);
  const paths = all.slice(0, Math.max(0, all.length - keep));
  if (paths.length > 0) await shell.run(['umount', '--', ...paths]);
}

/** Removes a folder that was made to mount something on; one that holds anything, or is mounted on, stays. */
export function removeMountPoint(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'ENOTDIR', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Makes a folder and those above it, once it is noted which of them are new.
 * @param note is given the topmost folder that is missing; undefined where all are there.
 */
export function makeNotedFolder(path: string, note: (topmost: string | undefined) => void): void {
  let missing: string | undefined;
  for (let at = path; !existsSync(at); at = dirname(at)) missing = at;
  note(missing);
  mkdirSync(path, { recursive: true, mode: 0o755 });
}

/** Removes a folder and those above it that {@link makeNotedFolder} made, as far as they are empty. @param topmost as it was noted. */
export function removeNotedFolder(path: string, topmost: string | undefined): void {
  if (topmost === undefined) return;
  for (let at = path; at === topmost || at.startsWith(`${topmost}/`); at = dirname(at)) removeMountPoint(at);
}

/** A field of a table of mounts, where spaces and the like are octal escapes. Source: fstab(5), proc(5). */
export function decoded(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
