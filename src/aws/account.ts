import type { Ec2 } from './client.js';
import { inCall } from './errors.js';

/** The account whose credentials a client uses. No permission is needed. */
export async function accountOf({ client, cloud, region }: Ec2): Promise<string> {
  const { STSClient, GetCallerIdentityCommand } = await import('./sdk_sts.js');
  const endpoint = cloud.sts_endpoint ?? cloud.endpoint;
  const sts = new STSClient({ region, credentials: client.config.credentials, ...(endpoint === undefined ? {} : { endpoint }) });
  try {
    return (await sts.send(new GetCallerIdentityCommand({}))).Account ?? '';
  } catch (error) {
    throw inCall('GetCallerIdentity', error);
  }
}
