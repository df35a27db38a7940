import type { EC2ClientConfig } from '@aws-sdk/client-ec2';
import type { Cloud } from '../dsl/recipe/types.js';

/** The request handler that replaces the network below the SDK's serializer. */
export type RequestHandler = NonNullable<EC2ClientConfig['requestHandler']>;

/** Keys to sign with. Source: the SDK's AwsCredentialIdentity. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** The keys of the EC2 served on this machine, and its metadata endpoint. */
export interface ServedKeys extends Keys {
  readonly metadata: string;
}

/** Variables of the environment with their older names. Source: Packer 0.3, "AMI builders, access". */
const olderNames = [
  ['AWS_ACCESS_KEY_ID', 'AWS_ACCESS_KEY'],
  ['AWS_SECRET_ACCESS_KEY', 'AWS_SECRET_KEY'],
] as const;

const localKeys: Keys = { accessKeyId: 'local', secretAccessKey: 'local' };

/** Keys are renewed this long before they expire. */
const renewBeforeMs = 5 * 60_000;

/**
 * Credentials that are renewed when they are about to expire, and when EC2 reports that they have, since not all of them
 * have a known expiry.
 */
export class Credentials {
  private held: Promise<Keys> | undefined;

  /** @param open opens their source again, since its files may have changed. */
  constructor(private readonly open: () => Promise<() => Promise<Keys>>) {}

  /** For the SDK. It caches credentials without an expiry, so all credentials it gets expire immediately. */
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
    // A source that failed now may be tried again.
    this.held.catch(() => this.renew());
    return this.held;
  }
}

/** The endpoint of the embedded EC2. Nothing resolves it, because the handler answers first. */
export const nowhere = 'http://ec2.invalid';

/**
 * The credentials of a recipe's cloud: those that other AWS tools would use, or the role assumed with them.
 * @param local the handler of the embedded EC2, which needs no credentials and serves STS too.
 * @param served the keys of the cloud's endpoint, if this machine serves it; it serves STS too.
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
    // The first source of all AWS tools; the library for the other sources takes a while to load.
    if (given !== undefined && role === undefined && local === undefined && cloud.profile === undefined && !env['AWS_PROFILE']) return async () => given;
    const { fromNodeProviderChain, fromTemporaryCredentials } = await import('./sdk_credentials.js');
    const mfaCodeProvider = async (serial: string) => {
      const code = env['CHROOTFILE_MFA_CODE'];
      if (code === undefined) throw new Error(`an MFA code of ${serial} is required: set CHROOTFILE_MFA_CODE`);
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
  // The library handles variables that may accompany keys.
  if (!id || !secret || env['AWS_CREDENTIAL_SCOPE'] || env['AWS_ACCOUNT_ID']) return undefined;
  return { accessKeyId: id, secretAccessKey: secret, ...(token ? { sessionToken: token } : {}), ...(until ? { expiration: new Date(until) } : {}) };
}
