import { claimRoot } from '../../linux/root_claim.js';
import { renewStandIn, type StandInNote } from '../../linux/stand_ins.js';
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
