import type { CreateSnapshotCommandInput, DescribeImagesCommandInput, Image, RegisterImageCommandInput, Snapshot } from '@aws-sdk/client-ec2';
import { policy } from '../policy.js';
import { type Ec2, inCall, isLost, isNotFound } from './client.js';
import { idsOf, type MadeNote, madeBy } from './tags.js';
import { waitFor } from './wait.js';

/** Asks for a snapshot; gives its id. EC2 takes no token here: a lost answer is looked for before it is sent again. */
export function createSnapshot(ec2: Ec2, want: CreateSnapshotCommandInput, note: MadeNote, signal: AbortSignal): Promise<string> {
  return sendOnce(ec2, 'CreateSnapshot', note, signal, {
    send: async () => (await ec2.once.send(new ec2.sdk.CreateSnapshotCommand(want), { abortSignal: signal })).SnapshotId,
    look: () => snapshotsMadeBy(ec2, note),
  });
}

/** Registers an image; gives its id. See {@link createSnapshot} for lost answers. */
export function registerImage(ec2: Ec2, want: RegisterImageCommandInput, note: MadeNote, signal: AbortSignal): Promise<string> {
  return sendOnce(ec2, 'RegisterImage', note, signal, {
    send: async () => (await ec2.once.send(new ec2.sdk.RegisterImageCommand(want), { abortSignal: signal })).ImageId,
    look: () => imagesMadeBy(ec2, note),
  });
}

interface Sending {
  readonly send: () => Promise<string | undefined>;
  readonly look: () => Promise<readonly string[]>;
}

async function sendOnce(ec2: Ec2, call: string, note: MadeNote, signal: AbortSignal, { send, look }: Sending): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await send()) ?? '';
    } catch (error) {
      if (signal.aborted || !isLost(error) || attempt === 3) throw inCall(call, error);
      const [found] = await idsOf({ ...note, asked_at: new Date().toISOString() }, { consistent: ec2.consistent, call, signal, look });
      if (found !== undefined) return found;
    }
  }
}

export async function snapshotsMadeBy(ec2: Ec2, maker: { readonly run: string; readonly task: string }): Promise<string[]> {
  const found = await ec2.client.send(new ec2.sdk.DescribeSnapshotsCommand({ OwnerIds: ['self'], Filters: madeBy(maker) }));
  return (found.Snapshots ?? []).flatMap((snapshot) => snapshot.SnapshotId ?? []);
}

export async function imagesMadeBy(ec2: Ec2, maker: { readonly run: string; readonly task: string }): Promise<string[]> {
  const found = await ec2.client.send(new ec2.sdk.DescribeImagesCommand({ Owners: ['self'], Filters: madeBy(maker) }));
  return (found.Images ?? []).flatMap((image) => image.ImageId ?? []);
}

/** Waits until a snapshot is complete. `progress` is told EC2's own percentage. */
export async function waitForSnapshot(ec2: Ec2, id: string, signal: AbortSignal, progress: (text: string) => void): Promise<void> {
  await waitFor<Snapshot>({
    what: `snapshot ${id} to be complete`,
    call: 'DescribeSnapshots',
    look: async () => (await ec2.client.send(new ec2.sdk.DescribeSnapshotsCommand({ SnapshotIds: [id] }))).Snapshots?.[0],
    done: (seen) => {
      if (seen.State === 'error') throw new Error(`snapshot ${id} failed: ${seen.StateMessage ?? 'EC2 gives no reason'}`);
      return seen.State === 'completed';
    },
    limitMs: policy.snapshotMs,
    signal,
    progress: (seen) => progress(`snapshot ${seen.Progress || '0%'}`),
  });
}

/** Waits until an image can be used. */
export async function waitForImage(ec2: Ec2, id: string, signal: AbortSignal): Promise<void> {
  await waitFor<Image>({
    what: `image ${id} to be available`,
    call: 'DescribeImages',
    look: async () => (await ec2.client.send(new ec2.sdk.DescribeImagesCommand({ ImageIds: [id] }))).Images?.[0],
    done: (seen) => {
      if (['failed', 'error', 'invalid', 'deregistered'].includes(seen.State ?? '')) {
        throw new Error(`image ${id} is "${seen.State}": ${seen.StateReason?.Message ?? 'EC2 gives no reason'}`);
      }
      return seen.State === 'available';
    },
    limitMs: policy.imageMs,
    signal,
  });
}

/** Deletes a snapshot; one that is gone already is as good as deleted. */
export async function deleteSnapshot(ec2: Ec2, id: string): Promise<void> {
  try {
    await ec2.client.send(new ec2.sdk.DeleteSnapshotCommand({ SnapshotId: id }));
  } catch (error) {
    if (!isNotFound(error)) throw inCall('DeleteSnapshot', error);
  }
}

/** Deregisters an image; one that is gone already is as good as deregistered. */
export async function deregisterImage(ec2: Ec2, id: string): Promise<void> {
  try {
    await ec2.client.send(new ec2.sdk.DeregisterImageCommand({ ImageId: id }));
  } catch (error) {
    if (!isNotFound(error)) throw inCall('DeregisterImage', error);
  }
}

/** All images that fit, every page of them. */
export async function findImages(ec2: Ec2, want: DescribeImagesCommandInput): Promise<Image[]> {
  const images: Image[] = [];
  let token: string | undefined;
  do {
    try {
      const found = await ec2.client.send(new ec2.sdk.DescribeImagesCommand({ ...want, ...(token ? { NextToken: token } : {}) }));
      images.push(...(found.Images ?? []));
      token = found.NextToken;
    } catch (error) {
      throw inCall('DescribeImages', error);
    }
  } while (token);
  return images;
}
