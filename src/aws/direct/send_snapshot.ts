import type { Tag } from '@aws-sdk/client-ec2';
import { removeFile } from '../../linux/atomic_write.js';
import { onDisks } from '../client.js';
import { removeMade } from '../find_created.js';
import { journaledCreate, type MadeNote, madeNow, type NoteHandle, type NoteWriter } from '../journaled_create.js';
import { createSnapshot, deleteSnapshot, snapshotsMadeBy, waitForSnapshot } from '../snapshots.js';
import { describeVolume } from '../volumes.js';
import { copySnapshot, type SnapshotCopy } from './copy_snapshot.js';
import { parentOf } from './direct_volume.js';
import { type DirectContext, hashOf, recordOfSending } from './store.js';

/** The note of a snapshot that is being sent, or of the frozen volume. */
export interface SentNote extends MadeNote {
  /** Set for the snapshot in the embedded EC2, which holds what is sent: the record of the transfer, and what was asked for. */
  readonly frozen?: { readonly record: string; readonly request: string };
  /** A later attempt of the task continues the transfer. */
  readonly continues?: true;
}

/** A snapshot to make of a direct volume. */
export interface WantedSnapshot {
  readonly volume: string;
  readonly description: string | undefined;
  readonly tags: readonly Tag[];
}

/** What a task uses to send a snapshot. */
export interface SendContext extends DirectContext, NoteWriter {
  /** The notes of an earlier attempt. */
  readonly earlier: readonly { readonly data: object; readonly handle: NoteHandle }[];
}

/** Freezes a direct volume as a snapshot of the embedded EC2, and sends that one; returns the id of the sent one. */
export async function sendSnapshot(wanted: WantedSnapshot, context: SendContext): Promise<string> {
  const [ec2, disks] = [await context.ec2(), await context.disks()];
  const volume = await describeVolume(disks, wanted.volume);
  if (volume === undefined) throw new Error(`volume ${wanted.volume} does not exist`);
  const frozen = (await begun(wanted, context)) ?? (await freeze(wanted, context));
  const { id, frozen: about } = frozen.made;
  const parent = await parentOf(volume, id, ec2, disks);
  const { description, tags } = wanted;
  const sent = await send({ from: disks, snapshot: id, to: ec2, ...parent, description, tags, record: about.record }, context);
  await deleteSnapshot(disks, id, frozen.made, context.signal);
  removeFile(about.record);
  frozen.note.remove();
  return sent;
}

type Frozen = MadeNote & { readonly id: string; readonly frozen: NonNullable<SentNote['frozen']> };

/** What an earlier attempt froze and began to send, if it was the same; anything else of it is deleted. */
async function begun(wanted: WantedSnapshot, context: SendContext): Promise<{ note: NoteHandle; made: Frozen } | undefined> {
  const notes = context.earlier.map(({ data, handle }) => ({ made: data as SentNote, note: handle }));
  const isWhole = notes.every(({ made }) => made.id !== undefined);
  const found = notes.find(({ made }) => made.frozen?.request === requestOf(wanted));
  if (isWhole && found !== undefined) return found as { note: NoteHandle; made: Frozen };
  for (const { made, note } of notes.reverse()) {
    await undoSent(made, context);
    note.remove();
  }
  return undefined;
}

async function freeze(wanted: WantedSnapshot, context: SendContext): Promise<{ note: NoteHandle; made: Frozen }> {
  const { signal, progress, direct } = context;
  const disks = await context.disks();
  const made = madeNow(context, disks);
  const record = recordOfSending(direct, context);
  const Tags = wanted.tags.filter(({ Key = '' }) => Key.startsWith('chrootfile:'));
  const input = { VolumeId: wanted.volume, TagSpecifications: [{ ResourceType: 'snapshot' as const, Tags }] };
  const about = { ...made, frozen: { record, request: requestOf(wanted) }, continues: true } as const;
  const created = await journaledCreate(context, about, () => createSnapshot(disks, input, made, signal, progress));
  await waitForSnapshot(disks, created.made.id, signal, progress);
  return created;
}

/** Sends what is frozen, or continues to. Afterwards one note is left of what was sent. */
async function send(copy: SnapshotCopy, context: SendContext): Promise<string> {
  let isNoted = false;
  const note = (data: object) => {
    isNoted = true;
    const written = context.note({ ...data, continues: true });
    return { update: (next: object) => written.update({ ...next, continues: true }), remove: () => written.remove() };
  };
  const sent = await copySnapshot(copy, { ...context, note });
  for (const { data, handle } of context.earlier) {
    const made = data as SentNote;
    if (made.frozen !== undefined) continue;
    // EBS had given it up.
    if (made.id !== sent) await undoSent(made, context);
    if (made.id !== sent || isNoted) handle.remove();
  }
  return sent;
}

function requestOf(wanted: WantedSnapshot): string {
  return hashOf(wanted);
}

/** Deletes what {@link sendSnapshot} made. */
export async function undoSent(note: SentNote, host: Pick<DirectContext, 'ec2' | 'disks' | 'signal'>): Promise<void> {
  const { frozen } = note;
  await removeMade(note, frozen === undefined ? host : onDisks(host), { search: snapshotsMadeBy, remove: deleteSnapshot });
  if (frozen !== undefined) removeFile(frozen.record);
}
