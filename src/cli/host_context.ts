import { type Ec2, openEc2 } from '../aws/client.js';
import type { Cloud } from '../dsl/recipe/types.js';
import { hostShell } from '../linux/command.js';
import { localRegion } from '../local/request_identity.js';
import type { HostContext } from '../runtime/engine/kind.js';
import { makeRoom, openLocalEc2 } from './embedded_ec2.js';
import { servedAt } from './served_ec2.js';

/** What a run or an undo works with, and the EC2 that it opened. The SDK is loaded when EC2 is first asked for. */
export interface OpenedHostContext extends HostContext {
  /** Undefined if EC2 was never called or could not be opened. */
  readonly opened: () => Ec2 | undefined;
}

export interface HostContextOptions {
  readonly cloud: Cloud;
  readonly state: string;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

export function openHostContext({ cloud, state, signal, warn }: HostContextOptions): OpenedHostContext {
  let opening: Promise<Ec2> | undefined;
  let opened: Ec2 | undefined;
  const ec2 = async () => {
    opening ??= open(cloud, state, warn);
    try {
      opened = await opening;
      return opened;
    } catch (error) {
      // The next task or the undo may succeed.
      opening = undefined;
      throw error;
    }
  };
  return {
    shell: hostShell,
    signal,
    mountsGone: false,
    diskGoes: false,
    isRelease: false,
    makeRoom: () => makeRoom(state),
    warn,
    ec2: async (region) => (await ec2()).in(region),
    opened: () => opened,
  };
}

async function open(cloud: Cloud, state: string, warn: (message: string) => void): Promise<Ec2> {
  if (cloud.provider !== 'local') return openEc2(cloud, undefined, () => servedAt(cloud.endpoint, state));
  const region = cloud.region ?? localRegion;
  const { requestHandler, injection } = await openLocalEc2(state, region, { warn });
  return openEc2(cloud, { handler: requestHandler as never, region, consistent: injection.consistent, isInstant: injection.isInstant });
}
