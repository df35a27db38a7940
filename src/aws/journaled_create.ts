import { createHash } from 'node:crypto';
import type { Ec2 } from './client.js';
import { changedNothing } from './errors.js';
import type { Maker } from './ownership_tags.js';

/** A note that was written and may be made more exact. */
export interface NoteHandle {
  update(data: object): void;
  /** The change was taken back, or never made. */
  remove(): void;
}

/** Writes down, durably, what undo needs to know. Before the change is made. */
export interface NoteWriter {
  note(data: object): NoteHandle;
}

/** A token against doubles: another one for each attempt of a task, the same for a call that is sent again. Source: EC2 API reference, 64 characters. */
export function tokenOf({ run, task, region, asked_at }: MadeNote): string {
  return createHash('sha256').update([run, task, region, asked_at].join('\n')).digest('hex');
}

/** A note about something that was asked for: which run and task, where and when. The id is known once the answer came. */
export interface MadeNote {
  readonly run: string;
  readonly task: string;
  readonly region: string;
  readonly asked_at: string;
  readonly id?: string;
}

/** The note of what a task is about to ask for. */
export function madeNow({ run, task }: Maker, { region }: Ec2): MadeNote {
  return { run, task, region, asked_at: new Date().toISOString() };
}

/**
 * Asks for something, once its note is written; gives its id, with the note that has it. What EC2 refused at the first
 * try has changed nothing, and leaves no note.
 */
export async function journaledCreate<N extends MadeNote>(
  writer: NoteWriter,
  made: N,
  ask: () => Promise<string>,
): Promise<{ note: NoteHandle; made: N & { id: string } }> {
  const note = writer.note(made);
  try {
    const known = { ...made, id: await ask() };
    note.update(known);
    return { note, made: known };
  } catch (error) {
    if (changedNothing(error)) note.remove();
    // It may have been made at the last try: that is from when on it must show.
    else note.update({ ...made, asked_at: new Date().toISOString() });
    throw error;
  }
}
