import type { AnyKind, Artifact } from '../engine/kind.js';
import type { Note } from './journal.js';

/** What a run created and keeps, according to its open notes. */
export function artifactsOf(notes: readonly Note[], kinds: Iterable<AnyKind>): Artifact[] {
  const known = new Map([...kinds].map((kind) => [kind.name, kind]));
  return notes.flatMap((note) => known.get(note.kind)?.artifacts?.(note.data) ?? []).filter(({ id }) => id !== '');
}
