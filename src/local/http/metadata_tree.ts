import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { launched, machine, networkInterface, privateAddress } from '../instance_identity.js';
import { localAccount } from '../request_identity.js';
import type { Tag } from '../resources.js';

/** A file, whose content is generated when it is read, or a folder. */
export type Tree = (() => string) | Folder;
export interface Folder {
  readonly [name: string]: Tree;
}

/** The data that the metadata service publishes. */
export interface MetadataOf {
  readonly region: string;
  /** The secret access key of the role. */
  readonly secretKey: string;
  /** The tags of this machine. */
  readonly tags: () => readonly Tag[];
}

/** The role whose credentials this machine has. */
const role = 'chrootfile';
const credentialsLastMs = 6 * 3_600_000;
/** The security group of instances that were started without one. */
const securityGroup = 'default';

/**
 * The content of the metadata service, for each version.
 * @param trusts whether the client may have credentials, and see the public keys of this machine's owner. Other
 * clients see an instance without both.
 */
export function metadataTree({ region, secretKey, tags }: MetadataOf, trusts: boolean): Folder {
  const iam: Folder = {
    info: () => json({ Code: 'Success', LastUpdated: stamp(), InstanceProfileArn: `arn:aws:iam::${localAccount}:instance-profile/${role}` }),
    'security-credentials': { [role]: () => json(credentials(secretKey)) },
  };
  return {
    dynamic: { 'instance-identity': { document: () => json(identityDocument(region)) } },
    'meta-data': {
      'ami-id': () => machine.image,
      hostname: () => hostname(),
      ...(trusts ? { iam } : {}),
      'instance-id': () => machine.instance,
      'instance-type': () => machine.type,
      'local-hostname': () => hostname(),
      'local-ipv4': privateAddress,
      mac: () => networkInterface().mac,
      network: { interfaces: { macs: { [networkInterface().mac]: interfaceTree() } } },
      placement: { 'availability-zone': () => `${region}a`, region: () => region },
      ...named('public-keys', trusts ? publicKeys() : {}),
      'security-groups': () => securityGroup,
      services: { domain: () => 'amazonaws.com', partition: () => 'aws' },
      ...named('tags', named('instance', tagTree(tags()))),
    },
  };
}

/** A folder with one named entry; empty when the entry is empty. */
function named(name: string, folder: Folder): Folder {
  return Object.keys(folder).length === 0 ? {} : { [name]: folder };
}

/** Source: EC2 User Guide, "Instance metadata categories". This machine is not in a network of EC2: its ids are only names. */
function interfaceTree(): Folder {
  const { address, mac, network } = networkInterface();
  return {
    'device-number': () => '0',
    'interface-id': () => machine.networkInterface,
    'local-hostname': () => hostname(),
    'local-ipv4s': () => address,
    mac: () => mac,
    'owner-id': () => localAccount,
    'security-group-ids': () => machine.securityGroup,
    'security-groups': () => securityGroup,
    'subnet-id': () => machine.subnet,
    'subnet-ipv4-cidr-block': () => network,
    'vpc-id': () => machine.vpc,
    'vpc-ipv4-cidr-block': () => network,
    'vpc-ipv4-cidr-blocks': () => network,
  };
}

/** Source: EC2 User Guide, "Instance identity documents". */
function identityDocument(region: string) {
  return {
    accountId: localAccount,
    architecture: machine.architecture,
    availabilityZone: `${region}a`,
    billingProducts: null,
    devpayProductCodes: null,
    imageId: machine.image,
    instanceId: machine.instance,
    instanceType: machine.type,
    kernelId: null,
    marketplaceProductCodes: null,
    pendingTime: stamp(Date.parse(launched())),
    privateIp: privateAddress(),
    ramdiskId: null,
    region,
    version: '2017-09-30',
  };
}

/**
 * Tags by key. Source: EC2 User Guide, "Access to instance tags in instance metadata": a key consists of letters,
 * numbers and `+ - = . , _ : @`, and is not `.`, `..` or `_index`. Other tags are hidden.
 */
function tagTree(tags: readonly Tag[]): Folder {
  const shown = tags.filter(({ Key: key }) => /^[\p{L}\p{N}+\-=.,_:@]+$/u.test(key) && !['.', '..', '_index'].includes(key));
  return Object.fromEntries(shown.map(({ Key: key, Value: value }) => [key, () => value]));
}

/** The public keys of this machine's owner, listed like those of EC2, by number and name. */
function publicKeys(): Folder {
  const keys = authorizedKeys();
  return Object.fromEntries(keys.map((key, i) => [`${i}=${nameOf(key, i)}`, { 'openssh-key': () => key }]));
}

function nameOf(key: string, index: number): string {
  return (
    key
      .split(/\s+/)
      .slice(2)
      .join('-')
      .replaceAll(/[^\w.@-]/g, '-') || `key-${index}`
  );
}

function authorizedKeys(): string[] {
  try {
    const lines = readFileSync(join(homedir(), '.ssh/authorized_keys'), 'utf8').split('\n');
    return lines.map((line) => line.trim()).filter((line) => /^(ssh|ecdsa|sk)-\S+ \S+/.test(line));
  } catch {
    // Most machines have none.
    return [];
  }
}

/** Credentials that contain their account and expiry, as read by {@link requestIdentityOf}. */
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

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

/** A time in the format of the service, without fractions of a second. */
function stamp(at = Date.now()): string {
  return new Date(at).toISOString().replace(/\.[0-9]+Z$/, 'Z');
}
