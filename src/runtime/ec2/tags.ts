import type { Tag } from '@aws-sdk/client-ec2';
import type { World } from '../kind.js';
import { policy } from '../policy.js';
import type { Ec2 } from './client.js';
import { waitFor } from './wait.js';

/** The tags of everything a run makes, by which it is found again. */
export const runTag = 'chrootfile:run';
export const taskTag = 'chrootfile:task';

/** The tags a thing gets: those of the run, a name, and the user's, which may replace the name. */
export function tagsOf(run: string, task: string, name: string, tags: Readonly<Record<string, string>>): Tag[] {
  const all = { Name: name, ...tags, [runTag]: run, [taskTag]: task };
  return Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
}

/** A note about something that was asked for: which run and task, and when. The id is known once the answer came. */
export interface MadeNote {
  readonly run: string;
  readonly task: string;
  readonly asked_at: string;
  readonly id?: string;
}

/** The filter that finds what a run and task made. */
export function madeBy({ run, task }: { readonly run: string; readonly task: string }) {
  return [
    { Name: `tag:${runTag}`, Values: [run] },
    { Name: `tag:${taskTag}`, Values: [task] },
  ];
}

/** Takes back what a note is about: each thing it made, by id or found by its tags. */
export async function removeMade(
  note: MadeNote,
  world: World,
  how: {
    readonly call: string;
    readonly look: (ec2: Ec2, note: MadeNote) => Promise<readonly string[]>;
    readonly remove: (ec2: Ec2, id: string) => Promise<void>;
  },
): Promise<void> {
  const ec2 = await world.ec2();
  const ids = await idsOf(note, { consistent: ec2.consistent, call: how.call, signal: world.signal, look: () => how.look(ec2, note) });
  for (const id of ids) await how.remove(ec2, id);
}

/**
 * The ids of what a note is about: its id, or, where the answer was lost, what carries its tags. Looks until
 * 30 s after the call, since describe calls may be late.
 */
export async function idsOf(
  note: MadeNote,
  options: { readonly consistent: boolean; readonly call: string; readonly signal: AbortSignal; readonly look: () => Promise<readonly string[]> },
): Promise<readonly string[]> {
  if (note.id !== undefined) return [note.id];
  const until = Date.parse(note.asked_at) + (options.consistent ? 0 : policy.eventualConsistencyMs);
  const found = await waitFor<readonly string[]>({
    what: `what task "${note.task}" of run ${note.run} made`,
    call: options.call,
    look: options.look,
    done: (ids) => ids.length > 0 || Date.now() >= until,
    limitMs: policy.imageMs,
    signal: options.signal,
  });
  return found ?? [];
}
