import type { Cloud } from '../dsl/recipe.js';
import { localRegion } from '../local/caller.js';
import { type Ec2, openEc2 } from '../runtime/ec2/client.js';
import type { World } from '../runtime/kind.js';
import { hostShell } from '../runtime/shell.js';
import { openLocalEc2 } from './local_ec2.js';

/** What a run, or an undo, works with, and what EC2 it opened. The SDK is loaded when EC2 is first asked for. */
export interface OpenedWorld extends World {
  /** Undefined where nothing was asked of EC2. */
  readonly opened: () => Promise<Ec2> | undefined;
}

export function openWorld(cloud: Cloud, state: string, signal: AbortSignal, mountsGone = false): OpenedWorld {
  let ec2: Promise<Ec2> | undefined;
  return {
    shell: hostShell,
    signal,
    mountsGone,
    ec2: async (region) => {
      ec2 ??= open(cloud, state);
      return (await ec2).in(region);
    },
    opened: () => ec2,
  };
}

async function open(cloud: Cloud, state: string): Promise<Ec2> {
  if (cloud.provider !== 'local') return openEc2(cloud);
  const region = cloud.region ?? localRegion;
  const { requestHandler, behaviour } = await openLocalEc2(state, region);
  return openEc2(cloud, { handler: requestHandler as never, region, consistent: behaviour.consistent });
}
