import { setTimeout as sleep } from 'node:timers/promises';
import { NotPutBackError } from '../../linux/stand_ins.js';
import type { EventSink, Left } from '../engine/events.js';
import type { AnyKind, ByHand, HostContext } from '../engine/kind.js';
import { policy } from '../engine/policy.js';
import { renewStandInsIfPossible } from '../engine/renew_stand_ins.js';
import { commandToType } from './command_to_type.js';
import type { Journal, Note } from './journal.js';

/** How to undo the notes of one kind, or of users' scripts. */
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

/** What undo needs. */
export interface UndoOptions {
  readonly journal: Journal;
  readonly undoers: ReadonlyMap<string, Undoer>;
  readonly host: HostContext;
  readonly emit: EventSink;
  /**
   * Which open notes block the undo of what they use. `all`: any of them, when everything is undone. `resources`: only
   * resources, when one is released in a run that has not failed: what steps created, such as a snapshot, outlives the
   * resource.
   */
  readonly gates: 'all' | 'resources';
  /** Once it aborts, no further undo starts. The rest is left behind. */
  readonly stop?: AbortSignal;
}

/**
 * Undoes notes, newest first. A note is not undone while a note that uses it is open: a mounted device is not
 * detached, and an attached volume is not deleted. The exception is a note whose undo only failed to restore files:
 * its resource is no longer in use. Each undo is attempted several times.
 * @returns what is left behind, with what a person can do about it.
 */
export async function undoNotes(notes: readonly Note[], options: UndoOptions): Promise<Left[]> {
  const left: Left[] = [];
  const unused = new Set<number>();
  for (const note of [...notes].reverse()) {
    const { journal, emit, undoers } = options;
    // It may have been closed together with its chroot.
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

/** Something that was not undone, with what a person can do about it. */
export function leftOf(note: Note, error: string, { journal, undoers }: Pick<UndoOptions, 'journal' | 'undoers'>): Left {
  const { run, cloud, sandbox } = journal.head;
  const at: ByHand = {
    again: commandToType(journal.state, `${journal.ended === 'committed' ? 'destroy' : 'undo'} ${run}`),
    cloud,
    mountsGone: sandbox,
    mounts: journal.open.filter(({ kind }) => kind === 'mount').map(({ data }) => (data as { path: string }).path),
  };
  let lines: readonly string[] = [];
  try {
    lines = undoers.get(note.kind)?.byHand(note, at) ?? [];
  } catch {
    // If the commands cannot be worked out because a disk is unreadable, other notes must still be undone.
  }
  return { task: note.task, kind: note.kind, error, by_hand: lines };
}

/**
 * Ends the journal of a run after its notes were undone.
 * @param left what was not undone. Problems of the journal itself are added.
 * @returns everything that is left behind.
 */
export function endUndo(journal: Journal, left: readonly Left[], how: 'undone' | 'destroyed' = 'undone'): Left[] {
  const again = commandToType(journal.state, `${how === 'undone' ? 'undo' : 'destroy'} ${journal.head.run}`);
  const about = (error: string): Left[] => [...left, { task: 'run', kind: 'journal', error, by_hand: [again] }];
  if (!journal.isInPlace) return about('the state folder was removed or moved during the run: what was created there may be left behind');
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

/** Closes the notes of changes made in a chroot that no longer exists. */
export function closeNotesIn(chroot: string, journal: Journal): void {
  for (const note of journal.open) if (note.in === chroot) journal.closeNote(note.id);
}

async function tryUndo(note: Note, undoer: Undoer | undefined, { host, journal, undoers, gates }: UndoOptions): Promise<Error | undefined> {
  if (undoer === undefined) return new Error(`this version of chrootfile has no kind "${note.kind}"`);
  const isRelease = gates === 'resources';
  const { root } = note.data as { readonly root?: string };
  const disks = journal.open.filter(({ id, kind }) => note.on.includes(id) && undoers.get(kind)?.deletesDisk);
  // The disk of a resource released in a run that has not failed may be kept.
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
      // A disk that cannot be written does not recover within seconds, and neither does an image that cannot be
      // restored.
      const isFinal = error instanceof NotPutBackError || journal.failure !== undefined;
      if (attempt === policy.undoAttempts || host.signal.aborted || isFinal) return error as Error;
    }
    await sleep(delay, undefined, { signal: host.signal }).catch(() => {});
  }
}
