import type { EC2Client, EC2ClientConfig } from '@aws-sdk/client-ec2';
import type { Cloud } from '../dsl/recipe/types.js';
import { ApiMetrics } from './api_metrics.js';
import { credentialsOf, nowhere, type RequestHandler, type ServedKeys } from './credentials.js';
import { type Ebs, openEbs } from './direct/ebs.js';
import { noRegion, ownRegion } from './metadata.js';
import { prepare } from './middleware.js';

/** A client of EC2 in one region. */
export interface Ec2 {
  readonly sdk: typeof import('./sdk.js');
  readonly cloud: Cloud;
  readonly region: string;
  /** Retries; for calls that may be sent twice. */
  readonly client: EC2Client;
  /** Sends once; for calls that create something and take no client token. */
  readonly once: EC2Client;
  /** Whether describe calls show a new resource immediately, which EC2 does not. */
  readonly consistent: boolean;
  /** Whether it is an embedded EC2 without added delays: what it takes is the work itself. */
  readonly isInstant: boolean;
  readonly metrics: ApiMetrics;
  /** EBS direct in the same region, opened at the first call. */
  ebs(): Promise<Ebs>;
  /** The same account in another region; this client for its own region or undefined. */
  in(region: string | undefined): Ec2;
}

/** Opens a client of EC2 in a region; a signal can abort its work. */
export interface Ec2Opener {
  readonly signal: AbortSignal;
  /** The recipe's EC2 client, opened at the first call; optionally in another region. */
  readonly ec2: (region?: string) => Promise<Ec2>;
  /** The EC2 that has the volumes: the recipe's, or with direct volumes the embedded one, under the same region. */
  readonly disks: (region?: string) => Promise<Ec2>;
}

/** The same, for work on volumes, their attachments and their layers. */
export function onDisks<T extends Ec2Opener>(opener: T): T {
  return { ...opener, ec2: opener.disks };
}

/** The embedded EC2: its handler, and its default region. */
export interface LocalHandler {
  readonly handler: RequestHandler;
  readonly region: string;
  readonly consistent: boolean;
  readonly isInstant?: boolean;
}

/**
 * Opens the EC2 of a recipe's cloud.
 * @param served looks up the keys of the served EC2 at the cloud's endpoint, if they are known.
 * @throws Error when no region is set or found.
 */
export async function openEc2(cloud: Cloud, local?: LocalHandler, served: () => ServedKeys | undefined = () => undefined): Promise<Ec2> {
  const sdk = await import('./sdk.js');
  useServedMetadata(cloud.endpoint, served()?.metadata);
  const metrics = new ApiMetrics();
  const credentials = credentialsOf(cloud, local?.region ?? cloud.region, local?.handler, served);
  const shared: EC2ClientConfig = {
    credentials: credentials.provider,
    ...(cloud.profile === undefined ? {} : { profile: cloud.profile }),
    retryMode: 'adaptive',
    // On this machine, a failure such as a full disk does not go away with retries.
    maxAttempts: cloud.max_attempts ?? (local === undefined ? 10 : 6),
    ...(cloud.endpoint === undefined ? {} : { endpoint: cloud.endpoint }),
    // Never used: the handler answers without a connection.
    ...(local === undefined ? {} : { endpoint: nowhere, requestHandler: local.handler }),
  };
  const unverified = local === undefined && cloud.tls_verify === false ? await unverifiedHandler() : {};
  const region = local?.region ?? cloud.region ?? (await regionOf(new sdk.EC2Client(shared), cloud));
  const regions = new Map<string, Ec2>();
  const open = (name: string): Ec2 => {
    const config = { ...shared, ...unverified, region: name };
    const surroundings = { metrics, credentials, config, cloud };
    const prepared = (client: EC2Client) => prepare(client, surroundings);
    let ebs: Promise<Ebs> | undefined;
    const ec2: Ec2 = {
      sdk,
      cloud,
      region: name,
      client: prepared(new sdk.EC2Client(config)),
      once: prepared(new sdk.EC2Client({ ...config, maxAttempts: 1 })),
      consistent: local?.consistent ?? false,
      isInstant: local?.isInstant ?? false,
      metrics,
      ebs: () => {
        ebs ??= openEbs(surroundings);
        return ebs;
      },
      in: (other = name) => regions.get(other) ?? open(other),
    };
    regions.set(name, ec2);
    return ec2;
  };
  return open(region);
}

/**
 * Lets the SDK's metadata client and credentials use the metadata service of an EC2 that is served on this machine, as
 * it serves Packer. Sets an environment variable, which is where they look, unless it is already set.
 * @param known the metadata endpoint of the served EC2, if it is known.
 */
function useServedMetadata(endpoint: string | undefined, known: string | undefined): void {
  const { env } = process;
  const here = endpoint !== undefined && /^http:\/\/(localhost|127\.[0-9.]+|\[::1\])[:/]?/.test(endpoint);
  // One undo may work on several runs, each with its own endpoint.
  if (env[metadataEndpoint] === ownValue) delete env[metadataEndpoint];
  ownValue = env[metadataEndpoint] === undefined ? (known ?? (here ? endpoint : undefined)) : undefined;
  if (ownValue !== undefined) env[metadataEndpoint] = ownValue;
}

const metadataEndpoint = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
/** The value of the variable if this program has set it. */
let ownValue: string | undefined;

/** For endpoints with self-signed certificates, if the recipe allows them. */
async function unverifiedHandler(): Promise<EC2ClientConfig> {
  const { Agent } = await import('node:https');
  return { requestHandler: { httpsAgent: new Agent({ rejectUnauthorized: false }) } };
}

/** The region that the SDK finds in the environment or the profile, otherwise the region of this machine. */
async function regionOf(client: EC2Client, cloud: Cloud): Promise<string> {
  try {
    return await client.config.region();
  } catch {
    if (cloud.volumes === 'direct') throw new Error(noRegion);
    return await ownRegion(cloud);
  }
}
