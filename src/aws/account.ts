import type { Ec2 } from './client.js';
import { inCall } from './errors.js';
import { findHost } from './instance.js';

/** Account ids by EC2 client. */
const accounts = new WeakMap<Ec2, Promise<string>>();

/** The id of the account that a client's credentials belong to. */
export function accountOf(ec2: Ec2): Promise<string> {
  const found = accounts.get(ec2) ?? findAccount(ec2);
  accounts.set(ec2, found);
  found.catch(() => accounts.delete(ec2));
  return found;
}

/** A run that attaches volumes asks EC2 about its instance anyway. Elsewhere STS knows the account, but a subnet without internet may not reach it. */
async function findAccount(ec2: Ec2): Promise<string> {
  if (ec2.cloud.volumes !== 'direct') {
    const { account_id } = await findHost(ec2).catch(() => ({ account_id: '' }));
    if (account_id !== '') return account_id;
  }
  const { STSClient, GetCallerIdentityCommand } = await import('./sdk_sts.js');
  const endpoint = ec2.cloud.sts_endpoint ?? ec2.cloud.endpoint;
  const { credentials } = ec2.client.config;
  const sts = new STSClient({ region: ec2.region, credentials, ...(endpoint === undefined ? {} : { endpoint }) });
  try {
    return (await sts.send(new GetCallerIdentityCommand({}))).Account ?? '';
  } catch (error) {
    throw inCall('GetCallerIdentity', error);
  }
}
