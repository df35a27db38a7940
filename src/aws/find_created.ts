import type { Ec2, Ec2Opener } from './client.js';
import type { MadeNote } from './journaled_create.js';
import { ec2Policy } from './policy.js';
import { unknownForMs, waitFor } from './waiter.js';

/** How resources of one type are found. */
export interface Search {
  readonly call: string;
  readonly thing: string;
  readonly look: () => Promise<readonly string[]>;
}

/** Deletes the resources of a note, by id or found by their tags. */
export async function removeMade(
  note: MadeNote,
  { ec2: open, signal }: Ec2Opener,
  how: {
    readonly search: (ec2: Ec2, note: MadeNote) => Search;
    readonly remove: (ec2: Ec2, id: string, note: MadeNote, signal: AbortSignal) => Promise<void>;
  },
): Promise<void> {
  const ec2 = await open(note.region);
  const ids = note.id === undefined ? await allIdsOf(ec2, note, how.search(ec2, note), signal) : [note.id];
  for (const id of ids) await how.remove(ec2, id, note, signal);
}

/** The first resource with the tags of a note; undefined if none appears within 30 s after the call. */
export async function firstIdOf(ec2: Ec2, note: MadeNote, search: Search, signal: AbortSignal): Promise<string | undefined> {
  return (await idsOf(ec2, note, search, signal, (ids) => ids.length > 0))[0];
}

/** All resources with the tags of a note; searches until 30 s after the call, since not all may appear together. */
export function allIdsOf(ec2: Ec2, note: MadeNote, search: Search, signal: AbortSignal): Promise<readonly string[]> {
  return idsOf(ec2, note, search, signal, () => false);
}

async function idsOf(
  ec2: Ec2,
  note: MadeNote,
  { call, thing, look }: Search,
  signal: AbortSignal,
  enough: (ids: readonly string[]) => boolean,
): Promise<string[]> {
  const until = performance.now() + unknownForMs(ec2, note.asked_at);
  const found = new Set<string>();
  await waitFor<readonly string[]>({
    ec2,
    thing,
    what: `resources of task "${note.task}" of run ${note.run} to appear`,
    call,
    look,
    done: (ids) => {
      for (const id of ids) found.add(id);
      return enough([...found]) || performance.now() >= until;
    },
    limitMs: ec2Policy.eventualConsistencyMs + ec2Policy.searchMs,
    signal,
  });
  return [...found];
}
