import type { CreateVolumeCommandInput, Volume } from '@aws-sdk/client-ec2';
import { policy } from '../policy.js';
import { codeOf, type Ec2, inCall, isNotFound } from './client.js';
import { type MadeNote, madeBy, type Search } from './tags.js';
import { onceKnown, remove, waitFor } from './wait.js';

/** Asks for a volume; gives its id at once. */
export async function createVolume(ec2: Ec2, want: CreateVolumeCommandInput, signal: AbortSignal): Promise<string> {
  try {
    const make = () => ec2.client.send(new ec2.sdk.CreateVolumeCommand(want), { abortSignal: signal });
    return (await onceKnown(signal, make)).VolumeId ?? '';
  } catch (error) {
    throw inCall('CreateVolume', error);
  }
}

export async function describeVolume(ec2: Ec2, id: string, abortSignal?: AbortSignal): Promise<Volume | undefined> {
  const found = await ec2.client.send(new ec2.sdk.DescribeVolumesCommand({ VolumeIds: [id] }), abortSignal === undefined ? {} : { abortSignal });
  return found.Volumes?.[0];
}

/** The search for volumes that a run and task made. */
export function volumesMadeBy(ec2: Ec2, maker: { readonly run: string; readonly task: string }): Search {
  const look = async () => {
    const found = await ec2.client.send(new ec2.sdk.DescribeVolumesCommand({ Filters: madeBy(maker) }));
    return (found.Volumes ?? []).flatMap((volume) => volume.VolumeId ?? []);
  };
  return { call: 'DescribeVolumes', thing: 'volume', look };
}

/** Waits until a new volume can be attached. */
export async function waitForVolume(ec2: Ec2, id: string, signal: AbortSignal): Promise<Volume> {
  const volume = await waitFor({
    ec2,
    thing: 'volume',
    what: `volume ${id} to be available`,
    call: 'DescribeVolumes',
    look: (signal) => describeVolume(ec2, id, signal),
    done: (seen) => {
      if (seen.State === 'error' || seen.State === 'deleted' || seen.State === 'deleting') throw new Error(`volume ${id} is "${seen.State}"`);
      return seen.State === 'available' || seen.State === 'in-use';
    },
    limitMs: policy.volumeReadyMs,
    signal,
  });
  return volume as Volume;
}

/** Deletes a volume; one that is gone already is as good as deleted. @param madeAt see {@link remove}. */
export function deleteVolume(ec2: Ec2, id: string, { asked_at: madeAt }: Pick<MadeNote, 'asked_at'>, signal: AbortSignal): Promise<void> {
  return remove(ec2, 'DeleteVolume', madeAt, signal, () => ec2.client.send(new ec2.sdk.DeleteVolumeCommand({ VolumeId: id })));
}

/** Where a volume was attached. */
export interface Attached {
  readonly volume: string;
  readonly instance: string;
  readonly device: string;
  readonly region: string;
  readonly asked_at: string;
}

/**
 * Attaches a volume.
 * @returns false when the device name is taken.
 */
export async function attachVolume(ec2: Ec2, want: Attached, signal: AbortSignal): Promise<boolean> {
  const asked = Date.now();
  try {
    const input = { VolumeId: want.volume, InstanceId: want.instance, Device: want.device };
    await onceKnown(signal, () => ec2.client.send(new ec2.sdk.AttachVolumeCommand(input), { abortSignal: signal }));
    return true;
  } catch (error) {
    const taken = codeOf(error) === 'InvalidParameterValue' && /already in use/.test((error as Error).message);
    // The first answer may have been lost, and the second try met what the first one did.
    if ((taken || codeOf(error) === 'VolumeInUse') && (await attachedSince(ec2, want, asked))) return true;
    if (taken) return false;
    throw inCall('AttachVolume', error);
  }
}

/** Whether a volume was attached as wanted, not long before a time; clocks may differ by a minute. */
async function attachedSince(ec2: Ec2, { volume, instance, device }: Attached, since: number): Promise<boolean> {
  const attachments = (await describeVolume(ec2, volume))?.Attachments ?? [];
  return attachments.some((a) => a.InstanceId === instance && a.Device === device && (a.AttachTime?.getTime() ?? 0) > since - 60_000);
}

/** Waits until an attachment is there. */
export async function waitForAttachment(ec2: Ec2, volume: string, signal: AbortSignal): Promise<void> {
  await waitFor({
    ec2,
    thing: 'attachment',
    what: `volume ${volume} to be attached`,
    call: 'DescribeVolumes',
    look: (signal) => describeVolume(ec2, volume, signal),
    done: (seen) => seen.Attachments?.some((attachment) => attachment.State === 'attached') ?? false,
    limitMs: policy.attachMs,
    signal,
  });
}

/**
 * Takes an attachment back and waits until it is gone. A volume that is gone, free, or attached elsewhere by
 * somebody else is left alone.
 */
export async function detachVolume(ec2: Ec2, { volume, instance, device, asked_at: asked }: Attached, signal: AbortSignal): Promise<void> {
  let seen: Volume | undefined;
  const look = async () => {
    seen = await describeVolume(ec2, volume);
  };
  await remove(ec2, 'DescribeVolumes', asked, signal, look);
  const ours = (now: Volume | undefined) => now?.Attachments?.find((attachment) => attachment.InstanceId === instance && attachment.Device === device);
  if (ours(seen) === undefined) return;
  try {
    const command = new ec2.sdk.DetachVolumeCommand({ VolumeId: volume, InstanceId: instance, Device: device });
    // It was seen a moment ago, so EC2 must come to know it.
    await onceKnown(signal, () => ec2.client.send(command));
  } catch (error) {
    if (codeOf(error) !== 'IncorrectState' && !isNotFound(error)) throw inCall('DetachVolume', error);
  }
  await waitFor({
    ec2,
    thing: 'detachment',
    what: `volume ${volume} to be detached`,
    call: 'DescribeVolumes',
    look: (signal) => describeVolume(ec2, volume, signal),
    done: (now) => {
      // "busy": the guest has it mounted still; EC2 waits for that without end.
      if (ours(now)?.State === 'busy') throw new Error(`volume ${volume} is still in use on this machine`);
      return ours(now) === undefined;
    },
    gone: true,
    limitMs: policy.attachMs,
    signal,
  });
}
