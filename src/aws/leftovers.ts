import type { Filter, Snapshot, Tag } from '@aws-sdk/client-ec2';
import type { Ec2 } from './client.js';
import { codeOf, inCall } from './errors.js';
import { deregisterImage, findImages } from './images.js';
import { layerOwnerTag, layerTag } from './layer_snapshots.js';
import { hostName } from './metadata.js';
import { hostTag, runTag, stateTag, taskTag } from './ownership_tags.js';
import { deleteSnapshot } from './snapshots.js';
import { deleteVolume, detachVolume } from './volumes.js';

/** A resource that a run created and that is not marked as kept. */
export interface Leftover {
  readonly type: 'image' | 'snapshot' | 'volume';
  readonly region: string;
  readonly id: string;
  readonly run: string;
  readonly task: string;
  /** The machine that created it, as in {@link hostName}. */
  readonly host: string;
  /** Creation time, as an ISO 8601 time. */
  readonly created: string;
  /** The instances that a volume is attached to, with device names. */
  readonly attachments: readonly { readonly instance: string; readonly device: string }[];
}

/**
 * Finds the resources with the tag `building`: images first, then the snapshots they use, then volumes. It does not find
 * resources without that tag, such as those of older versions.
 * @param run only resources of this run.
 * @throws Error if EC2 does not list all of them.
 */
export async function findLeftovers(ec2: Ec2, run?: string): Promise<Leftover[]> {
  const Filters = [...is(stateTag, 'building'), ...(run === undefined ? [] : is(runTag, run))];
  const of = leftoverIn(ec2);
  const images = await findImages(ec2, { Owners: ['self'], IncludeDeprecated: true, IncludeDisabled: true, Filters });
  const { client, sdk } = ec2;
  const snapshots = await ownSnapshots(ec2, Filters);
  const volumes = await allPages('DescribeVolumes', async (NextToken) => {
    const page = await client.send(new sdk.DescribeVolumesCommand({ Filters, ...(NextToken ? { NextToken } : {}) }));
    return { items: page.Volumes ?? [], next: page.NextToken };
  });
  return [
    ...images.map((image) => of('image', image.ImageId, image.CreationDate, image.Tags)),
    ...snapshots.map((snapshot) => of('snapshot', snapshot.SnapshotId, snapshot.StartTime, snapshot.Tags)),
    ...volumes.map((volume) => ({
      ...of('volume', volume.VolumeId, volume.CreateTime, volume.Tags),
      attachments: (volume.Attachments ?? []).map(({ InstanceId, Device }) => ({ instance: InstanceId ?? '', device: Device ?? '' })),
    })),
  ];
}

/**
 * Finds the complete layers of a run, or those that a state folder has on this machine: on another machine, a copy of the
 * folder may use its own.
 * @param of the id of a run, or of the owner of layers, see {@link layerOwnerTag}.
 */
export async function findLayerSnapshots(ec2: Ec2, of: { readonly run: string } | { readonly owner: string }): Promise<Leftover[]> {
  const { cloud } = ec2;
  // The embedded EC2 is in the state folder itself, which may have moved.
  const here = cloud.provider === 'local' ? [] : is(hostTag, await hostName(cloud));
  const Filters = [
    { Name: 'tag-key', Values: [layerTag] },
    ...is(stateTag, 'kept'),
    ...('run' in of ? is(runTag, of.run) : [...is(layerOwnerTag, of.owner), ...here]),
  ];
  const found = await ownSnapshots(ec2, Filters);
  return found.map(({ SnapshotId, StartTime, Tags }) => leftoverIn(ec2)('snapshot', SnapshotId, StartTime, Tags));
}

function leftoverIn({ region }: Ec2) {
  return (type: Leftover['type'], id: string | undefined, created: Date | string | undefined, tags: readonly Tag[] = []): Leftover => {
    const tag = (name: string) => tags.find(({ Key }) => Key === name)?.Value ?? '';
    const at = created === undefined ? '' : new Date(created).toISOString();
    return { type, region, id: id ?? '', run: tag(runTag), task: tag(taskTag), host: tag(hostTag), created: at, attachments: [] };
  };
}

/** A filter by the value of a tag. */
function is(tag: string, value: string): Filter[] {
  return [{ Name: `tag:${tag}`, Values: [value] }];
}

function ownSnapshots({ client, sdk }: Ec2, Filters: Filter[]): Promise<Snapshot[]> {
  return allPages('DescribeSnapshots', async (NextToken) => {
    const page = await client.send(new sdk.DescribeSnapshotsCommand({ OwnerIds: ['self'], Filters, ...(NextToken ? { NextToken } : {}) }));
    return { items: page.Snapshots ?? [], next: page.NextToken };
  });
}

/** Deregisters or deletes a leftover. A volume is first detached without force, so a volume in use stays. */
export async function removeLeftover(ec2: Ec2, { type, id, region, attachments }: Leftover, signal: AbortSignal): Promise<void> {
  // It was created long ago, so EC2 knows it everywhere.
  const longAgo = new Date(0).toISOString();
  switch (type) {
    case 'image':
      return deregisterImage(ec2, id, { asked_at: longAgo }, signal);
    case 'snapshot':
      return deleteSnapshot(ec2, id, { asked_at: longAgo }, signal);
    case 'volume':
      for (const { instance, device } of attachments) {
        await detachVolume(ec2, { volume: id, instance, device, region, asked_at: longAgo, attached_at: longAgo }, signal);
      }
      return deleteVolume(ec2, id, { asked_at: longAgo }, signal);
  }
}

/** Whether EC2 reports an instance as terminated. An unknown instance may exist elsewhere. */
export async function isTerminated(ec2: Ec2, instance: string): Promise<boolean> {
  try {
    const found = await ec2.client.send(new ec2.sdk.DescribeInstancesCommand({ InstanceIds: [instance] }));
    return (found.Reservations ?? []).some((each) => (each.Instances ?? []).some(({ State }) => State?.Name === 'terminated'));
  } catch (error) {
    if (/^InvalidInstanceID/.test(codeOf(error) ?? '')) return false;
    throw inCall('DescribeInstances', error);
  }
}

async function allPages<T>(call: string, page: (token: string | undefined) => Promise<{ items: readonly T[]; next: string | undefined }>): Promise<T[]> {
  const all: T[] = [];
  let token: string | undefined;
  do {
    try {
      const { items, next } = await page(token);
      all.push(...items);
      token = next;
    } catch (error) {
      throw inCall(call, error);
    }
  } while (token);
  return all;
}
