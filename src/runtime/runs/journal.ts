import { closeSync, constants, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Cloud } from '../../dsl/recipe/types.js';
import { syncFolder, writeAll } from '../../linux/atomic_write.js';
import type { ProcessIdentity } from '../../linux/process_identity.js';
import { checkFormat } from './format.js';

/** Facts of a run that its undo needs. Contains names of secrets, but no secrets. */
export interface JournalHead {
  /** See {@link currentFormat}; 1 when missing. */
  readonly format?: number;
  readonly run: string;
  readonly recipe: string;
  readonly started: string;
  readonly cloud: Cloud;
  readonly owner: ProcessIdentity;
  readonly sandbox: boolean;
}

/** The record of how to undo one change: which kind of task made it, and which other changes it uses. */
export interface Note {
  readonly id: number;
  readonly task: string;
  readonly kind: string;
  /** For resources: the notes of the resources it uses, which are released later. */
  readonly standsOn: readonly number[];
  /** The notes whose changes this change uses. They are not undone while this note is open. */
  readonly on: readonly number[];
  /** The chroot task that a script ran in. What the script changed is deleted with that chroot. */
  readonly in?: string | undefined;
  readonly data: unknown;
}

/** How a run ended. */
export type EndedHow = 'committed' | 'undone' | 'destroyed';

type Line =
  | ({ readonly type: 'run' } & JournalHead)
  | ({ readonly type: 'note' } & Note)
  | { readonly type: 'undone'; readonly id: number }
  /** The change disappeared together with something else, such as the chroot in which it was made. */
  | { readonly type: 'closed'; readonly id: number }
  | { readonly type: 'ended'; readonly how: EndedHow };

/** A journal contains an unreadable line. A last line that was cut off is not an error. */
export class JournalError extends Error {
  constructor(
    readonly file: string,
    readonly line: number,
    why: string,
    /** What the readable lines contain. */
    readonly salvaged: JournalContent,
  ) {
    super(`${file}:${line}: ${why}`);
    this.name = 'JournalError';
  }
}

/** The contents of a journal. */
export interface JournalContent {
  readonly head: JournalHead | undefined;
  /** Notes of changes that are not undone, oldest first. */
  readonly open: readonly Note[];
  readonly ended: EndedHow | undefined;
}

/** The state that results from the lines of a journal. */
class Ledger {
  readonly notes = new Map<number, Note>();
  nextId = 1;
  head: JournalHead | undefined;
  ended: EndedHow | undefined;

  replay(line: Line): void {
    switch (line.type) {
      case 'note': {
        const { type: _, ...note } = line;
        this.notes.set(note.id, note);
        this.nextId = Math.max(this.nextId, note.id + 1);
        return;
      }
      case 'undone':
      case 'closed':
        this.notes.delete(line.id);
        return;
      case 'ended':
        this.ended = line.how;
        return;
      case 'run': {
        const { type: _, ...head } = line;
        this.head = head;
        return;
      }
    }
  }

  get content(): JournalContent {
    return { head: this.head, open: [...this.notes.values()], ended: this.ended };
  }
}

/**
 * Reads the journal of a run without changing anything. Ignores a last line that was cut off by a crash, because
 * nothing relied on it yet.
 * @throws JournalError for any other unreadable line; FormatError for a journal of a newer version.
 */
export function readJournal(file: string): JournalContent & { readonly head: JournalHead } {
  const { ledger } = load(file);
  return { ...ledger.content, head: ledger.head as JournalHead };
}

/** The undo notes of one run. They are on disk before anything relies on them. */
export class Journal {
  /** Why the last failed line could not be written; undefined again once it is. */
  failure: Error | undefined;
  /** Lines about changes already undone that could not be written yet. Without them, the undo runs once more. */
  private readonly unwritten: Line[] = [];
  /** Whether the file ends in a partial line that could not be removed. */
  private isTorn = false;

  private constructor(
    private readonly file: string,
    private readonly fd: number,
    readonly head: JournalHead,
    private readonly ledger: Ledger,
    /** Size in bytes of all whole lines. */
    private size: number,
  ) {}

  /** The state folder, which has the folder of the run in `runs`. */
  get state(): string {
    return resolve(dirname(this.file), '../..');
  }

  /** Starts the journal of a new run. Its folder must exist. */
  static create(file: string, head: JournalHead): Journal {
    const journal = new Journal(
      file,
      openSync(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL, 0o600),
      head,
      new Ledger(),
      0,
    );
    try {
      journal.append({ type: 'run', ...head });
      syncFolder(dirname(file));
      return journal;
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  /**
   * Opens the journal of a run to continue it. The caller holds the run's lock. Removes a partial line at the end.
   * @throws as {@link readJournal}
   */
  static open(file: string): Journal {
    const { ledger, size, torn } = load(file);
    const fd = openSync(file, constants.O_WRONLY | constants.O_APPEND);
    if (torn) {
      ftruncateSync(fd, size);
      fsyncSync(fd);
    }
    return new Journal(file, fd, ledger.head as JournalHead, ledger, size);
  }

  get ended(): EndedHow | undefined {
    return this.ledger.ended;
  }

  /** Notes of changes that are not undone, oldest first. */
  get open(): readonly Note[] {
    return this.ledger.content.open;
  }

  /** Whether the file is still at its path: the state folder may have been removed or moved. */
  get isInPlace(): boolean {
    const there = statSync(this.file, { throwIfNoEntry: false });
    return there !== undefined && there.ino === fstatSync(this.fd).ino;
  }

  /** Writes a new note and syncs it to disk. */
  add(note: Omit<Note, 'id'>): Note {
    const added = { id: this.ledger.nextId, ...note };
    this.append({ type: 'note', ...added });
    return added;
  }

  /** Replaces the data of a note and syncs it to disk, for example when an intended change has been made. */
  update(id: number, data: unknown): void {
    const note = this.ledger.notes.get(id);
    if (note === undefined) throw new Error(`internal error: note ${id} is not open`);
    this.append({ type: 'note', ...note, data });
  }

  undone(id: number): void {
    this.appendDone({ type: 'undone', id });
  }

  closeNote(id: number): void {
    this.appendDone({ type: 'closed', id });
  }

  /** Records how the run ended. A committed run is never undone, but its results can be destroyed. */
  end(how: EndedHow): void {
    this.append({ type: 'ended', how });
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Writes lines that could not be written before. If that fails again, {@link failure} has the reason. */
  retry(): void {
    try {
      this.writeRest();
    } catch (error) {
      this.failure = error as Error;
    }
  }

  /** Records something that has been undone. If that cannot be written, it stays undone, and the line is written before the next one. */
  private appendDone(line: Line): void {
    try {
      this.append(line);
    } catch (error) {
      this.failure = error as Error;
      this.unwritten.push(line);
      this.ledger.replay(line);
    }
  }

  private append(line: Line): void {
    this.writeRest();
    this.write(line);
    this.ledger.replay(line);
  }

  private writeRest(): void {
    if (this.isTorn && !this.cutOff()) throw this.failure;
    for (let line = this.unwritten[0]; line !== undefined; line = this.unwritten[0]) {
      this.write(line);
      this.unwritten.shift();
    }
    if (!this.isTorn) this.failure = undefined;
  }

  private write(line: Line): void {
    const bytes = `${JSON.stringify(line)}\n`;
    let isWhole = false;
    try {
      writeAll(this.fd, bytes);
      isWhole = true;
      fdatasyncSync(this.fd);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const failure = Object.assign(new Error(`${this.file} cannot be written: ${message}`, { cause: error }), { code });
      if (this.cutOff() || !isWhole || line.type !== 'ended') throw failure;
      // The line is complete and readable, but might be lost in a power cut.
      this.isTorn = false;
      this.failure = failure;
    }
    this.size += Buffer.byteLength(bytes);
  }

  /** Removes a partially written line, so that the next line is not joined to it. @returns whether it was removed. */
  private cutOff(): boolean {
    try {
      ftruncateSync(this.fd, this.size);
      this.isTorn = false;
    } catch (error) {
      this.failure = error as Error;
      this.isTorn = true;
    }
    return !this.isTorn;
  }
}

function load(file: string): { ledger: Ledger; size: number; torn: boolean } {
  const bytes = readFileSync(file);
  const size = bytes.lastIndexOf('\n') + 1;
  const lines = bytes.toString('utf8', 0, size).split('\n').slice(0, -1);
  const ledger = new Ledger();
  let broken: { line: number; why: string } | undefined;
  for (const [i, each] of lines.entries()) {
    const line = lineOf(each);
    if (i === 0 && line?.type === 'run') checkFormat(file, line.format);
    if (line === undefined) broken ??= { line: i + 1, why: each.trim() === '' ? 'empty line' : 'unreadable line' };
    else if ((line.type === 'run') !== (i === 0)) broken ??= { line: i + 1, why: i === 0 ? 'the first line is not the head of a run' : 'second head of a run' };
    else ledger.replay(line);
  }
  if (lines.length === 0) broken = { line: 1, why: bytes.length === 0 ? 'the file is empty' : 'the file has no complete line' };
  if (broken !== undefined) throw new JournalError(file, broken.line, broken.why, ledger.content);
  return { ledger, size, torn: size < bytes.length };
}

const types: ReadonlySet<unknown> = new Set<Line['type']>(['run', 'note', 'undone', 'closed', 'ended']);

function lineOf(text: string): Line | undefined {
  try {
    const value = JSON.parse(text) as Partial<Line> | null;
    return typeof value === 'object' && types.has(value?.type) ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}
