import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { syncFile, writeWhole } from '../../linux/atomic_write.js';
import { ownIdentity } from '../../linux/process_identity.js';
import type { Left } from '../engine/events.js';
import { currentFormat } from './format.js';
import { type JournalContent, JournalError, type JournalHead, readJournal } from './journal.js';
import type { RunFolder } from './run_folder.js';

/** How the journal of a run is damaged, and where the damaged file is kept. */
export interface Damage {
  readonly message: string;
  /** Undefined when there was no file to keep. */
  readonly kept?: string;
}

/**
 * Replaces a damaged journal by its readable lines, and keeps the damaged file beside it.
 * @returns the damage; undefined when there is none. Damage found by an earlier attempt counts until the run is
 * undone, because what the journal lost may not have been found yet.
 * @throws FormatError for a journal of a newer version.
 */
export async function salvage(folder: RunFolder): Promise<Damage | undefined> {
  const kept = `${folder.journal}.broken`;
  const broken = brokenOf(folder);
  if (broken === undefined) {
    const isOpen = existsSync(kept) && readJournal(folder.journal).ended === undefined;
    return isOpen ? { message: `${folder.journal} was damaged; the damaged file is kept as ${kept}`, kept } : undefined;
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
  return isMissing ? { message: why } : { message: `${why}; the damaged file is kept as ${copy}`, kept: copy };
}

/** Why a journal is unusable, and its readable part; undefined when the journal is whole. */
function brokenOf(folder: RunFolder): { why: string; content: JournalContent; isMissing: boolean } | undefined {
  try {
    const content = readJournal(folder.journal);
    const isCut = content.ended === undefined && hasSucceeded(folder);
    return isCut ? { why: `${folder.journal}: the end of the file is missing`, content, isMissing: false } : undefined;
  } catch (error) {
    if (error instanceof JournalError) return { why: error.message, content: error.salvaged, isMissing: false };
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { why: `${folder.journal} is missing`, content: { head: undefined, open: [], ended: undefined }, isMissing: true };
  }
}

/** Whether a run has succeeded, according to files written after its journal recorded that. Its results are then kept. */
function hasSucceeded(folder: RunFolder): boolean {
  return (
    existsSync(join(folder.path, 'outputs.json')) || (existsSync(folder.events) && /"type":"run\.finished","ok":true/.test(readFileSync(folder.events, 'utf8')))
  );
}

/** A head for a run about which nothing is known. Only the embedded EC2 can be searched for it. */
function unknownHead({ id }: RunFolder): JournalHead {
  return { format: currentFormat, run: id, recipe: '?', started: '?', cloud: { provider: 'local' }, owner: ownIdentity(), sandbox: true };
}

/** The damage as something left behind: changes of scripts cannot be found again. */
export function leftBy({ message, kept }: Damage): Left {
  return { task: 'run', kind: 'journal', error: `${message}; undo scripts in it may be lost`, by_hand: kept === undefined ? [] : [`less ${kept}`] };
}
