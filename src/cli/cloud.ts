import type { Cloud } from '../dsl/recipe/types.js';
import { servedAt } from './served_ec2.js';

/** The options of the command line that say which EC2 is meant. */
export interface CloudOptions {
  readonly cloud?: Cloud['provider'];
  readonly region?: string;
  readonly profile?: string;
  readonly endpoint?: string;
}

/** What the command line says of the cloud. */
export function givenCloud({ cloud, region, profile, endpoint }: CloudOptions): Partial<Cloud> {
  const given = { provider: cloud, region, profile, endpoint };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/**
 * The cloud of a new run: of the recipe, of the command line, which goes before, and of the environment. That is
 * written down with the run, since its undo may run in another environment.
 */
export function cloudOf(recipe: Cloud | undefined, options: CloudOptions, state: string): Cloud {
  const cloud: Cloud = { ...(recipe ?? { provider: 'local' }), ...givenCloud(options) };
  if (cloud.provider === 'local') return cloud;
  const region = cloud.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  // An EC2 that is served from here has a key of its own, as long as the recipe names no profile.
  const isServed = servedAt(cloud.endpoint, state) !== undefined;
  const profile = cloud.profile ?? (isServed ? undefined : process.env['AWS_PROFILE']);
  return { ...cloud, ...(region === undefined ? {} : { region }), ...(profile === undefined ? {} : { profile }) };
}
