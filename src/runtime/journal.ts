import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Cloud } from '../dsl/recipe.js';
import type { ProcessIdentity } from './process.js';

/** Facts of a run that its undo needs. No secrets: only names. */
export interface JournalHead {
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
  /** For holds: the notes of the holds it stands on, which are not released before it. */
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

/** The undo notes of one run, on disk before anything relies on them. */
export class Journal {
  private readonly notes = new Map<number, Note>();
  private nextId = 1;
  /** Whether the last line may not be whole. */
  private torn = false;
  ended: EndedHow | undefined;

  private constructor(
    private readonly fd: number,
    readonly head: JournalHead,
  ) {}

  /** Starts the journal of a new run; the folder exists. */
  static create(file: string, head: JournalHead): Journal {
    const journal = new Journal(openSync(file, 'ax', 0o600), head);
    journal.write({ type: 'run', ...head });
    const folder = openSync(dirname(file), 'r');
    fsyncSync(folder);
    closeSync(folder);
    return journal;
  }

  /** Reads the journal of a run. A last line that was cut off by a crash was relied on by nothing. */
  static open(file: string): Journal {
    const text = readFileSync(file, 'utf8');
    const lines = text.split('\n').flatMap(parseLine);
    const [head] = lines;
    if (head?.type !== 'run') throw new Error(`${file} is not a journal`);
    const journal = new Journal(openSync(file, 'a', 0o600), head);
    for (const line of lines) journal.replay(line);
    journal.torn = !text.endsWith('\n');
    return journal;
  }

  /** Notes whose change is still there, oldest first. */
  get open(): readonly Note[] {
    return [...this.notes.values()];
  }

  /** Writes a note down, durably. */
  add(note: Omit<Note, 'id'>): Note {
    const added = { id: this.nextId, ...note };
    this.append({ type: 'note', ...added });
    return added;
  }

  /** Replaces what a note says, durably: an intent becomes a fact. */
  update(id: number, data: unknown): void {
    const note = this.notes.get(id);
    if (note === undefined) throw new Error(`internal error: note ${id} is not open`);
    this.append({ type: 'note', ...note, data });
  }

  undone(id: number): void {
    this.append({ type: 'undone', id });
  }

  closeNote(id: number): void {
    this.append({ type: 'closed', id });
  }

  /** Ends the run: a committed one is never undone, but what it made may be destroyed. */
  end(how: EndedHow): void {
    this.append({ type: 'ended', how });
  }

  close(): void {
    closeSync(this.fd);
  }

  private append(line: Line): void {
    this.write(line);
    this.replay(line);
  }

  private write(line: Line): void {
    const bytes = Buffer.from(`${this.torn ? '\n' : ''}${JSON.stringify(line)}\n`);
    this.torn = true;
    for (let written = 0; written < bytes.length; ) written += writeSync(this.fd, bytes, written);
    this.torn = false;
    fsyncSync(this.fd);
  }

  private replay(line: Line): void {
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
      case 'run':
        return;
    }
  }
}

/** Writes a file so that it is there whole or not at all, also after a crash. */
export function writeWhole(file: string, text: string): void {
  const draft = `${file}.${process.pid}`;
  const fd = openSync(draft, 'w', 0o600);
  writeSync(fd, text);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(draft, file);
}

function parseLine(text: string): Line[] {
  if (text === '') return [];
  try {
    return [JSON.parse(text) as Line];
  } catch {
    return [];
  }
}
