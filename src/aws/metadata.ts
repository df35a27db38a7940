import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Cloud } from '../dsl/recipe/types.js';

/**
 * The id of the instance we run on.
 * @throws Error with what the metadata service, or the way to it, said.
 */
export function ownInstanceId(cloud: Cloud): Promise<string> {
  return ask('/latest/meta-data/instance-id', cloud);
}

/** The region this machine is in. @throws as {@link ownInstanceId} */
export async function ownRegion(cloud: Cloud): Promise<string> {
  return ask('/latest/meta-data/placement/region', cloud).catch((error: Error) => {
    throw new Error(`no region is set: use "region" in "cloud", --region or AWS_REGION; ${error.message}`, { cause: error });
  });
}

/** What this machine is called in tags: its instance id; where it is no instance of EC2, a hash of its machine id. */
export async function hostName(cloud: Cloud): Promise<string> {
  return cloud.provider === 'local' ? machineHash() : ownInstanceId(cloud).catch(machineHash);
}

/** Not the machine id itself, which is confidential. Source: machine-id(5). */
function machineHash(): string {
  const file = '/etc/machine-id';
  const id = (existsSync(file) ? readFileSync(file, 'utf8').trim() : '') || hostname();
  return `host-${createHash('sha256').update(`chrootfile ${id}`).digest('hex').slice(0, 17)}`;
}

/** What it said: a machine stays what it is. */
const known = new Map<string, Promise<string>>();

function ask(path: string, cloud: Cloud): Promise<string> {
  const key = `${process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT']} ${path}`;
  const asked = known.get(key) ?? askAnew(path, cloud);
  known.set(key, asked);
  asked.catch(() => known.delete(key));
  return asked;
}

/** Source: EC2 User Guide, "Use the Instance Metadata Service"; its version 2 is asked first. */
async function askAnew(path: string, { profile }: Cloud): Promise<string> {
  const { MetadataService } = await import('./sdk_metadata.js');
  const service = new MetadataService({ httpOptions: { timeout: 2_000 }, retries: 1, ...(profile === undefined ? {} : { profile }) });
  try {
    return (await service.request(path, {})).trim();
  } catch (error) {
    const hints = 'this machine is not on EC2, the service is disabled, or its hop limit is 1 and this is a container';
    throw new Error(`the instance metadata service does not answer (${(error as Error).message}); this machine is ${hints}`, { cause: error });
  }
}
