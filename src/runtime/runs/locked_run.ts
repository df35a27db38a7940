import { existsSync } from 'node:fs';
import type { Journal } from './journal.js';
import type { RunFolder } from './run_folder.js';

/** A run to lock. */
export interface RunToLock {
  readonly folder: RunFolder;
  /** Why the lock is held, shown to those who wait for it. */
  readonly purpose: string;
  /** Creates or opens the journal, once the lock is held. */
  openJournal(): Journal | Promise<Journal>;
  /** Checks the journal, may refuse the run, and writes what must be on disk before anything else is done. */
  prepare(journal: Journal): void | Promise<void>;
}

/** A run that only this process works on. */
export interface LockedRun {
  readonly journal: Journal;
  /** Unlocks the run. Close the journal first. */
  release(): Promise<void>;
}

/** Locks a run and opens its journal. If that fails, nothing stays open or locked, and the files of a new run are removed. */
export async function lockRun({ folder, purpose, openJournal, prepare }: RunToLock): Promise<LockedRun> {
  const isNew = !existsSync(folder.path);
  const release = await folder.lock(purpose);
  let journal: Journal | undefined;
  try {
    journal = await openJournal();
    await prepare(journal);
    return { journal, release };
  } catch (error) {
    journal?.close();
    await release();
    if (isNew) folder.discard();
    throw error;
  }
}
