import type { EC2ClientConfig } from '@aws-sdk/client-ec2';
import type { Cloud } from '../dsl/recipe/types.js';

/** What stands below the SDK's serializer instead of the network. */
export type RequestHandler = NonNullable<EC2ClientConfig['requestHandler']>;

/** Keys to sign with. Source: the SDK's AwsCredentialIdentity. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** The keys of an EC2 that is served on this machine, and where it serves metadata. */
export interface ServedKeys extends Keys {
  readonly metadata: string;
}

/** Variables of the environment with their older names. Source: Packer 0.3, "AMI builders, access". */
const olderNames = [
  ['AWS_ACCESS_KEY_ID', 'AWS_ACCESS_KEY'],
  ['AWS_SECRET_ACCESS_KEY', 'AWS_SECRET_KEY'],
] as const;

const localKeys: Keys = { accessKeyId: 'local', secretAccessKey: 'local' };

/** New keys this long before the old ones end. */
const renewBeforeMs = 5 * 60_000;

/**
 * Credentials that are asked for again: when they are about to end, and when EC2 says that they have, since not all
 * say when they will.
 */
export class Credentials {
  private held: Promise<Keys> | undefined;

  /** @param open opens where they come from, anew: files may have changed since. */
  constructor(private readonly open: () => Promise<() => Promise<Keys>>) {}

  /** For the SDK. It keeps what has no end, and asks again for what has one; so all of them end at once for it. */
  readonly provider = async (): Promise<Keys> => {
    let keys = await this.current();
    if (keys.expiration !== undefined && keys.expiration.getTime() - Date.now() < renewBeforeMs) {
      this.renew();
      keys = await this.current();
    }
    return { ...keys, expiration: new Date(0) };
  };

  /** Forgets the keys: the next request asks for new ones. */
  renew(): void {
    this.held = undefined;
  }

  private current(): Promise<Keys> {
    this.held ??= this.open().then((provide) => provide());
    // Whoever could not be asked now may be asked again.
    this.held.catch(() => this.renew());
    return this.held;
  }
}

/** The endpoint of the embedded EC2: its handler answers before anybody looks it up. */
export const nowhere = 'http://ec2.invalid';

/**
 * The credentials of a recipe's cloud: those the AWS tools would take, and the role on top of them.
 * @param local the handler of the embedded EC2, which needs none and answers for STS too.
 * @param served the keys of the EC2 at the cloud's endpoint, where it is served on this machine; it answers for STS too.
 */
export function credentialsOf(
  cloud: Cloud,
  region: string | undefined,
  local?: RequestHandler,
  served: () => ServedKeys | undefined = () => undefined,
): Credentials {
  if (local !== undefined && cloud.profile === undefined && cloud.assume_role === undefined) return new Credentials(async () => async () => localKeys);
  return new Credentials(async () => {
    const env = process.env;
    for (const [name, old] of olderNames) if (env[name] === undefined && env[old] !== undefined) env[name] = env[old];
    const role = cloud.assume_role;
    const own = cloud.profile === undefined ? served() : undefined;
    if (own !== undefined && role === undefined) return async () => own;
    const given = keysIn(env);
    // The first place all AWS tools look at; the library that knows the others takes a while to load.
    if (given !== undefined && role === undefined && local === undefined && cloud.profile === undefined && !env['AWS_PROFILE']) return async () => given;
    const { fromNodeProviderChain, fromTemporaryCredentials } = await import('./sdk_credentials.js');
    const mfaCodeProvider = async (serial: string) => {
      const code = env['CHROOTFILE_MFA_CODE'];
      if (code === undefined) throw new Error(`the device ${serial} must be asked for a code: give it by CHROOTFILE_MFA_CODE`);
      return code;
    };
    const named = fromNodeProviderChain({
      ...(cloud.profile === undefined ? {} : { profile: cloud.profile }),
      ...(cloud.credentials_file === undefined ? {} : { filepath: cloud.credentials_file }),
      mfaCodeProvider,
      ignoreCache: true,
    });
    const ours = local !== undefined && cloud.profile === undefined ? localKeys : own;
    const base = ours === undefined ? named : async () => ours;
    if (role === undefined) return () => base();
    const params = {
      RoleArn: role.role_arn,
      RoleSessionName: role.session_name ?? 'chrootfile',
      DurationSeconds: role.duration_seconds,
      ExternalId: role.external_id,
      Policy: role.policy,
      PolicyArns: role.policy_arns?.map((arn) => ({ arn })),
      Tags: role.tags === undefined ? undefined : Object.entries(role.tags).map(([Key, Value]) => ({ Key, Value })),
      TransitiveTagKeys: role.transitive_tag_keys === undefined ? undefined : [...role.transitive_tag_keys],
      SerialNumber: role.mfa_serial,
    };
    const endpoint = local === undefined ? (cloud.sts_endpoint ?? (own === undefined ? undefined : cloud.endpoint)) : nowhere;
    const clientConfig = {
      ...(region === undefined ? {} : { region }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(local === undefined ? {} : { requestHandler: local }),
    };
    return fromTemporaryCredentials({ masterCredentials: base, params, mfaCodeProvider, clientConfig });
  });
}

/** The keys of the environment. Source: AWS SDKs and Tools Reference Guide, "AWS access keys". */
function keysIn(env: NodeJS.ProcessEnv): Keys | undefined {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token, AWS_CREDENTIAL_EXPIRATION: until } = env;
  // What else keys may come with is the library's.
  if (!id || !secret || env['AWS_CREDENTIAL_SCOPE'] || env['AWS_ACCOUNT_ID']) return undefined;
  return { accessKeyId: id, secretAccessKey: secret, ...(token ? { sessionToken: token } : {}), ...(until ? { expiration: new Date(until) } : {}) };
}
