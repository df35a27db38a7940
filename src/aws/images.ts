import type { CopyImageCommandInput, DescribeImagesCommandInput, EbsBlockDevice, Image, RegisterImageCommandInput } from '@aws-sdk/client-ec2';
import type { Ec2 } from './client.js';
import { createOnce } from './create_once.js';
import { inCall } from './errors.js';
import type { Search } from './find_created.js';
import type { MadeNote } from './journaled_create.js';
import { madeBy } from './ownership_tags.js';
import { ec2Policy } from './policy.js';
import { onceAllowed, onceKnown, type Progress, remove, waitFor } from './waiter.js';

/** Registers an image; returns its id. EC2 takes no client token here, so a lost response is searched for first. */
export function registerImage(ec2: Ec2, want: RegisterImageCommandInput, note: MadeNote, signal: AbortSignal, progress: Progress): Promise<string> {
  return createOnce(ec2, 'RegisterImage', note, signal, {
    send: async () => (await ec2.once.send(new ec2.sdk.RegisterImageCommand(want), { abortSignal: signal })).ImageId,
    search: imagesMadeBy(ec2, note),
    progress,
  });
}

/** Requests a copy of an image in this region; returns its id. @param want with a client token. */
export async function copyImage(ec2: Ec2, want: CopyImageCommandInput & { ClientToken: string }, signal: AbortSignal, progress: Progress): Promise<string> {
  try {
    const copy = () => ec2.client.send(new ec2.sdk.CopyImageCommand(want), { abortSignal: signal });
    return (await onceAllowed(signal, progress, () => onceKnown(signal, copy))).ImageId ?? '';
  } catch (error) {
    throw inCall('CopyImage', error);
  }
}

/** The search for images that a task of a run created. */
export function imagesMadeBy(ec2: Ec2, maker: { readonly run: string; readonly task: string }): Search {
  const look = async () => {
    const found = await ec2.client.send(new ec2.sdk.DescribeImagesCommand({ Owners: ['self'], Filters: madeBy(maker) }));
    return (found.Images ?? []).flatMap((image) => image.ImageId ?? []);
  };
  return { call: 'DescribeImages', thing: 'image', look };
}

/** Images that were available when described: the properties used here do not change during a run. */
const availableImages = new WeakMap<Ec2, Map<string, Image>>();

function remember(ec2: Ec2, images: readonly Image[]): void {
  const cached = availableImages.get(ec2) ?? new Map<string, Image>();
  availableImages.set(ec2, cached);
  for (const image of images) if (image.State === 'available' && image.ImageId !== undefined) cached.set(image.ImageId, image);
}

/** The image with an id, cached or described now. @throws Error when there is none. */
export async function imageOf(ec2: Ec2, id: string): Promise<Image | undefined> {
  return availableImages.get(ec2)?.get(id) ?? (await findImages(ec2, { ImageIds: [id] }))[0];
}

/** Waits until an image is available. */
export async function waitForImage(ec2: Ec2, id: string, signal: AbortSignal, limitMs: number = ec2Policy.imageMs): Promise<Image> {
  const image = (await waitFor<Image>({
    ec2,
    thing: 'image',
    what: `image ${id} to be available`,
    call: 'DescribeImages',
    look: async (abortSignal) => (await ec2.client.send(new ec2.sdk.DescribeImagesCommand({ ImageIds: [id] }), { abortSignal })).Images?.[0],
    done: (seen) => {
      if (['failed', 'error', 'invalid', 'deregistered'].includes(seen.State ?? '')) {
        throw new Error(`image ${id} is "${seen.State}": ${seen.StateReason?.Message ?? 'EC2 gives no reason'}`);
      }
      return seen.State === 'available';
    },
    limitMs,
    signal,
  })) as Image;
  remember(ec2, [image]);
  return image;
}

/** Deregisters an image; succeeds if it is gone already. @param madeAt see {@link remove}. */
export function deregisterImage(ec2: Ec2, id: string, { asked_at: madeAt }: Pick<MadeNote, 'asked_at'>, signal: AbortSignal): Promise<void> {
  return remove(ec2, 'DeregisterImage', madeAt, signal, () => ec2.client.send(new ec2.sdk.DeregisterImageCommand({ ImageId: id })));
}

/** All matching images, from all pages. */
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
  remember(ec2, images);
  return images;
}

/** Images of this account with a name. */
export function imagesNamed(ec2: Ec2, name: string): Promise<Image[]> {
  // Brackets have no meaning in filters, and a name cannot contain wildcards.
  return findImages(ec2, { Owners: ['self'], IncludeDisabled: true, Filters: [{ Name: 'name', Values: [name] }] });
}

/** The snapshots of an image's volumes. */
export function snapshotsOf(image: Image | undefined): string[] {
  return (image?.BlockDeviceMappings ?? []).flatMap((mapping) => mapping.Ebs?.SnapshotId ?? []);
}

/** The root volume of an image, as the image describes it. */
export function rootVolumeOf(image: Image | undefined): EbsBlockDevice | undefined {
  return image?.BlockDeviceMappings?.find((mapping) => mapping.DeviceName === image.RootDeviceName)?.Ebs;
}
