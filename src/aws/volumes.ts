import type { CreateVolumeCommandInput, Volume, VolumeAttachment } from '@aws-sdk/client-ec2';
import type { Ec2 } from './client.js';
import { changedNothing, codeOf, inCall } from './errors.js';
import type { Search } from './find_created.js';
import type { MadeNote } from './journaled_create.js';
import { madeBy } from './ownership_tags.js';
import { ec2Policy } from './policy.js';
import { onceKnown, remove, waitFor } from './waiter.js';

/** Requests a volume; returns it in its first state. */
export async function createVolume(ec2: Ec2, want: CreateVolumeCommandInput, signal: AbortSignal): Promise<Volume> {
  try {
    const make = () => ec2.client.send(new ec2.sdk.CreateVolumeCommand(want), { abortSignal: signal });
    return await onceKnown(signal, make);
  } catch (error) {
    throw inCall('CreateVolume', error);
  }
}

export async function describeVolume(ec2: Ec2, id: string, abortSignal?: AbortSignal): Promise<Volume | undefined> {
  const found = await ec2.client.send(new ec2.sdk.DescribeVolumesCommand({ VolumeIds: [id] }), abortSignal === undefined ? {} : { abortSignal });
  return found.Volumes?.[0];
}

/** The search for volumes that a task of a run created. */
export function volumesMadeBy(ec2: Ec2, maker: { readonly run: string; readonly task: string }): Search {
  const look = async () => {
    const found = await ec2.client.send(new ec2.sdk.DescribeVolumesCommand({ Filters: madeBy(maker) }));
    return (found.Volumes ?? []).flatMap((volume) => volume.VolumeId ?? []);
  };
  return { call: 'DescribeVolumes', thing: 'volume', look };
}

/** Waits until a new volume can be attached. @param made the volume in its first state. */
export async function waitForVolume(ec2: Ec2, made: Volume, signal: AbortSignal): Promise<Volume> {
  const id = made.VolumeId ?? '';
  const volume = await waitFor({
    ec2,
    thing: 'volume',
    what: `volume ${id} to be available`,
    call: 'DescribeVolumes',
    look: (signal) => describeVolume(ec2, id, signal),
    answered: made,
    done: (seen) => {
      if (seen.State === 'error' || seen.State === 'deleted' || seen.State === 'deleting') throw new Error(`volume ${id} is "${seen.State}"`);
      return seen.State === 'available' || seen.State === 'in-use';
    },
    limitMs: ec2Policy.volumeReadyMs,
    signal,
  });
  return volume as Volume;
}

/** Deletes a volume; succeeds if it is already gone. @param madeAt see {@link remove}. */
export function deleteVolume(ec2: Ec2, id: string, { asked_at: madeAt }: Pick<MadeNote, 'asked_at'>, signal: AbortSignal): Promise<void> {
  return remove(ec2, 'DeleteVolume', madeAt, signal, () => ec2.client.send(new ec2.sdk.DeleteVolumeCommand({ VolumeId: id })));
}

/** How a volume was attached. */
export interface Attached {
  readonly volume: string;
  readonly instance: string;
  readonly device: string;
  readonly region: string;
  readonly asked_at: string;
  /** The time of attachment from EC2's answer. Without it, it is unknown whether the call had an effect, and whose attachment is found. */
  readonly attached_at?: string;
}

/**
 * Attaches a volume; returns the attachment in its first state.
 * @returns undefined when the device name is taken.
 */
export async function attachVolume(ec2: Ec2, want: Attached, signal: AbortSignal): Promise<VolumeAttachment | undefined> {
  try {
    const input = { VolumeId: want.volume, InstanceId: want.instance, Device: want.device };
    return await onceKnown(signal, () => ec2.client.send(new ec2.sdk.AttachVolumeCommand(input), { abortSignal: signal }));
  } catch (error) {
    const taken = codeOf(error) === 'InvalidParameterValue' && /already in use/.test((error as Error).message);
    const failure = inCall('AttachVolume', error);
    // If the first answer was lost, the second attempt may have found the attachment of the first. Otherwise the volume
    // or name is used by somebody else.
    const perhapsOurs = (taken || codeOf(error) === 'VolumeInUse') && !changedNothing(failure);
    const before = perhapsOurs ? await attachedAsAsked(ec2, want) : undefined;
    if (before !== undefined || taken) return before;
    throw failure;
  }
}

/** The requested attachment, if it was made after the request. An older one is somebody else's. */
async function attachedAsAsked(ec2: Ec2, want: Attached): Promise<VolumeAttachment | undefined> {
  const found = attachmentOf(await describeVolume(ec2, want.volume), want);
  return (found?.AttachTime?.getTime() ?? 0) > Date.parse(want.asked_at) - ec2Policy.clockSkewMs ? found : undefined;
}

function attachmentOf(volume: Volume | undefined, { instance, device }: Attached): VolumeAttachment | undefined {
  return volume?.Attachments?.find((attachment) => attachment.InstanceId === instance && attachment.Device === device);
}

/** Waits until a volume is attached. @param answered the attachment in its first state. */
export async function waitForAttachment(ec2: Ec2, want: Attached, answered: VolumeAttachment, signal: AbortSignal): Promise<void> {
  await waitFor({
    ec2,
    thing: 'attachment',
    what: `the attachment of volume ${want.volume} as ${want.device}`,
    call: 'DescribeVolumes',
    look: async (signal) => attachmentOf(await describeVolume(ec2, want.volume, signal), want),
    answered,
    done: (seen) => seen.State === 'attached',
    limitMs: ec2Policy.attachMs,
    signal,
  });
}

/** Detaches a volume and waits until it is detached. Does nothing when the volume is gone, not attached, or attached elsewhere by somebody else. */
export async function detachVolume(ec2: Ec2, want: Attached, signal: AbortSignal): Promise<void> {
  const { volume, instance, device, asked_at: asked } = want;
  let answered: VolumeAttachment | undefined;
  if (want.attached_at === undefined) {
    await remove(ec2, 'DescribeVolumes', asked, signal, async () => {
      answered = await attachedAsAsked(ec2, want);
    });
    if (answered === undefined) return;
  }
  await remove(ec2, 'DetachVolume', asked, signal, async () => {
    try {
      answered = await ec2.client.send(new ec2.sdk.DetachVolumeCommand({ VolumeId: volume, InstanceId: instance, Device: device }));
    } catch (error) {
      // The volume is detached, or being detached.
      if (codeOf(error) !== 'IncorrectState') throw error;
    }
  });
  await waitFor({
    ec2,
    thing: 'detachment',
    what: `volume ${volume} to be detached`,
    call: 'DescribeVolumes',
    look: async (signal) => attachmentOf(await describeVolume(ec2, volume, signal), want),
    answered,
    done: ({ State: state }) => {
      // "busy": the volume is still mounted on the instance. EC2 waits for that without a limit.
      if (state === 'busy') throw new Error(`volume ${volume} is still in use on this machine`);
      return state === 'detached';
    },
    gone: true,
    limitMs: ec2Policy.attachMs,
    signal,
  });
}
