import type { Image, RegisterImageCommandInput } from '@aws-sdk/client-ec2';
import type { Ec2, Ec2Opener } from './client.js';
import { inCall } from './errors.js';
import { deregisterImage, imagesNamed } from './images.js';
import type { NoteWriter } from './journaled_create.js';
import { registrationOf, uefiDataOf } from './registration.js';

/**
 * The temporary name of an image that replaces others. Only one image can have a name at a time. So the new image has
 * this name until it is available. Then the old images are deregistered, the new one is registered again under the
 * final name, and the temporary registration is removed.
 */
export function interimName(name: string, run: string): string {
  const tail = `.${run.slice(-15)}`;
  return `${name.slice(0, 128 - tail.length)}${tail}`;
}

/** The task recorded in the tags of an image with a temporary name, so that the two images are told apart. */
export function interimTask(task: string): string {
  return `${task}.interim`;
}

/** How to register a deregistered image again. */
export interface RetiredNote {
  readonly region: string;
  readonly retired: string;
  readonly again: RegisterImageCommandInput;
}

/**
 * Records how to register the older images of a name again (with new ids), in case the run fails after deregistering
 * them. Recorded before the new image is requested, so that the new image is undone first.
 */
export async function noteOlder(ec2: Ec2, old: readonly Image[], writer: NoteWriter): Promise<void> {
  for (const image of old) {
    const again = registrationOf(image, await uefiDataOf(ec2, image));
    const Tags = (image.Tags ?? []).filter(({ Key }) => !Key?.startsWith('aws:'));
    const tagged = Tags.length === 0 ? again : { ...again, TagSpecifications: [{ ResourceType: 'image' as const, Tags }] };
    writer.note({ region: ec2.region, retired: image.ImageId ?? '', again: tagged } satisfies RetiredNote);
  }
}

/** Deregisters the older images of a name. */
export async function retire(ec2: Ec2, old: readonly Image[], signal: AbortSignal): Promise<void> {
  // EC2 has just listed them, so "not found" may be wrong.
  for (const image of old) await deregisterImage(ec2, image.ImageId ?? '', { asked_at: new Date().toISOString() }, signal);
}

/** Registers a replaced image again, unless it was never deregistered or is already registered again. */
export async function restore({ region, again }: RetiredNote, { ec2: open }: Ec2Opener): Promise<void> {
  const ec2 = await open(region);
  if ((await imagesNamed(ec2, again.Name ?? '')).length > 0) return;
  try {
    await ec2.client.send(new ec2.sdk.RegisterImageCommand(again));
  } catch (error) {
    throw inCall('RegisterImage', error);
  }
}

/** JSON Schema of the output that lists the snapshots of replaced images. */
export const replacedSchema = {
  type: 'object',
  additionalProperties: { type: 'array', items: { type: 'string' }, description: 'Ids' },
  description: 'Ids of the snapshots of replaced images, by region; `old_snapshots` of ec2.image_attributes deletes them',
} as const;
