import type { Cloud } from '../dsl/recipe/types.js';
import { servedAt } from './served_ec2.js';

/** The options of the command line that select the EC2. */
export interface CloudOptions {
  readonly cloud?: Cloud['provider'];
  readonly region?: string;
  readonly profile?: string;
  readonly endpoint?: string;
}

/** The part of the cloud that the command line sets. */
export function givenCloud({ cloud, region, profile, endpoint }: CloudOptions): Partial<Cloud> {
  const given = { provider: cloud, region, profile, endpoint };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/**
 * The cloud of a new run: the command line overrides the recipe, and the environment completes both. It is recorded
 * with the run, since the undo may run in another environment.
 */
export function cloudOf(recipe: Cloud | undefined, options: CloudOptions, state: string): Cloud {
  const cloud: Cloud = { ...(recipe ?? { provider: 'local' }), ...givenCloud(options) };
  if (cloud.provider === 'local') return cloud;
  const region = cloud.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  // The EC2 served from this state folder has its own key, which is used if the recipe names no profile.
  const isServed = servedAt(cloud.endpoint, state) !== undefined;
  const profile = cloud.profile ?? (isServed ? undefined : process.env['AWS_PROFILE']);
  return { ...cloud, ...(region === undefined ? {} : { region }), ...(profile === undefined ? {} : { profile }) };
}
