import { type BigIntStats, readlinkSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { removeFile } from './atomic_write.js';
import { isUsualRun } from './chroot_mounts.js';
import { claimRoot, type RootClaim } from './root_claim.js';
import { insideRoot, MissingInside, openInside } from './rooted_path.js';
import {
  type Content,
  contentOf,
  draftOf,
  fileId,
  idOf,
  isThere,
  keptName,
  lookAt,
  type Places,
  type Put,
  removeAll,
  rewrite,
  type StandIn,
  sumOf,
  sumOfFile,
  withPlaces,
} from './stand_in_files.js';

/** The note of a chroot: its root and its stand-ins. */
export interface StandInNote extends RootClaim {
  readonly replaced: readonly StandIn[];
}

/** Stand-ins could not be removed from an image. The chroot is no longer in use, but the image is not in its final state. */
export class NotPutBackError extends Error {}

const policyFile = '/usr/sbin/policy-rc.d';

/**
 * Determines the stand-ins of an image, without changing anything.
 * @param files paths on the host. @param services whether packages may start services.
 * @throws Error when the host has no such file, or the image has no folder for it.
 */
export function standInsFor(root: string, files: readonly string[], services: boolean): StandIn[] {
  const found = new Map<string, StandIn>();
  for (const file of files) {
    const seen = statSync(file, { throwIfNoEntry: false });
    if (!seen?.isFile()) throw new Error(`copy_files: ${seen === undefined ? `this host has no ${file}` : `${file} of this host is not a file`}`);
    const standIn = standInAt(root, file);
    if (standIn === undefined) throw new Error(`copy_files: the image has no folder ${dirname(file)}`);
    if (!found.has(keyOf(standIn))) found.set(keyOf(standIn), standIn);
  }
  const policy = services ? undefined : standInAt(root, policyFile);
  return [...found.values(), ...(policy === undefined || found.has(keyOf(policy)) ? [] : [{ ...policy, isPolicy: true as const }])];
}

/** Identical for two paths that lead to the same place. */
function keyOf({ file, folder }: StandIn): string {
  return `${folder.device}:${folder.inode}/${basename(file)}`;
}

/**
 * Puts the stand-ins of a note in their places.
 * @param note gets the stand-ins with their files, before any file of the image is moved.
 */
export function placeStandIns({ root, replaced }: StandInNote, note: (placed: readonly StandIn[]) => void): void {
  const drafted = replaced.map((standIn) => {
    const content = contentOf(standIn);
    if (content === undefined) throw new Error(`copy_files: ${standIn.file} no longer exists on this host`);
    const put = withPlaces(root, standIn, ({ path, kept, draft }) => {
      // First restore what a crash left aside. Once the note names the new file, the file that is kept belongs to this
      // run.
      if (lookAt(kept) !== undefined) {
        removeAll(path);
        renameSync(kept, path);
      }
      return draftOf(draft, content);
    });
    return { ...standIn, put };
  });
  note(drafted);
  for (const standIn of drafted) {
    withPlaces(root, standIn, ({ path, kept, draft }) => {
      if (standIn.had) renameSync(path, kept);
      renameSync(draft, path);
    });
  }
}

/**
 * Removes stand-ins from an image and restores the files that they replaced. If the build replaced or removed a
 * stand-in, that change is kept. Works twice.
 * @throws NotPutBackError that lists all failures; Error when the stand-ins of another chroot are in the root.
 */
export async function restoreStandIns(note: StandInNote, warn: (message: string) => void): Promise<void> {
  const { root, id, replaced } = note;
  if (replaced.length > 0) await claimRoot(note);
  const errors: string[] = [];
  for (const standIn of replaced) {
    try {
      if (!isThere(root, id)) throw new Error(`${root} is another folder now`);
      withPlaces(root, standIn, (places) => restore(places, standIn, warn));
    } catch (error) {
      errors.push(`${reasonOf(error as NodeJS.ErrnoException)}: ${standIn.file} cannot be restored`);
    }
  }
  if (errors.length > 0) throw new NotPutBackError(errors.join('; '));
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  // Also after it unmounted /: the kernel cannot unmount the root of a process, and makes it read-only instead.
  if (code === 'EROFS') return 'a script made the image read-only';
  if (code === 'EPERM') return 'the file or its folder is immutable (chattr +i)';
  return message;
}

/** The stand-ins of a note as they would be if the chroot were made now. */
export function standInsAgain({ root, replaced }: StandInNote): StandIn[] {
  return replaced.flatMap(({ file, isPolicy }) => {
    const standIn = standInAt(root, file);
    return standIn === undefined ? [] : [isPolicy ? { ...standIn, isPolicy } : standIn];
  });
}

/** Undefined when the image has no folder for it. */
function standInAt(root: string, file: string): StandIn | undefined {
  let folder: string;
  try {
    folder = insideRoot(root, dirname(file));
  } catch {
    return undefined;
  }
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  // Replaces whatever the image has there, also a link or folder, and never writes through it.
  const had = [basename(file), keptName(file)].some((name) => lookAt(join(folder, name)) !== undefined);
  return { file, had, folder: idOf(folder) };
}

/**
 * Puts a stand-in back in its place, after scripts that may have replaced, removed or changed it.
 * @param note gets the stand-in before another file is put in place.
 * @throws Error when the image cannot be written or a folder was swapped.
 */
export function renewStandIn(root: string, standIn: StandIn, warn: (message: string) => void, note: (next: StandIn) => void): void {
  const content = contentOf(standIn);
  // Stand-ins of older versions cannot be recognized. A file that the host no longer has is left unchanged.
  const { put: before } = standIn;
  if (before === undefined || content === undefined) return;
  withPlaces(root, standIn, (places) => renewAt(places, root, { ...standIn, put: before }, content, warn, note));
}

function renewAt(
  { path, kept, draft }: Places,
  root: string,
  standIn: StandIn & { readonly put: Put },
  content: Content,
  warn: (message: string) => void,
  note: (next: StandIn) => void,
): void {
  const seen = lookAt(path);
  const sum = sumOf(content.bytes);
  if (seen !== undefined && fileId(seen) === standIn.put.id) {
    const found = sumOfFile(path);
    if (found === sum) return;
    // Rewrite the same file. If it were replaced and chrootfile died, the new file would look like one of the build.
    rewrite(path, content.bytes);
    if (found !== standIn.put.sum) warn(writtenInto(standIn));
    note({ ...standIn, put: { ...standIn.put, sum } });
    return;
  }
  if (seen?.isSymbolicLink() && writeBehind(root, standIn, content)) return;
  if (seen !== undefined || standIn.had) warn(replacedBy(standIn, path, seen));
  // Remove this before the note names another file, or it would be restored.
  removeAll(kept);
  const put = draftOf(draft, content);
  note({ ...standIn, had: seen !== undefined, put });
  if (seen !== undefined) renameSync(path, kept);
  renameSync(draft, path);
}

/**
 * Writes the target of a link if it is in the chroot's own /run, which is discarded with the chroot.
 * @returns whether it is there.
 */
function writeBehind(root: string, { file }: StandIn, { bytes, mode }: Content): boolean {
  const wanted = wantedBehind(root, file);
  if (wanted === undefined || !isUsualRun(join(root, wanted))) return false;
  const place = openInside(root, dirname(wanted), { make: true });
  try {
    const target = join(place.at, basename(wanted));
    const seen = lookAt(target);
    // A process that is still running there may have put a link in its place meanwhile.
    if (!isUsualRun(join(root, place.inside, basename(wanted))) || (seen !== undefined && !seen.isFile())) return false;
    removeFile(target);
    writeFileSync(target, bytes, { flag: 'wx', mode });
    return true;
  } finally {
    place.close();
  }
}

/** The target of a link, inside the image. Missing parts count as folders. */
function wantedBehind(root: string, file: string): string | undefined {
  try {
    const place = openInside(root, file);
    place.close();
    return place.inside;
  } catch (error) {
    return error instanceof MissingInside ? error.inside : undefined;
  }
}

function restore({ path, kept, draft }: Places, standIn: StandIn, warn: (message: string) => void): void {
  const { file, had, put } = standIn;
  const [seen, isKept] = [lookAt(path), lookAt(kept) !== undefined];
  const isOurs = seen !== undefined && (put === undefined || fileId(seen) === put.id);
  const isEmptied = seen === undefined && put !== undefined && lookAt(draft) === undefined;
  if (!isOurs && (seen !== undefined || isEmptied)) {
    removeAll(kept);
    // If no file is kept, it has been restored before.
    if (isKept || (seen !== undefined && !had)) warn(replacedBy(standIn, path, seen));
  } else {
    const isChanged = isOurs && put !== undefined && sumOfFile(path) !== put.sum;
    if (isKept) {
      // Move it away instead of renaming over it, which fails for folders.
      if (seen !== undefined) renameSync(path, draft);
      renameSync(kept, path);
    } else if (!had || put !== undefined) {
      removeFile(path);
      if (had && isOurs)
        warn(`a script removed the image's own ${file}, which was set aside as ${join(dirname(file), keptName(file))}: it is missing in the image`);
    }
    if (isChanged) warn(writtenInto(standIn));
  }
  removeAll(draft);
}

function replacedBy({ file }: StandIn, path: string, seen: BigIntStats | undefined): string {
  if (seen === undefined) return `the build removed ${file}: it is missing in the image`;
  const what = seen.isSymbolicLink() ? `a link to ${readlinkSync(path)}` : seen.isDirectory() ? 'a folder' : 'another file';
  return `the build replaced ${file} with ${what}: the image keeps that`;
}

function writtenInto({ file, isPolicy }: StandIn): string {
  const whose = isPolicy ? 'it existed only during the build' : 'the file was a copy from this machine';
  return `changes of the build to ${file} were dropped: ${whose}\n  help: to keep a change, replace the file, e.g. with mv or chroot.upload`;
}
