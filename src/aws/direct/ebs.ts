import type { EBSClient, EBSClientConfig } from '@aws-sdk/client-ebs';
import { nowhere } from '../credentials.js';
import { prepare, type Surroundings } from '../middleware.js';
import { directPolicy } from './policy.js';

/** A client of EBS direct in one region. It sends each request once; {@link Sender} sends it again. */
export interface Ebs {
  readonly sdk: typeof import('../sdk_ebs.js');
  readonly client: EBSClient;
}

/** Opens EBS direct for the same account, region and endpoint as a client of EC2. */
export async function openEbs(surroundings: Surroundings): Promise<Ebs> {
  const sdk = await import('../sdk_ebs.js');
  const { region, endpoint, profile, requestHandler } = surroundings.config;
  const { connectMs, idleMs, blocksAtOnce } = directPolicy;
  const sockets = { keepAlive: true, maxSockets: blocksAtOnce };
  const handler = {
    connectionTimeout: connectMs,
    socketTimeout: idleMs,
    httpAgent: sockets,
    httpsAgent: { ...sockets, rejectUnauthorized: surroundings.cloud.tls_verify !== false },
  };
  const config = {
    credentials: surroundings.credentials.provider,
    maxAttempts: 1,
    ...{ region, ...(endpoint === undefined ? {} : { endpoint }), ...(profile === undefined ? {} : { profile }) },
    // The embedded EC2 answers without a connection.
    requestHandler: endpoint === nowhere ? requestHandler : handler,
  } as EBSClientConfig;
  return { sdk, client: prepare(withHash(new sdk.EBSClient(config)), surroundings) };
}

/** Signs a block with the hash that it is sent with, instead of hashing it again. */
function withHash(client: EBSClient): EBSClient {
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      const checksum = headers['x-amz-checksum'];
      if (headers['x-amz-data-length'] !== undefined && checksum !== undefined)
        headers['x-amz-content-sha256'] = Buffer.from(checksum, 'base64').toString('hex');
      return next(args);
    },
    { step: 'build', name: 'signWithChecksum' },
  );
  return client;
}
