import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { machine } from '../instance_identity.js';
import { localAccount } from '../request_identity.js';

/** An answer of the metadata service: plain text. */
export interface MetadataAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A file, made when it is read, or a folder. */
type Tree = (() => string) | { readonly [name: string]: Tree };

const tokenHeader = 'x-aws-ec2-metadata-token';
const ttlHeader = `${tokenHeader}-ttl-seconds`;
/** The role whose credentials this machine has. */
const role = 'chrootfile';
const credentialsLastMs = 6 * 3_600_000;

/**
 * The instance metadata service, versions 1 and 2: what is asked with a token must have a good one.
 * Source: EC2 User Guide, "Use instance metadata to manage your EC2 instance".
 */
export class Metadata {
  /** Tokens given out, with the time they end. */
  private readonly tokens = new Map<string, number>();
  /** What those see who may have the role's credentials, and what others see: an instance without a role. */
  private readonly trees: { readonly withRole: Tree; readonly without: Tree };

  /** @param secretKey the secret access key of the role. */
  constructor(region: string, secretKey: string) {
    const zone = `${region}a`;
    const document = () => ({
      accountId: localAccount,
      architecture: machine.architecture,
      availabilityZone: zone,
      instanceId: machine.instance,
      instanceType: machine.type,
      pendingTime: stamp(0),
      region,
      version: '2017-09-30',
    });
    const iam: Tree = {
      info: () => json({ Code: 'Success', LastUpdated: stamp(), InstanceProfileArn: `arn:aws:iam::${localAccount}:instance-profile/${role}` }),
      'security-credentials': { [role]: () => json(credentials(secretKey)) },
    };
    const tree = (more: { readonly [name: string]: Tree }): Tree => ({
      dynamic: { 'instance-identity': { document: () => json(document()) } },
      'meta-data': {
        hostname: () => hostname(),
        ...more,
        'instance-id': () => machine.instance,
        'instance-type': () => machine.type,
        'local-hostname': () => hostname(),
        placement: { 'availability-zone': () => zone, region: () => region },
        services: { domain: () => 'amazonaws.com', partition: () => 'aws' },
      },
    });
    this.trees = { withRole: tree({ iam }), without: tree({}) };
  }

  /** Whether a path is one of this service: clients with an EC2 endpoint of their own may ask there. */
  static owns(path: string): boolean {
    return /^\/(latest|[0-9]{4}-[0-9]{2}-[0-9]{2})(\/|$)/.test(path);
  }

  /** @param withRole whether whoever asks may have credentials. */
  answer(method: string, path: string, headers: Readonly<Record<string, string>>, withRole: boolean): MetadataAnswer {
    if (path === '/latest/api/token') return this.token(method, headers);
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'Method Not Allowed', headers: { allow: 'GET, HEAD' } };
    const token = headers[tokenHeader];
    if (token !== undefined && !(Date.now() < (this.tokens.get(token) ?? 0))) return { status: 401, body: 'Unauthorized' };
    if (path === '/') return { status: 200, body: 'latest' };
    const [, ...steps] = path.split('/').filter((step) => step !== '');
    let at: Tree | undefined = Metadata.owns(path) ? this.trees[withRole ? 'withRole' : 'without'] : undefined;
    for (const step of steps) at = typeof at === 'object' && Object.hasOwn(at, step) ? at[step] : undefined;
    if (at === undefined) return { status: 404, body: 'Not Found' };
    return { status: 200, body: typeof at === 'function' ? at() : listing(at) };
  }

  private token(method: string, headers: Readonly<Record<string, string>>): MetadataAnswer {
    if (method !== 'PUT') return { status: 405, body: 'Method Not Allowed', headers: { allow: 'PUT' } };
    // What came through a proxy is not this machine asking.
    if (headers['x-forwarded-for'] !== undefined) return { status: 403, body: 'Forbidden' };
    const ttl = headers[ttlHeader] ?? '';
    if (!/^[0-9]{1,5}$/.test(ttl) || Number(ttl) < 1 || Number(ttl) > 21_600) return { status: 400, body: 'Bad Request' };
    for (const [token, end] of this.tokens) if (end < Date.now()) this.tokens.delete(token);
    const token = randomBytes(40).toString('base64');
    this.tokens.set(token, Date.now() + Number(ttl) * 1000);
    return { status: 200, body: token, headers: { [ttlHeader]: ttl } };
  }
}

/** Keys that say whose they are and when they end, as {@link callerOf} reads them. */
function credentials(secretKey: string) {
  const until = Math.floor((Date.now() + credentialsLastMs) / 1000);
  return {
    Code: 'Success',
    LastUpdated: stamp(),
    Type: 'AWS-HMAC',
    AccessKeyId: localAccount,
    SecretAccessKey: secretKey,
    Token: `expires-${until}`,
    Expiration: stamp(until * 1000),
  };
}

function listing(folder: Exclude<Tree, () => string>): string {
  return Object.entries(folder)
    .map(([name, entry]) => (typeof entry === 'function' ? name : `${name}/`))
    .join('\n');
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

/** A time as the service writes it: without fractions of a second. */
function stamp(at = Date.now()): string {
  return new Date(at).toISOString().replace(/\.[0-9]+Z$/, 'Z');
}
