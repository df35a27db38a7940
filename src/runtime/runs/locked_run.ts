import { existsSync } from 'node:fs';
import type { Journal } from './journal.js';
import type { RunFolder } from './run_folder.js';

/** A run to lock. */
export interface RunToLock {
  readonly folder: RunFolder;
  /** What the lock is held for, for those who wait for it. */
  readonly purpose: string;
  /** Makes or opens the journal, once the lock is held. */
  openJournal(): Journal | Promise<Journal>;
  /** Refuses a run by what its journal says, and writes down what must be on disk before anything is done. */
  prepare(journal: Journal): void | Promise<void>;
}

/** A run that this process alone works on. */
export interface LockedRun {
  readonly journal: Journal;
  /** Unlocks the run, once the journal is closed. */
  release(): Promise<void>;
}

/** Locks a run and opens its journal. Where that fails, nothing stays open or locked, and of a new run nothing stays. */
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
