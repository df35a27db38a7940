import type { Tag } from '@aws-sdk/client-ec2';
import type { NoteHandle, TaskContext, World } from '../kind.js';
import { policy } from '../policy.js';
import { changedNothing, type Ec2 } from './client.js';
import { waitFor } from './wait.js';

/** The tags of everything a run makes, by which it is found again. */
export const runTag = 'chrootfile:run';
export const taskTag = 'chrootfile:task';

/** The tags a thing gets: those of the run, a name, and the user's, which may replace the name. */
export function tagsOf(run: string, task: string, name: string, tags: Readonly<Record<string, string>>): Tag[] {
  const all = { Name: name, ...tags, [runTag]: run, [taskTag]: task };
  return Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
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
export function madeNow({ run, task }: TaskContext, { region }: Ec2): MadeNote {
  return { run, task, region, asked_at: new Date().toISOString() };
}

/**
 * Asks for something, once its note is written; gives its id, with the note that has it. What EC2 refused at the first
 * try has changed nothing, and leaves no note.
 */
export async function makeNoted<N extends MadeNote>(
  context: TaskContext,
  made: N,
  ask: () => Promise<string>,
): Promise<{ note: NoteHandle; made: N & { id: string } }> {
  const note = context.note(made);
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

/** The option that has the aws command line do something where a note says. */
export function regionOption({ region }: { readonly region?: string }): string {
  return region === undefined ? '' : ` --region ${region}`;
}

/** The filter that finds what a run and task made. */
export function madeBy({ run, task }: { readonly run: string; readonly task: string }) {
  return [
    { Name: `tag:${runTag}`, Values: [run] },
    { Name: `tag:${taskTag}`, Values: [task] },
  ];
}

/** How things of one sort are looked for. */
export interface Search {
  readonly call: string;
  readonly thing: string;
  readonly look: () => Promise<readonly string[]>;
}

/** Takes back what a note is about: each thing it made, by id or found by its tags. */
export async function removeMade(
  note: MadeNote,
  world: World,
  how: {
    readonly search: (ec2: Ec2, note: MadeNote) => Search;
    readonly remove: (ec2: Ec2, id: string, note: MadeNote, signal: AbortSignal) => Promise<void>;
  },
): Promise<void> {
  const ec2 = await world.ec2(note.region);
  for (const id of await idsOf(ec2, note, how.search(ec2, note), world.signal)) await how.remove(ec2, id, note, world.signal);
}

/**
 * The ids of what a note is about: its id, or, where the answer was lost, what carries its tags. Looks until
 * 30 s after the call, since describe calls may be late.
 */
export async function idsOf(ec2: Ec2, note: MadeNote, { call, thing, look }: Search, signal: AbortSignal): Promise<readonly string[]> {
  if (note.id !== undefined) return [note.id];
  const until = Date.parse(note.asked_at) + (ec2.consistent ? 0 : policy.eventualConsistencyMs);
  const found = await waitFor<readonly string[]>({
    ec2,
    thing,
    what: `what task "${note.task}" of run ${note.run} made`,
    call,
    look,
    done: (ids) => ids.length > 0 || Date.now() >= until,
    limitMs: policy.imageMs,
    signal,
  });
  return found ?? [];
}
