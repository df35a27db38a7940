import { join } from 'node:path';
import { type Ec2, openEc2 } from '../aws/client.js';
import type { DirectStore } from '../aws/direct/store.js';
import type { Cloud } from '../dsl/recipe/types.js';
import { hostShell } from '../linux/command.js';
import { localRegion } from '../local/request_identity.js';
import type { HostContext } from '../runtime/engine/kind.js';
import { localEc2, makeRoom, openLocalEc2 } from './embedded_ec2.js';
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
  let opened: Ec2 | undefined;
  const own = openedOnce(async () => {
    opened = cloud.provider === 'local' ? await openEmbedded(cloud, state, warn) : await openEc2(cloud, undefined, () => servedAt(cloud.endpoint, state));
    return opened;
  });
  const embedded = openedOnce(() => openEmbedded({ provider: 'local' }, state, warn));
  const ec2 = async (region?: string) => (await own()).in(region);
  return {
    shell: hostShell,
    signal,
    mountsGone: false,
    diskGoes: false,
    isRelease: false,
    makeRoom: () => makeRoom(state),
    warn,
    ec2,
    direct: cloud.volumes === 'direct' ? directStore(state) : undefined,
    disks: cloud.volumes === 'direct' ? async (region) => (await embedded()).in(region ?? (await own()).region) : ec2,
    opened: () => opened,
  };
}

/** Where a state folder keeps what direct volumes need. */
export function directStore(state: string): DirectStore {
  const diskOf = (region: string, id: string) => localEc2(state, region).store.diskOf(id);
  return { records: join(state, 'direct'), locks: join(state, 'locks'), diskOf };
}

/** Opens something at the first call. After a failure, the next call tries again: the next task or the undo may succeed. */
function openedOnce<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | undefined;
  return () => {
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
}

async function openEmbedded(cloud: Cloud, state: string, warn: (message: string) => void): Promise<Ec2> {
  const region = cloud.region ?? localRegion;
  const { requestHandler, injection } = await openLocalEc2(state, region, { warn });
  return openEc2(cloud, { handler: requestHandler as never, region, consistent: injection.consistent, isInstant: injection.isInstant });
}
