import type { Ec2 } from './client.js';
import { journaledCreate, type MadeNote, madeNow, type NoteWriter } from './journaled_create.js';
import { type Maker, tagsOf } from './ownership_tags.js';
import { createSnapshot, deleteSnapshot, ownSnapshots } from './snapshots.js';
import { describeVolume } from './volumes.js';

/** The tag of snapshots that are layers: the key of the layer. */
export const layerTag = 'chrootfile:layer';
/** The tag that says which state folder has the record of the layer. */
export const layerOwnerTag = 'chrootfile:layer-owner';

/** The tag that says which work the content of a snapshot is from. */
export const contentTag = 'chrootfile:content';

/** What the content of a snapshot of this account is from; undefined if that is not known. */
export async function contentOf(ec2: Ec2, id: string): Promise<string | undefined> {
  const [snapshot] = await ownSnapshots(ec2, [id]);
  return snapshot?.Tags?.find(({ Key }) => Key === contentTag)?.Value;
}

/** The states of some snapshots, e.g. `pending`, by id; those that do not exist are missing. */
export async function snapshotStates(ec2: Ec2, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  return new Map((await ownSnapshots(ec2, ids)).map(({ SnapshotId = '', State = '' }) => [SnapshotId, State]));
}

/** EC2's name of the device as which a volume is attached; undefined if it is not. */
export async function deviceNameOf(ec2: Ec2, volume: string): Promise<string | undefined> {
  const found = await describeVolume(ec2, volume);
  return found?.Attachments?.find(({ State }) => State === 'attached')?.Device;
}

/** A snapshot of a volume as part of a layer; returns its id, and the note that undoes it as long as the layer is not recorded. */
export async function createLayerSnapshot(
  ec2: Ec2,
  { volume, key, owner }: { readonly volume: string; readonly key: string; readonly owner: string },
  context: Maker & NoteWriter & { readonly signal: AbortSignal; progress(text: string): void },
) {
  // A lost answer is searched for by run and task, and a layer may have several snapshots.
  const maker = { run: context.run, task: `layer of ${volume} after ${context.task}` };
  const made: MadeNote = madeNow(maker, ec2);
  const tags = await tagsOf(ec2, maker, maker.task, { [layerTag]: key, [layerOwnerTag]: owner });
  const wanted = {
    VolumeId: volume,
    Description: `chrootfile: layer after ${context.task}`,
    TagSpecifications: [{ ResourceType: 'snapshot' as const, Tags: tags }],
  };
  const { note, made: known } = await journaledCreate(context, made, () => createSnapshot(ec2, wanted, made, context.signal, context.progress));
  return { id: known.id, note };
}

/** Deletes the snapshots of a layer that is not used any more. @param made when they were made, as an ISO 8601 time. */
export async function deleteSnapshots(ec2: Ec2, ids: readonly string[], made: string, signal: AbortSignal): Promise<void> {
  for (const id of ids) await deleteSnapshot(ec2, id, { asked_at: made }, signal);
}
