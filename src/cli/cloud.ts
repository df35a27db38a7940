import { ownRegion } from '../aws/metadata.js';
import type { Cloud } from '../dsl/recipe/types.js';
import { openHostContext } from './host_context.js';
import { servedAt } from './served_ec2.js';

/** The options of the command line that select the EC2. */
export interface CloudOptions {
  readonly cloud?: Cloud['provider'];
  readonly region?: string;
  readonly profile?: string;
  readonly endpoint?: string;
  readonly volumes?: Cloud['volumes'];
}

/** The part of the cloud that the command line sets. */
export function givenCloud({ cloud, region, profile, endpoint, volumes }: CloudOptions): Partial<Cloud> {
  const given = { provider: cloud, region, profile, endpoint, volumes };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/**
 * The cloud of a new run: the command line overrides the recipe, and the environment completes both. It is recorded
 * with the run, since the undo may run in another environment.
 * @param report receives where the volumes are, if that depends on this machine.
 */
export async function cloudOf(recipe: Cloud | undefined, options: CloudOptions, state: string, report: (text: string) => void = () => {}): Promise<Cloud> {
  const { volumes = 'attach', ...cloud }: Cloud = { ...(recipe ?? { provider: 'local' }), ...givenCloud(options) };
  if (cloud.provider === 'local') return cloud;
  const region = cloud.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  // The EC2 served from this state folder has its own key, which is used if the recipe names no profile.
  const isServed = servedAt(cloud.endpoint, state) !== undefined;
  const profile = cloud.profile ?? (isServed ? undefined : process.env['AWS_PROFILE']);
  const own = { ...cloud, ...(region === undefined ? {} : { region }), ...(profile === undefined ? {} : { profile }) };
  const isDirect = volumes === 'direct' || (volumes === 'auto' && !(await canAttach(own, state, report)));
  return isDirect ? { ...own, volumes: 'direct' } : own;
}

/** Whether this machine is an EC2 instance in the region of a cloud. */
async function canAttach(cloud: Cloud, state: string, report: (text: string) => void): Promise<boolean> {
  const { region } = await openHostContext({ cloud, state, signal: new AbortController().signal, warn: () => {} }).ec2();
  const here = await ownRegion(cloud).catch(() => undefined);
  report(
    here === region ? `volumes: attach; this machine is an EC2 instance in ${region}` : `volumes: direct; this machine is not an EC2 instance in ${region}`,
  );
  return here === region;
}
