import { createHash } from 'node:crypto';
import type { Tag } from '@aws-sdk/client-ec2';
import { shellWord } from '../linux/shell_quote.js';
import { shortName } from '../linux/short_name.js';
import type { Artifact, ByHand, NoteHandle, TaskContext, World } from '../runtime/engine/kind.js';
import type { Ec2 } from './client.js';
import { changedNothing, inCall, isNotFound } from './errors.js';
import { hostName } from './metadata.js';
import { ec2Policy } from './policy.js';
import { onceAllowed, onceKnown, unknownForMs, waitFor } from './waiter.js';

/** The tags of everything a run makes, by which it is found again. */
export const runTag = 'chrootfile:run';
export const taskTag = 'chrootfile:task';
/** The machine that makes it: its instance id, else a hash of its machine id. */
export const hostTag = 'chrootfile:host';
/** `building` until the run has succeeded, then `kept`. */
export const stateTag = 'chrootfile:state';

/** Who makes something: a run and a task of it. */
export type Maker = Pick<TaskContext, 'run' | 'task'>;

/** The tags a thing gets: those of the run, a name, and the user's, which may replace the name. */
export async function tagsOf(ec2: Ec2, { run, task }: Maker, name: string, tags: Readonly<Record<string, string>>): Promise<Tag[]> {
  const own = { [runTag]: run, [taskTag]: shortName(task), [hostTag]: await hostName(ec2.cloud), [stateTag]: 'building' };
  const all: Record<string, string> = { Name: shortName(name), ...tags, ...own };
  return Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
}

/** Says of what a run has made that it is kept, in every region: from then on nobody takes it for what a dead run left. */
export async function markKept(artifacts: readonly Artifact[], world: World, progress: (text: string) => void): Promise<void> {
  for (const region of new Set(artifacts.map((artifact) => artifact.region))) {
    const all = artifacts.filter((artifact) => artifact.region === region);
    const ec2 = await world.ec2(region);
    const mark = (ids: readonly string[]) => {
      const command = new ec2.sdk.CreateTagsCommand({ Resources: [...ids], Tags: [{ Key: stateTag, Value: 'kept' }] });
      return onceAllowed(world.signal, progress, () => ec2.client.send(command));
    };
    const ids = all.map(({ id }) => id);
    try {
      await onceKnown(world.signal, () => mark(ids)).catch(async (error: unknown) => {
        if (!isNotFound(error)) throw error;
        // A task of the recipe has deleted one of them on purpose.
        for (const id of ids) await mark([id]).catch((gone: unknown) => (isNotFound(gone) ? undefined : Promise.reject(gone)));
      });
    } catch (error) {
      throw inCall('CreateTags', error);
    }
  }
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

/**
 * What a person would type to have EC2 do something where a note says. The aws command line does not reach the embedded
 * EC2: there it is the program's own undo, with what that does.
 * @param command e.g. `delete-volume`. @param options words after it; those of a comment, from `#` on, as they are.
 */
export function ec2ByHand({ cloud, again }: ByHand, { region }: { readonly region?: string }, command: string, ...options: readonly string[]): string {
  const own = [command, ...(region === undefined ? [] : ['--region', region]), ...options].map((word) =>
    word.startsWith('#') ? `  ${word}` : shellWord(word),
  );
  if (cloud.provider === 'local') return `${again}   # ${own.join(' ')}`;
  const { profile, endpoint } = cloud;
  const global = [...(profile === undefined ? [] : ['--profile', profile]), ...(endpoint === undefined ? [] : ['--endpoint-url', endpoint])];
  return ['aws', ...global.map(shellWord), 'ec2', ...own].join(' ');
}

/** The filter that finds what a run and task made. */
export function madeBy({ run, task }: { readonly run: string; readonly task: string }) {
  return [
    { Name: `tag:${runTag}`, Values: [run] },
    { Name: `tag:${taskTag}`, Values: [shortName(task)] },
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
  const ids = note.id === undefined ? await allIdsOf(ec2, note, how.search(ec2, note), world.signal) : [note.id];
  for (const id of ids) await how.remove(ec2, id, note, world.signal);
}

/** The first id that carries the tags of what a note is about; undefined when none shows up within 30 s after the call. */
export async function firstIdOf(ec2: Ec2, note: MadeNote, search: Search, signal: AbortSignal): Promise<string | undefined> {
  return (await idsOf(ec2, note, search, signal, (ids) => ids.length > 0))[0];
}

/** All ids that carry the tags of what a note is about: looks until 30 s after the call, since not all may show at once. */
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
    what: `what task "${note.task}" of run ${note.run} made`,
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
