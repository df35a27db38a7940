import type { Image } from '@aws-sdk/client-ec2';
import type { TaskContext } from '../kind.js';
import { codeOf, type Ec2 } from './client.js';
import { deregisterImage, snapshotsOf } from './images.js';
import { deleteSnapshot } from './snapshots.js';

/**
 * A name is one image's at a time, so what shall replace others has this one until it is available; then they are
 * deregistered, it is registered again under its own name, and the one it had goes.
 */
export function interimName(name: string, run: string): string {
  const tail = `.${run.slice(-15)}`;
  return `${name.slice(0, 128 - tail.length)}${tail}`;
}

/** The task that is written on an image while it has another name, so that the two are not taken for each other. */
export function interimTask(task: string): string {
  return `${task}.interim`;
}

/** Deregisters the older images of a name. */
export async function retire(ec2: Ec2, old: readonly Image[], signal: AbortSignal): Promise<void> {
  for (const image of old) await deregisterImage(ec2, image.ImageId ?? '', { asked_at: image.CreationDate ?? '' }, signal);
}

/** Deletes the snapshots of images that were deregistered, but for those that another image uses. */
export async function deleteSnapshotsOf(ec2: Ec2, old: readonly Image[], image: Image, { signal, warn }: Pick<TaskContext, 'signal' | 'warn'>): Promise<void> {
  const kept = new Set(snapshotsOf(image));
  for (const id of old.flatMap(snapshotsOf).filter((snapshot) => !kept.has(snapshot))) {
    try {
      await deleteSnapshot(ec2, id, { asked_at: image.CreationDate ?? '' }, signal);
    } catch (error) {
      if (codeOf((error as Error).cause) !== 'InvalidSnapshot.InUse') throw error;
      warn(`snapshot ${id} of the older image is used by another image, and stays`);
    }
  }
}
