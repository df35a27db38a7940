import { existsSync } from 'node:fs';
import { diskOf } from '../../linux/block_devices.js';
import { mounts } from '../../linux/mounts.js';
import { NotWritableError } from '../../linux/quiet_disk.js';
import { claimRoot } from '../../linux/root_claim.js';
import { placeStandIns, renewStandIn, restoreStandIns, type StandInNote, standInsAgain } from '../../linux/stand_ins.js';
import type { Journal } from '../runs/journal.js';

/**
 * Puts stand-ins back in their places before something runs in a chroot. An earlier script there may have replaced,
 * removed or changed them. A file that a script put in the place of a stand-in is set aside and restored at the end.
 * If it is a link to a file in the chroot's own /run, chrootfile writes that file instead. It does not bind-mount the
 * stand-in, because no file could be renamed over a mount.
 * @param chroot the task that holds the chroot.
 * @throws Error when the image cannot be written or a folder was swapped.
 */
export async function renewStandIns(journal: Journal, chroot: string, warn: (message: string) => void): Promise<void> {
  for (const { id, data: claim } of journal.open.filter((each) => each.kind === 'chroot' && each.task === chroot)) {
    // No process holds the claim of a run that was kept.
    if ((claim as StandInNote).replaced.length > 0) await claimRoot(claim as StandInNote);
    // Read the note again, because other tasks in the chroot renew stand-ins too. From here on nothing is awaited.
    const data = journal.open.find((each) => each.id === id)?.data as StandInNote | undefined;
    const standIns = [...(data?.replaced ?? [])];
    for (const [i, standIn] of standIns.entries()) {
      const { root } = claim as StandInNote;
      renewStandIn(
        root,
        standIn,
        (message) => warn(`${chroot}: ${message}`),
        (next) => {
          standIns[i] = next;
          journal.update(id, { ...data, replaced: standIns });
        },
      );
    }
  }
}

/** Like {@link renewStandIns}, but only warns about errors. */
export async function renewStandInsIfPossible(journal: Journal, chroot: string, warn: (message: string) => void): Promise<void> {
  try {
    await renewStandIns(journal, chroot, warn);
  } catch (error) {
    warn(`${chroot}: ${(error as Error).message}`);
  }
}

/**
 * Runs an action while the images on some disks have their own files instead of stand-ins, and puts the stand-ins in
 * place again. No script may be running in their chroots.
 */
export async function withoutStandIns<T>(journal: Journal, disks: readonly string[], warn: (message: string) => void, action: () => Promise<T>): Promise<T> {
  const notes = journal.open.filter(({ kind, data }) => {
    const { root, replaced } = data as StandInNote;
    return kind === 'chroot' && replaced.length > 0 && disks.includes(diskUnder(root) ?? '');
  });
  try {
    for (const { task, data } of notes) await restoreStandIns(data as StandInNote, (message) => warn(`${task}: ${message}`));
    return await action();
  } catch (error) {
    // A file system that is still read-only is the reason why they cannot be placed again.
    if (error instanceof NotWritableError) notes.length = 0;
    throw error;
  } finally {
    for (const { id, data } of notes) {
      const note = data as StandInNote;
      placeStandIns({ ...note, replaced: standInsAgain(note) }, (replaced) => journal.update(id, { ...note, replaced }));
    }
  }
}

/** The disk with the file system that contains a folder; undefined if it is not on a disk. */
function diskUnder(folder: string): string | undefined {
  const [mount] = mounts()
    .filter(({ path }) => path === '/' || `${folder}/`.startsWith(`${path}/`))
    .sort((a, b) => b.path.length - a.path.length);
  return mount?.source.startsWith('/dev/') && existsSync(mount.source) ? diskOf(mount.source) : undefined;
}
