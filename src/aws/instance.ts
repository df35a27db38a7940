import type { Instance } from '@aws-sdk/client-ec2';
import type { Ec2 } from './client.js';
import { inCall, isNotFound, isRefusal } from './errors.js';
import { ownInstanceId, ownRegion } from './metadata.js';

/** This machine, as EC2 describes it. */
export interface Host {
  readonly instance_id: string;
  readonly zone: string;
  readonly region: string;
  readonly account_id: string;
  readonly architecture: string;
}

/** This machine by EC2 client: its description does not change. */
const hosts = new WeakMap<Ec2, Promise<Host>>();

/**
 * The instance that this program runs on.
 * @param id its id, if known; otherwise the metadata service provides it, or (embedded EC2) there is only one instance.
 */
export function findHost(ec2: Ec2, id?: string): Promise<Host> {
  if (id !== undefined) return describeHost(ec2, id);
  const found = hosts.get(ec2) ?? describeHost(ec2);
  hosts.set(ec2, found);
  found.catch(() => hosts.delete(ec2));
  return found;
}

async function describeHost(ec2: Ec2, id?: string): Promise<Host> {
  const wanted = id ?? (ec2.cloud.provider === 'local' ? undefined : await ownInstanceId(ec2.cloud));
  let found: { instance: Instance; owner: string | undefined } | undefined;
  try {
    const { Reservations: reservations } = await ec2.client.send(new ec2.sdk.DescribeInstancesCommand(wanted === undefined ? {} : { InstanceIds: [wanted] }));
    const reservation = reservations?.[0];
    const instance = reservation?.Instances?.[0];
    if (instance !== undefined) found = { instance, owner: reservation?.OwnerId };
  } catch (error) {
    // The call may also be denied for the whole region.
    if (id === undefined && (isNotFound(error) || isRefusal(error))) await mustBeIn(ec2);
    throw inCall('DescribeInstances', error);
  }
  if (found === undefined) throw new Error(`instance ${wanted ?? ''} does not exist`);
  const zone = found.instance.Placement?.AvailabilityZone ?? '';
  return {
    instance_id: found.instance.InstanceId ?? '',
    zone,
    region: ec2.region,
    account_id: found.owner ?? '',
    architecture: found.instance.Architecture ?? 'x86_64',
  };
}

/** The names of EC2's devices that are taken on an instance, e.g. `/dev/sdf`. */
export async function devicesTaken(ec2: Ec2, instance: string): Promise<string[]> {
  const { Reservations: reservations } = await ec2.client.send(new ec2.sdk.DescribeInstancesCommand({ InstanceIds: [instance] }));
  return (reservations?.[0]?.Instances?.[0]?.BlockDeviceMappings ?? []).flatMap((mapping) => mapping.DeviceName ?? []);
}

/** @throws Error if this machine is known to be in another region than that of the recipe. */
async function mustBeIn({ cloud, region }: Ec2): Promise<void> {
  const here = cloud.provider === 'local' ? region : await ownRegion(cloud).catch(() => region);
  if (here !== region) throw new Error(`this machine is in ${here}, but the region of the recipe is ${region}: volumes cannot be attached across regions`);
}
