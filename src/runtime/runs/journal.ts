import { closeSync, constants, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Cloud } from '../../dsl/recipe/types.js';
import { syncFolder, writeAll } from '../../linux/atomic_write.js';
import type { ProcessIdentity } from '../../linux/process_identity.js';
import { checkFormat } from './format.js';

/** Facts of a run that its undo needs. No secrets: only names. */
export interface JournalHead {
  /** See {@link currentFormat}; 1 where it is missing. */
  readonly format?: number;
  readonly run: string;
  readonly recipe: string;
  readonly started: string;
  readonly cloud: Cloud;
  readonly owner: ProcessIdentity;
  readonly sandbox: boolean;
}

/** A change to the world: what it was, who made it, and which notes must be undone before it. */
export interface Note {
  readonly id: number;
  readonly task: string;
  readonly kind: string;
  /** For resources: the notes of the resources it uses, which are not released before it. */
  readonly standsOn: readonly number[];
  /** Notes this one stands on: they are not touched while this one is open. */
  readonly on: readonly number[];
  /** The chroot task a script ran in: what it changed goes with that. */
  readonly in?: string | undefined;
  readonly data: unknown;
}

/** How a run ended. */
export type EndedHow = 'committed' | 'undone' | 'destroyed';

type Line =
  | ({ readonly type: 'run' } & JournalHead)
  | ({ readonly type: 'note' } & Note)
  | { readonly type: 'undone'; readonly id: number }
  /** Its change went with something else, e.g. with the chroot it was made in. */
  | { readonly type: 'closed'; readonly id: number }
  | { readonly type: 'ended'; readonly how: EndedHow };

/** A journal of which a line cannot be read, other than one at its end that was cut off. */
export class JournalError extends Error {
  constructor(
    readonly file: string,
    readonly line: number,
    why: string,
    /** What the lines that can be read say. */
    readonly salvaged: JournalContent,
  ) {
    super(`${file}:${line}: ${why}`);
    this.name = 'JournalError';
  }
}

/** What a journal says. */
export interface JournalContent {
  readonly head: JournalHead | undefined;
  /** Notes whose change is still there, oldest first. */
  readonly open: readonly Note[];
  readonly ended: EndedHow | undefined;
}

/** What the lines of a journal come to. */
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
 * Reads the journal of a run, without changing anything. A last line that was cut off by a crash was relied on by
 * nothing, and is left out.
 * @throws JournalError for any other line that cannot be read; FormatError for one of a newer version.
 */
export function readJournal(file: string): JournalContent & { readonly head: JournalHead } {
  const { ledger } = load(file);
  return { ...ledger.content, head: ledger.head as JournalHead };
}

/** The undo notes of one run, on disk before anything relies on them. */
export class Journal {
  /** What went wrong with the last line that could not be written; undefined again once it is. */
  failure: Error | undefined;
  /** Lines about what was done that could not be written yet: without them it will be done once more. */
  private readonly unwritten: Line[] = [];
  /** Whether the file ends in a line that should have been cut off. */
  private isTorn = false;

  private constructor(
    private readonly file: string,
    private readonly fd: number,
    readonly head: JournalHead,
    private readonly ledger: Ledger,
    /** Bytes of the lines that are whole. */
    private size: number,
  ) {}

  /** Starts the journal of a new run; the folder exists. */
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
   * Opens the journal of a run, to go on with it; the caller holds the run's lock. What was cut off at its end goes.
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

  /** Notes whose change is still there, oldest first. */
  get open(): readonly Note[] {
    return this.ledger.content.open;
  }

  /** Whether the file is where it was: the state folder may have been removed or moved. */
  get isInPlace(): boolean {
    const there = statSync(this.file, { throwIfNoEntry: false });
    return there !== undefined && there.ino === fstatSync(this.fd).ino;
  }

  /** Writes a note down, durably. */
  add(note: Omit<Note, 'id'>): Note {
    const added = { id: this.ledger.nextId, ...note };
    this.append({ type: 'note', ...added });
    return added;
  }

  /** Replaces what a note says, durably: an intent becomes a fact. */
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

  /** Ends the run: a committed one is never undone, but what it made may be destroyed. */
  end(how: EndedHow): void {
    this.append({ type: 'ended', how });
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Writes what could not be written before. Where that fails again, {@link failure} says why. */
  retry(): void {
    try {
      this.writeRest();
    } catch (error) {
      this.failure = error as Error;
    }
  }

  /** Something was done, which does not become undone where it cannot be written down: that is tried again with the next line. */
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
      // It stands there for everybody who reads it, though perhaps not after a power cut.
      this.isTorn = false;
      this.failure = failure;
    }
    this.size += Buffer.byteLength(bytes);
  }

  /** Removes what was written of a line: the next one must not be joined with it. @returns whether it is gone. */
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
    if (line === undefined) broken ??= { line: i + 1, why: each.trim() === '' ? 'an empty line' : 'a line that cannot be read' };
    else if ((line.type === 'run') !== (i === 0)) broken ??= { line: i + 1, why: i === 0 ? 'it does not begin with the head of a run' : 'a second head' };
    else ledger.replay(line);
  }
  if (lines.length === 0) broken = { line: 1, why: bytes.length === 0 ? 'the file is empty' : 'it has no whole line' };
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
