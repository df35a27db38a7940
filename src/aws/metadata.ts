import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { hasLocalDisks } from '../dsl/recipe/cloud.js';
import type { Cloud } from '../dsl/recipe/types.js';

/**
 * The id of the instance that this program runs on.
 * @throws Error with the reason why the metadata service gave no answer.
 */
export function ownInstanceId(cloud: Cloud): Promise<string> {
  return ask('/latest/meta-data/instance-id', cloud);
}

/** The region of this machine. @throws as {@link ownInstanceId} */
export async function ownRegion(cloud: Cloud): Promise<string> {
  return ask('/latest/meta-data/placement/region', cloud).catch((error: Error) => {
    throw new Error(`${noRegion}; ${error.message}`, { cause: error });
  });
}

export const noRegion = 'no region is set: use "region" in "cloud", --region or AWS_REGION';

/** The name of this machine in tags: its instance id, or outside EC2 and with direct volumes a hash of its machine id. */
export async function hostName(cloud: Cloud): Promise<string> {
  return hasLocalDisks(cloud) ? machineHash() : ownInstanceId(cloud).catch(machineHash);
}

/** A hash, because the machine id is confidential. Source: machine-id(5). */
function machineHash(): string {
  const file = '/etc/machine-id';
  const id = (existsSync(file) ? readFileSync(file, 'utf8').trim() : '') || hostname();
  return `host-${createHash('sha256').update(`chrootfile ${id}`).digest('hex').slice(0, 17)}`;
}

/** Cached answers: the facts of a machine do not change. */
const cached = new Map<string, Promise<string>>();

function ask(path: string, cloud: Cloud): Promise<string> {
  const key = `${process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT']} ${path}`;
  const answer = cached.get(key) ?? request(path, cloud);
  cached.set(key, answer);
  answer.catch(() => cached.delete(key));
  return answer;
}

/** Sends a request to the metadata service, first with version 2. Source: EC2 User Guide, "Use the Instance Metadata Service". */
async function request(path: string, { profile }: Cloud): Promise<string> {
  const { MetadataService } = await import('./sdk_metadata.js');
  const service = new MetadataService({ httpOptions: { timeout: 2_000 }, retries: 1, ...(profile === undefined ? {} : { profile }) });
  try {
    return (await service.request(path, {})).trim();
  } catch (error) {
    const hints = 'this machine is not on EC2, the service is disabled, or its hop limit is 1 and this is a container';
    throw new Error(`the instance metadata service does not answer (${(error as Error).message}): ${hints}`, { cause: error });
  }
}
