import type { Tag } from '@aws-sdk/client-ec2';
import { shortName } from '../linux/short_name.js';
import type { Ec2, Ec2Opener } from './client.js';
import { inCall, isNotFound } from './errors.js';
import { hostName } from './metadata.js';
import { onceAllowed, onceKnown } from './waiter.js';

/** The tag by which everything that a run creates is found again. */
export const runTag = 'chrootfile:run';
export const taskTag = 'chrootfile:task';
/** The machine that created it: its instance id, or a hash of its machine id. */
export const hostTag = 'chrootfile:host';
/** `building` until the run has succeeded, then `kept`. */
export const stateTag = 'chrootfile:state';

/** A run and one of its tasks, which creates something. */
export interface Maker {
  readonly run: string;
  readonly task: string;
}

/** The tags of a new resource: those of the run, a name, and the user's, which may override the name. */
export async function tagsOf(ec2: Ec2, { run, task }: Maker, name: string, tags: Readonly<Record<string, string>>): Promise<Tag[]> {
  const own = { [runTag]: run, [taskTag]: shortName(task), [hostTag]: await hostName(ec2.cloud), [stateTag]: 'building' };
  const all: Record<string, string> = { Name: shortName(name), ...tags, ...own };
  return Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
}

/** Marks the results of a run as kept, in every region, so that they are not taken for leftovers of a dead run. */
export async function markKept(
  artifacts: readonly { readonly region: string; readonly id: string }[],
  { ec2: open, signal }: Ec2Opener,
  progress: (text: string) => void,
): Promise<void> {
  for (const region of new Set(artifacts.map((artifact) => artifact.region))) {
    const all = artifacts.filter((artifact) => artifact.region === region);
    const ec2 = await open(region);
    const mark = (ids: readonly string[]) => {
      const command = new ec2.sdk.CreateTagsCommand({ Resources: [...ids], Tags: [{ Key: stateTag, Value: 'kept' }] });
      return onceAllowed(signal, progress, () => ec2.client.send(command));
    };
    const ids = all.map(({ id }) => id);
    try {
      await onceKnown(signal, () => mark(ids)).catch(async (error: unknown) => {
        if (!isNotFound(error)) throw error;
        // A task of the recipe may have deleted one of them on purpose.
        for (const id of ids) await mark([id]).catch((gone: unknown) => (isNotFound(gone) ? undefined : Promise.reject(gone)));
      });
    } catch (error) {
      throw inCall('CreateTags', error);
    }
  }
}

/** The filter that finds what a task of a run created. */
export function madeBy({ run, task }: { readonly run: string; readonly task: string }) {
  return [
    { Name: `tag:${runTag}`, Values: [run] },
    { Name: `tag:${taskTag}`, Values: [shortName(task)] },
  ];
}
