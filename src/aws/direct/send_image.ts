import type { Image } from '@aws-sdk/client-ec2';
import { removeFile } from '../../linux/atomic_write.js';
import type { Ec2 } from '../client.js';
import { inCall } from '../errors.js';
import { removeMade } from '../find_created.js';
import { deregisterImage, imagesMadeBy, registerImage, waitForImage } from '../images.js';
import { journaledCreate, type MadeNote, madeNow, type NoteWriter } from '../journaled_create.js';
import { tagsOf } from '../ownership_tags.js';
import { registrationOf, uefiDataOf } from '../registration.js';
import { deleteSnapshot, snapshotsMadeBy } from '../snapshots.js';
import { copySnapshot, type SnapshotCopy } from './copy_snapshot.js';
import { encryptsByDefault, isRelated } from './direct_volume.js';
import { copyTag, nameOf } from './local_copy.js';
import { ownSnapshot, snapshotsTagged } from './readable.js';
import { type DirectContext, recordOfSending } from './store.js';

/** The tag of a snapshot of the embedded EC2 that was sent elsewhere: the region and id it has there. */
const sentTag = 'chrootfile:sent-as';

/** The note of a snapshot or of the image in EC2. */
export interface SentImageNote extends MadeNote {
  readonly type: 'snapshot' | 'image';
}

/** An image of the embedded EC2 to send. */
export interface ImageToSend {
  readonly image: Image;
  /** The embedded EC2, in the region of the image. */
  readonly from: Ec2;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Sends the snapshots of an image to EC2, then registers it there; returns the new image. */
export async function sendImage({ image, from, name, tags }: ImageToSend, context: DirectContext & NoteWriter): Promise<Image> {
  const { run, task, signal, progress } = context;
  const ec2 = await context.ec2();
  const registration = registrationOf(image, await uefiDataOf(from, image));
  for (const { DeviceName: device = '', Ebs: ebs } of registration.BlockDeviceMappings ?? []) {
    if (ebs?.SnapshotId === undefined) continue;
    const maker = { run, task: `${task} of ${device}` };
    const copy = { from, snapshot: ebs.SnapshotId, to: ec2, description: `chrootfile: ${name}, ${device}`, tags: await tagsOf(ec2, maker, name, tags) };
    ebs.SnapshotId = await send(copy, { ...context, task: maker.task });
  }
  const made: SentImageNote = { ...madeNow(context, ec2), type: 'image' };
  const TagSpecifications = [{ ResourceType: 'image' as const, Tags: await tagsOf(ec2, context, name, tags) }];
  const want = { ...registration, Name: name, TagSpecifications };
  const { made: known } = await journaledCreate(context, made, () => registerImage(ec2, want, made, signal, progress));
  return waitForImage(ec2, known.id, signal);
}

/** Sends a snapshot, if possible only the difference to one that EC2 has already. */
async function send(copy: Omit<SnapshotCopy, 'record' | 'base'>, context: DirectContext & NoteWriter): Promise<string> {
  const { from, to, snapshot } = copy;
  const record = recordOfSending(context.direct, context);
  const note = (data: object) => {
    const written = context.note({ ...data, type: 'snapshot' });
    return { ...written, update: (next: object) => written.update({ ...next, type: 'snapshot' }), remove: () => written.remove() };
  };
  const id = await copySnapshot({ ...copy, base: await sharedBase(snapshot, from, to), record }, { ...context, note });
  removeFile(record);
  await tagAsSent(from, snapshot, nameOf(to, id));
  return id;
}

/** The newest snapshot that both sides have, which this one descends from. */
async function sharedBase(snapshot: string, from: Ec2, to: Ec2): Promise<SnapshotCopy['base']> {
  const known = [copyTag, sentTag].map((tag) => snapshotsTagged(from, tag, nameOf(to, '*')));
  const newest = (await Promise.all(known)).flat().sort((a, b) => Number(b.StartTime) - Number(a.StartTime));
  for (const { SnapshotId: own = '', State, Tags = [] } of newest) {
    if (State !== 'completed' || !(await isRelated(from, own, snapshot))) continue;
    for (const { Value: name = '' } of Tags.filter(({ Key }) => Key === copyTag || Key === sentTag)) {
      const [region, id = ''] = name.split('/');
      const there = region === to.region ? await ownSnapshot(to, id) : undefined;
      if (there?.State === 'completed' && (there.Encrypted || !(await encryptsByDefault(to)))) return { from: own, to: id };
    }
  }
  return undefined;
}

/** So that images which descend from it are sent as a difference. */
async function tagAsSent({ client, sdk }: Ec2, snapshot: string, name: string): Promise<void> {
  try {
    await client.send(new sdk.CreateTagsCommand({ Resources: [snapshot], Tags: [{ Key: sentTag, Value: name }] }));
  } catch (error) {
    throw inCall('CreateTags', error);
  }
}

/** Deletes what {@link sendImage} made. */
export function undoSentImage(note: SentImageNote, host: Pick<DirectContext, 'ec2' | 'signal' | 'disks'>): Promise<void> {
  const how = note.type === 'image' ? { search: imagesMadeBy, remove: deregisterImage } : { search: snapshotsMadeBy, remove: deleteSnapshot };
  return removeMade(note, host, how);
}
