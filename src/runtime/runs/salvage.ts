import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { syncFile, writeWhole } from '../../linux/atomic_write.js';
import { ownIdentity } from '../../linux/process_identity.js';
import type { Left } from '../engine/events.js';
import { currentFormat } from './format.js';
import { type JournalContent, JournalError, type JournalHead, readJournal } from './journal.js';
import type { RunFolder } from './run_folder.js';

/** How the journal of a run is damaged, and where it is kept as it was. */
export interface Damage {
  readonly message: string;
  /** Undefined where there was nothing to keep. */
  readonly kept?: string;
}

/**
 * Puts a journal with the lines that can be read in the place of a damaged one, which is kept beside it.
 * @returns the damage; undefined where there is none. That of an earlier try counts, until the run is undone: what the
 * journal lost may not have been found yet. @throws FormatError for a journal of a newer version.
 */
export async function salvage(folder: RunFolder): Promise<Damage | undefined> {
  const kept = `${folder.journal}.broken`;
  const broken = brokenOf(folder);
  if (broken === undefined) {
    const isOpen = existsSync(kept) && readJournal(folder.journal).ended === undefined;
    return isOpen ? { message: `${folder.journal} was damaged; it is kept as ${kept}`, kept } : undefined;
  }
  const { why, content, isMissing } = broken;
  const copy = existsSync(kept) ? `${kept}.${Date.now()}` : kept;
  if (!isMissing) {
    copyFileSync(folder.journal, copy);
    await syncFile(copy);
  }
  const ended = content.ended ?? (hasSucceeded(folder) ? 'committed' : undefined);
  const lines = [
    { type: 'run', ...(folder.headOf(content) ?? unknownHead(folder)) },
    ...content.open.map((note) => ({ type: 'note', ...note })),
    ...(ended === undefined ? [] : [{ type: 'ended', how: ended }]),
  ];
  writeWhole(folder.journal, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return isMissing ? { message: why } : { message: `${why}; it is kept as ${copy}`, kept: copy };
}

/** Why a journal cannot be gone by, and what can be read of it; undefined where it can. */
function brokenOf(folder: RunFolder): { why: string; content: JournalContent; isMissing: boolean } | undefined {
  try {
    const content = readJournal(folder.journal);
    const isCut = content.ended === undefined && hasSucceeded(folder);
    return isCut ? { why: `${folder.journal}: its end is missing`, content, isMissing: false } : undefined;
  } catch (error) {
    if (error instanceof JournalError) return { why: error.message, content: error.salvaged, isMissing: false };
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { why: `${folder.journal} is missing`, content: { head: undefined, open: [], ended: undefined }, isMissing: true };
  }
}

/** Whether a run has succeeded, by what it wrote down after its journal said so: then what it made is kept. */
function hasSucceeded(folder: RunFolder): boolean {
  return (
    existsSync(join(folder.path, 'outputs.json')) || (existsSync(folder.events) && /"type":"run\.finished","ok":true/.test(readFileSync(folder.events, 'utf8')))
  );
}

/** Where nobody knows what the run worked with, it is the embedded EC2 that can be asked. */
function unknownHead({ id }: RunFolder): JournalHead {
  return { format: currentFormat, run: id, recipe: '?', started: '?', cloud: { provider: 'local' }, owner: ownIdentity(), sandbox: true };
}

/** The damage as something that is left: what scripts had done is not found again. */
export function leftBy({ message, kept }: Damage): Left {
  return { task: 'run', kind: 'journal', error: `${message}; undo scripts it named may be lost`, by_hand: kept === undefined ? [] : [`less ${kept}`] };
}
