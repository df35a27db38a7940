import type { Image, RegisterImageCommandInput } from '@aws-sdk/client-ec2';
import type { TaskContext } from '../kind.js';
import { codeOf, type Ec2 } from './client.js';
import { deregisterImage, registerImage, snapshotsOf, waitForImage } from './images.js';
import { deleteSnapshot } from './snapshots.js';
import type { MadeNote } from './tags.js';

/** A name is one image's at a time, so what shall replace another has this one until it is available. */
export function interimName(name: string, run: string): string {
  const tail = `.${run.slice(-15)}`;
  return `${name.slice(0, 128 - tail.length)}${tail}`;
}

/** The task that is written on an image while it has another name, so that the two are not taken for each other. */
export function interimTask(task: string): string {
  return `${task}.interim`;
}

/**
 * Gives a name to an image that is available under another one: the older ones of that name are deregistered, it is
 * registered again under the name, and the one it had goes.
 * @returns the image under its name.
 */
export async function takeName(
  ec2: Ec2,
  names: { readonly interim: MadeNote; readonly want: RegisterImageCommandInput; readonly made: MadeNote; readonly old: readonly Image[] },
  { signal, warn, deleteSnapshots }: Pick<TaskContext, 'signal' | 'warn'> & { readonly deleteSnapshots: boolean },
): Promise<Image> {
  const { interim, want, made, old } = names;
  for (const image of old) await deregisterImage(ec2, image.ImageId ?? '', { asked_at: image.CreationDate ?? '' }, signal);
  const image = await waitForImage(ec2, await registerImage(ec2, want, made, signal), signal);
  await deregisterImage(ec2, interim.id ?? '', interim, signal);
  const kept = new Set(snapshotsOf(image));
  for (const id of deleteSnapshots ? old.flatMap(snapshotsOf).filter((snapshot) => !kept.has(snapshot)) : []) {
    try {
      await deleteSnapshot(ec2, id, { asked_at: made.asked_at }, signal);
    } catch (error) {
      if (codeOf((error as Error).cause) !== 'InvalidSnapshot.InUse') throw error;
      warn(`snapshot ${id} of the older image is used by another image, and stays`);
    }
  }
  return image;
}
