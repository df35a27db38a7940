import { setTimeout as sleep } from 'node:timers/promises';
import { NotPutBackError } from '../../linux/stand_ins.js';
import type { EventSink, Left } from '../engine/events.js';
import type { AnyKind, ByHand, HostContext } from '../engine/kind.js';
import { policy } from '../engine/policy.js';
import { renewStandInsIfPossible } from '../engine/renew_stand_ins.js';
import type { Journal, Note } from './journal.js';

/** How the notes of one kind are undone; user scripts are one of them. */
export interface Undoer {
  undo(note: Note, host: HostContext): Promise<void>;
  byHand(note: Note, at: ByHand): string[];
  readonly deletesDisk?: boolean;
}

/** The undoers of the built-in kinds. */
export function undoersOf(kinds: Iterable<AnyKind>): Map<string, Undoer> {
  return new Map(
    [...kinds].map(({ name, undo, byHand, deletesDisk = false }) => [
      name,
      { undo: async (note, host) => undo?.(note.data, host), byHand: (note, at) => byHand?.(note.data, at) ?? [], deletesDisk },
    ]),
  );
}

/** What undoing works with. */
export interface UndoOptions {
  readonly journal: Journal;
  readonly undoers: ReadonlyMap<string, Undoer>;
  readonly host: HostContext;
  readonly emit: EventSink;
  /**
   * What stands in the way: any open note above, when all is undone; only resources, when one of them is released in a
   * run that goes well, since what steps made (a snapshot) is meant to outlive it.
   */
  readonly gates: 'all' | 'resources';
  /** Once it aborts, nothing more is begun: what is not undone by then is left. */
  readonly stop?: AbortSignal;
}

/**
 * Undoes notes, newest first. A note that others stand on is not touched while one of them is open: what is
 * mounted is not detached, what is attached is not deleted. One of which only files are not put back keeps nothing from
 * its undo: it is not in use any more. Each is tried several times.
 * @returns what is left, with what a person can do about it.
 */
export async function undoNotes(notes: readonly Note[], options: UndoOptions): Promise<Left[]> {
  const left: Left[] = [];
  const unused = new Set<number>();
  for (const note of [...notes].reverse()) {
    const { journal, emit, undoers } = options;
    // It may have been closed with the chroot it was made in.
    if (!journal.open.some((open) => open.id === note.id)) continue;
    const undoer = undoers.get(note.kind);
    const above = journal.open.find((open) => !unused.has(open.id) && (options.gates === 'all' ? open.on : open.standsOn).includes(note.id));
    const error = options.stop?.aborted
      ? new Error(`not tried: ${(options.stop.reason as Error).message}`)
      : above !== undefined
        ? new Error(`"${above.task}" uses it and could not be undone`)
        : await tryUndo(note, undoer, options);
    emit({ type: 'undo.entry', task: note.task, kind: note.kind, ok: error === undefined, error: error?.message });
    if (error !== undefined) {
      if (error instanceof NotPutBackError) unused.add(note.id);
      left.push(leftOf(note, error.message, options));
      continue;
    }
    journal.undone(note.id);
    if (note.kind === 'chroot') closeNotesIn(note.task, journal);
  }
  return left;
}

/** Something that is not undone, with what a person can do about it. */
export function leftOf(note: Note, error: string, { journal, undoers }: Pick<UndoOptions, 'journal' | 'undoers'>): Left {
  const { run, cloud, sandbox } = journal.head;
  const at: ByHand = {
    again: `chrootfile ${journal.ended === 'committed' ? 'destroy' : 'undo'} ${run}`,
    cloud,
    mountsGone: sandbox,
    mounts: journal.open.filter(({ kind }) => kind === 'mount').map(({ data }) => (data as { path: string }).path),
  };
  let lines: readonly string[] = [];
  try {
    lines = undoers.get(note.kind)?.byHand(note, at) ?? [];
  } catch {
    // What a disk that cannot be read keeps from being said must not keep the other notes from their undo.
  }
  return { task: note.task, kind: note.kind, error, by_hand: lines };
}

/**
 * Ends the journal of a run all of whose notes are undone.
 * @param left what is not undone; what is wrong with the journal itself is added to it.
 * @returns all that is left.
 */
export function endUndo(journal: Journal, left: readonly Left[], how: 'undone' | 'destroyed' = 'undone'): Left[] {
  const again = `chrootfile ${how === 'undone' ? 'undo' : 'destroy'} ${journal.head.run}`;
  const about = (error: string): Left[] => [...left, { task: 'run', kind: 'journal', error, by_hand: [again] }];
  if (!journal.isInPlace) return about('the state folder was removed or moved during the run: what was made there may be left');
  journal.retry();
  if (journal.failure !== undefined) return about(journal.failure.message);
  if (left.length > 0) return [...left];
  try {
    journal.end(how);
    return [];
  } catch (error) {
    return about((error as Error).message);
  }
}

/** Closes the notes of what ran in a chroot that is gone: what they changed went with it. */
export function closeNotesIn(chroot: string, journal: Journal): void {
  for (const note of journal.open) if (note.in === chroot) journal.closeNote(note.id);
}

async function tryUndo(note: Note, undoer: Undoer | undefined, { host, journal, undoers, gates }: UndoOptions): Promise<Error | undefined> {
  if (undoer === undefined) return new Error(`this version knows no kind "${note.kind}"`);
  const isRelease = gates === 'resources';
  const { root } = note.data as { readonly root?: string };
  const disks = journal.open.filter(({ id, kind }) => note.on.includes(id) && undoers.get(kind)?.deletesDisk);
  // Of a resource that is released in a run that goes well, the disk may be kept.
  const diskGoes =
    !isRelease &&
    journal.open.some(
      ({ kind, on, data }) => kind === 'mount' && disks.some(({ id }) => on.includes(id)) && `${root}/`.startsWith(`${(data as { path: string }).path}/`),
    );
  const warn = (message: string) => host.warn(`${note.task}: ${message}`);
  if (note.in !== undefined) await renewStandInsIfPossible(journal, note.in, host.warn);
  for (let attempt = 1, delay: number = policy.undoFirstDelayMs; ; attempt += 1, delay *= policy.undoBackoff) {
    try {
      await host.makeRoom();
      await undoer.undo(note, { ...host, warn, diskGoes, isRelease });
      return undefined;
    } catch (error) {
      // A disk that cannot be written does not come back within seconds, nor does an image as it was.
      const isFinal = error instanceof NotPutBackError || journal.failure !== undefined;
      if (attempt === policy.undoAttempts || host.signal.aborted || isFinal) return error as Error;
    }
    await sleep(delay, undefined, { signal: host.signal }).catch(() => {});
  }
}
