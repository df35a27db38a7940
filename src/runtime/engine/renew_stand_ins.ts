import { claimRoot } from '../../linux/root_claim.js';
import { renewStandIn, type StandInNote } from '../../linux/stand_ins.js';
import type { Journal } from '../runs/journal.js';

/**
 * Has stand-ins in their places again before something runs in a chroot: a script that ran there may have replaced,
 * removed or changed them. What it put in the place of one is set aside and comes back at the end; where that is a link to
 * a file in the chroot's own /run, that file is written instead. Never by a mount, which nothing could be renamed over.
 * @param chroot the task that holds the chroot. @throws Error where the image cannot be written, or a folder was swapped.
 */
export async function renewStandIns(journal: Journal, chroot: string, warn: (message: string) => void): Promise<void> {
  for (const { id, data: claim } of journal.open.filter((each) => each.kind === 'chroot' && each.task === chroot)) {
    // Of a run that was kept, nobody holds it.
    if ((claim as StandInNote).replaced.length > 0) await claimRoot(claim as StandInNote);
    // What the note says now: other tasks in the chroot renew them too, and from here on nothing comes between.
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

/** As {@link renewStandIns}, before what can do without: what goes wrong is a warning. */
export async function renewStandInsIfPossible(journal: Journal, chroot: string, warn: (message: string) => void): Promise<void> {
  try {
    await renewStandIns(journal, chroot, warn);
  } catch (error) {
    warn(`${chroot}: ${(error as Error).message}`);
  }
}
