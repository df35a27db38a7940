import type { Cloud } from '../../dsl/recipe.js';

/** What the metadata service says of the instance we run on. Source: EC2 User Guide, "Instance identity documents". */
export interface Identity {
  readonly instanceId: string;
  readonly region: string;
}

/** What it said, by the service that was asked: a machine stays what it is. */
const known = new Map<string, Promise<Identity>>();

/**
 * The instance we run on.
 * @throws Error with what the metadata service, or the way to it, said.
 */
export function ownIdentity(cloud: Cloud): Promise<Identity> {
  const service = process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? '';
  const asked = known.get(service) ?? ask(cloud);
  known.set(service, asked);
  asked.catch(() => known.delete(service));
  return asked;
}

/** The region this machine is in. @throws as {@link ownIdentity} */
export async function ownRegion(cloud: Cloud): Promise<string> {
  try {
    return (await ownIdentity(cloud)).region;
  } catch (error) {
    throw new Error(`no region is known: say it in "cloud", by --region or AWS_REGION; ${(error as Error).message}`, { cause: error });
  }
}

/** Source: EC2 User Guide, "Use the Instance Metadata Service"; its version 2 is asked first. */
async function ask({ profile }: Cloud): Promise<Identity> {
  const { MetadataService } = await import('./sdk_metadata.js');
  const service = new MetadataService({ httpOptions: { timeout: 2_000 }, retries: 1, ...(profile === undefined ? {} : { profile }) });
  try {
    return JSON.parse(await service.request('/latest/dynamic/instance-identity/document', {}));
  } catch (error) {
    const hints = 'not on EC2, or the service is switched off, or in a container with a hop limit of 1';
    throw new Error(`the instance metadata service does not answer (${(error as Error).message}); this machine is ${hints}`, { cause: error });
  }
}
