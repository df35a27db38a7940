import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Shell } from './command.js';

/** A mount, as this process sees it. */
export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly source: string;
  /** `major:minor` of its device. */
  readonly device: string;
  /** Whether mounts below it appear in other namespaces too. */
  readonly shared: boolean;
  /** Options of the mount, e.g. `nodev`. */
  readonly options: readonly string[];
  /** Options of the file system, which all its mounts share. */
  readonly superOptions: readonly string[];
}

/** All mounts in this process's namespace, in the order in which they were made. Source: proc(5), /proc/pid/mountinfo. */
export function mounts(): Mount[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , device = '', , path = '', options = '', ...propagation] = before.split(' ');
      const [type = '', source = '', superOptions = ''] = after.split(' ');
      return {
        path: decoded(path),
        type,
        source: decoded(source),
        device,
        shared: propagation.some((field) => field.startsWith('shared:')),
        options: options.split(','),
        superOptions: superOptions.split(','),
      };
    });
}

/** The mounts at a path and below it, newest first. */
export function mountsUnder(path: string): Mount[] {
  return mounts()
    .filter((mount) => mount.path === path || mount.path.startsWith(`${path}/`))
    .reverse();
}

/**
 * Unmounts everything at a path and below it, newest first. It is no error if nothing is mounted.
 * @param keep the number of oldest mounts that do not belong to chrootfile.
 */
export async function unmountTree(path: string, shell: Shell, keep: number): Promise<void> {
  const all = mountsUnder(path).map((mount) => mount.path);
  const paths = all.slice(0, Math.max(0, all.length - keep));
  if (paths.length > 0) await shell.run(['umount', '--', ...paths]);
}

/** Removes a folder that was created as a mount point, unless it contains anything or is mounted on. */
export function removeMountPoint(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'ENOTDIR', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Creates a folder and its parents, after noting which of them are new.
 * @param note gets the topmost folder that is missing; undefined when none is.
 */
export function makeNotedFolder(path: string, note: (topmost: string | undefined) => void): void {
  let missing: string | undefined;
  for (let at = path; !existsSync(at); at = dirname(at)) missing = at;
  note(missing);
  mkdirSync(path, { recursive: true, mode: 0o755 });
}

/** Removes a folder and the parents that {@link makeNotedFolder} created, as long as they are empty. @param topmost the folder that was noted. */
export function removeNotedFolder(path: string, topmost: string | undefined): void {
  if (topmost === undefined) return;
  for (let at = path; at === topmost || at.startsWith(`${topmost}/`); at = dirname(at)) removeMountPoint(at);
}

/** Decodes a field of a mount table, in which spaces and similar characters are octal escapes. Source: fstab(5), proc(5). */
export function decoded(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
