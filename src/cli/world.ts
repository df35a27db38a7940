import type { Cloud } from '../dsl/recipe.js';
import { localRegion } from '../local/ec2.js';
import { type Ec2, openEc2 } from '../runtime/ec2/client.js';
import type { World } from '../runtime/kind.js';
import { hostShell } from '../runtime/shell.js';
import { openLocalEc2 } from './local_ec2.js';

/** What a run, or an undo, works with. The SDK is loaded when EC2 is first asked for. */
export function openWorld(cloud: Cloud, state: string, signal: AbortSignal, mountsGone = false): World {
  let ec2: Promise<Ec2> | undefined;
  return {
    shell: hostShell,
    signal,
    mountsGone,
    ec2: () => {
      const region = cloud.region ?? localRegion;
      ec2 ??= open(cloud, state, region);
      return ec2;
    },
  };
}

async function open(cloud: Cloud, state: string, region: string): Promise<Ec2> {
  if (cloud.provider !== 'local') return openEc2(cloud);
  const { requestHandler } = await openLocalEc2(state, region);
  return openEc2(cloud, { handler: requestHandler as never, region });
}
