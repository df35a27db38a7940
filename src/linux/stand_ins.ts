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

/** What the note of a chroot says of its root and of what stands in there. */
export interface StandInNote extends RootClaim {
  readonly replaced: readonly StandIn[];
}

/** The stand-ins cannot be taken out of an image: nothing of the chroot is in use any more, but the image is not as it should be. */
export class NotPutBackError extends Error {}

const policyFile = '/usr/sbin/policy-rc.d';

/**
 * The stand-ins an image is to have: nothing is changed yet.
 * @param files paths of the host. @param services whether packages may start services.
 * @throws Error where the host has no such file, or the image no folder for it.
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

/** The same for two paths that lead to one place. */
function keyOf({ file, folder }: StandIn): string {
  return `${folder.device}:${folder.inode}/${basename(file)}`;
}

/**
 * Puts the stand-ins of a note in their places.
 * @param note is given them with the files that stand in before any of the image's own is moved.
 */
export function placeStandIns({ root, replaced }: StandInNote, note: (placed: readonly StandIn[]) => void): void {
  const drafted = replaced.map((standIn) => {
    const content = contentOf(standIn);
    if (content === undefined) throw new Error(`copy_files: ${standIn.file} no longer exists on this host`);
    const put = withPlaces(root, standIn, ({ path, kept, draft }) => {
      // What a crash left aside comes back first: once the note says what is put there, what is aside is of this run.
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
 * Takes stand-ins out of an image and puts back what they stood in for. What the build itself put in the place of one, or
 * removed, stays so. Works twice.
 * @throws NotPutBackError with all that could not be done; Error where another chroot's stand in there.
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
  // Also by unmounting /: the kernel cannot unmount the root of a process, and makes it read-only.
  if (code === 'EROFS') return 'a script made the image read-only';
  if (code === 'EPERM') return 'the file or its folder is immutable (chattr +i)';
  return message;
}

/** Undefined where the image has no folder for it. */
function standInAt(root: string, file: string): StandIn | undefined {
  let folder: string;
  try {
    folder = insideRoot(root, dirname(file));
  } catch {
    return undefined;
  }
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  // Beside whatever the image has there, a link or a folder too, never through it.
  const had = [basename(file), keptName(file)].some((name) => lookAt(join(folder, name)) !== undefined);
  return { file, had, folder: idOf(folder) };
}

/**
 * Has one stand-in in its place again, after scripts that may have replaced, removed or changed it.
 * @param note is given it where another file is to stand in. @throws Error where the image cannot be written, or a folder was swapped.
 */
export function renewStandIn(root: string, standIn: StandIn, warn: (message: string) => void, note: (next: StandIn) => void): void {
  const content = contentOf(standIn);
  // What a run of an older version put there is not known again; what the host has no more stays as it is.
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
    // The same file: one that is put in its place would be taken for the build's if the program died meanwhile.
    rewrite(path, content.bytes);
    if (found !== standIn.put.sum) warn(writtenInto(standIn));
    note({ ...standIn, put: { ...standIn.put, sum } });
    return;
  }
  if (seen?.isSymbolicLink() && writeBehind(root, standIn, content)) return;
  if (seen !== undefined || standIn.had) warn(replacedBy(standIn, path, seen));
  // Before the note names another: it would come back then.
  removeAll(kept);
  const put = draftOf(draft, content);
  note({ ...standIn, had: seen !== undefined, put });
  if (seen !== undefined) renameSync(path, kept);
  renameSync(draft, path);
}

/**
 * Writes the file that a link leads to, where that is in the /run that the chroot has of its own: it goes with that.
 * @returns whether it does.
 */
function writeBehind(root: string, { file }: StandIn, { bytes, mode }: Content): boolean {
  const wanted = wantedBehind(root, file);
  if (wanted === undefined || !isUsualRun(join(root, wanted))) return false;
  const place = openInside(root, dirname(wanted), { make: true });
  try {
    const target = join(place.at, basename(wanted));
    const seen = lookAt(target);
    // A process that still runs there may have put a link in its place meanwhile.
    if (!isUsualRun(join(root, place.inside, basename(wanted))) || (seen !== undefined && !seen.isFile())) return false;
    removeFile(target);
    writeFileSync(target, bytes, { flag: 'wx', mode });
    return true;
  } finally {
    place.close();
  }
}

/** Where a link leads to, inside the image; what is missing there counts as folders. */
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
    // Where nothing is kept, it was put back before.
    if (isKept || (seen !== undefined && !had)) warn(replacedBy(standIn, path, seen));
  } else {
    const isChanged = isOurs && put !== undefined && sumOfFile(path) !== put.sum;
    if (isKept) {
      // Not over the other: a folder cannot be.
      if (seen !== undefined) renameSync(path, draft);
      renameSync(kept, path);
    } else if (!had || put !== undefined) {
      removeFile(path);
      if (had && isOurs) warn(`a script removed the image's own ${file}, which was kept as ${join(dirname(file), keptName(file))}: the image has none`);
    }
    if (isChanged) warn(writtenInto(standIn));
  }
  removeAll(draft);
}

function replacedBy({ file }: StandIn, path: string, seen: BigIntStats | undefined): string {
  if (seen === undefined) return `the build removed ${file}: the image has none`;
  const what = seen.isSymbolicLink() ? `a link to ${readlinkSync(path)}` : seen.isDirectory() ? 'a folder' : 'another file';
  return `the build replaced ${file} with ${what}: the image keeps that`;
}

function writtenInto({ file, isPolicy }: StandIn): string {
  const whose = isPolicy ? 'it existed only during the build' : 'the file was a copy from this machine';
  return `changes of the build to ${file} were dropped: ${whose}\n  help: to keep a change, replace the file, e.g. with mv or chroot.upload`;
}
