import { createHash } from 'node:crypto';
import type { Ec2 } from './client.js';
import { changedNothing } from './errors.js';
import type { Maker } from './ownership_tags.js';

/** A written note, which can be updated. */
export interface NoteHandle {
  update(data: object): void;
  /** Removes the note: the change was undone, or never made. */
  remove(): void;
}

/** Durably records what undo needs, before the change is made. */
export interface NoteWriter {
  note(data: object): NoteHandle;
}

/** A client token: a new one for each attempt of a task, the same one when a call is sent again. Source: EC2 API reference, 64 characters. */
export function tokenOf({ run, task, region, asked_at }: MadeNote): string {
  return createHash('sha256').update([run, task, region, asked_at].join('\n')).digest('hex');
}

/** A note about a requested resource: run, task, region and time. The id is known once EC2 has responded. */
export interface MadeNote {
  readonly run: string;
  readonly task: string;
  readonly region: string;
  readonly asked_at: string;
  readonly id?: string;
}

/** The note of a resource that a task is about to request. */
export function madeNow({ run, task }: Maker, { region }: Ec2): MadeNote {
  return { run, task, region, asked_at: new Date().toISOString() };
}

/**
 * Writes the note, then requests the resource; returns its id, and the note with the id. A call that EC2 rejected at the
 * first attempt has changed nothing, and leaves no note.
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
    // The last attempt may have created it, so the time until it must appear starts there.
    else note.update({ ...made, asked_at: new Date().toISOString() });
    throw error;
  }
}
