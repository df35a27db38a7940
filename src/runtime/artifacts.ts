import type { Journal } from './journal.js';
import type { AnyKind, Artifact } from './kind.js';

/** What a run has made and keeps, as its notes say. */
export function artifactsOf(journal: Journal, kinds: Iterable<AnyKind>): Artifact[] {
  const known = new Map([...kinds].map((kind) => [kind.name, kind]));
  return journal.open.flatMap((note) => known.get(note.kind)?.artifacts?.(note.data) ?? []);
}
