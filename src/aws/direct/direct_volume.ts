import type { Volume } from '@aws-sdk/client-ec2';
import { accountOf } from '../account.js';
import type { Ec2 } from '../client.js';
import { codeOf, inCall } from '../errors.js';
import { knownCopy, nameOf, recordOf, touch, withLocalCopy } from './local_copy.js';
import { directPolicy } from './policy.js';
import { ownSnapshot, readableSnapshot } from './readable.js';
import { reasonOf, sideOf } from './sender.js';
import type { DirectContext } from './store.js';

/** Tags of a direct volume: the snapshot it was made from, as region and id, and the key of its encryption. */
export const baseTag = 'chrootfile:base';
const keyTag = 'chrootfile:key';
/** In {@link keyTag}: the default key of the account. */
const defaultKey = 'default';

/** What is wanted of a volume. */
export interface WantedVolume {
  readonly snapshot: string | undefined;
  /** The snapshot of a layer, which the volume is made from instead. */
  readonly layer: string | undefined;
  readonly encrypted: boolean | undefined;
  readonly key: string | undefined;
}

/** How to make a volume in the embedded EC2. */
export interface DirectVolume {
  readonly snapshot: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * Makes a direct volume: from a copy of its snapshot in the embedded EC2, with tags that {@link parentOf} reads later.
 * The disk itself is not encrypted.
 */
export async function makeDirectVolume<T>(
  { snapshot, layer, encrypted, key }: WantedVolume,
  context: DirectContext,
  make: (volume: DirectVolume) => Promise<T>,
): Promise<T> {
  const ec2 = await context.ec2();
  const original = snapshot === undefined ? undefined : await readableSnapshot(ec2, snapshot);
  const arn = key === undefined ? (original?.isOwn && original.Encrypted ? original.KmsKeyId : undefined) : await keyArn(ec2, key);
  const isEncrypted = encrypted || key !== undefined || original?.Encrypted;
  const tags = isEncrypted ? { [keyTag]: arn ?? defaultKey } : {};
  if (snapshot === undefined) return make({ snapshot: layer, tags });
  const based = { ...tags, [baseTag]: nameOf(ec2, snapshot) };
  if (layer === undefined) return withLocalCopy(snapshot, context, (copy) => make({ snapshot: copy, tags: based }));
  touch(recordOf(context.direct, nameOf(ec2, snapshot)));
  return make({ snapshot: layer, tags: based });
}

/** EBS direct takes only ARNs of keys. @throws Error for an alias. */
async function keyArn(ec2: Ec2, key: string): Promise<string> {
  if (/^arn:[^:]+:kms:[^:]+:[^:]+:key\//.test(key)) return key;
  if (key.includes('alias/')) {
    const ask = `aws kms describe-key --region ${ec2.region} --key-id ${key} --query KeyMetadata.Arn`;
    throw new Error(`EBS direct takes no alias of a key, such as ${key}\n  help: set kms_key_id to the ARN that this prints: ${ask}`);
  }
  const partition = /^cn-/.test(ec2.region) ? 'aws-cn' : /^us-gov-/.test(ec2.region) ? 'aws-us-gov' : 'aws';
  return `arn:${partition}:kms:${ec2.region}:${await accountOf(ec2)}:key/${key.replace(/^key\//, '')}`;
}

/** How a snapshot of a direct volume is sent. */
export interface Parent {
  /** Only the difference to a snapshot on both sides is sent. */
  readonly base?: { readonly from: string; readonly to: string };
  readonly encrypted?: true;
  readonly kmsKeyId?: string;
}

/**
 * What a snapshot of a direct volume is based on. It has no parent if the parent is not of this account or has another
 * encryption, or if the volume does not descend from a copy that is still there. Then everything is sent.
 * @param frozen the snapshot of the volume in the embedded EC2.
 */
export async function parentOf(volume: Volume, frozen: string, ec2: Ec2, disks: Ec2): Promise<Parent> {
  const tag = (name: string) => volume.Tags?.find(({ Key }) => Key === name)?.Value;
  const [name, key] = [tag(baseTag), tag(keyTag)];
  const alone: Parent = key === undefined ? {} : { encrypted: true, ...(key === defaultKey ? {} : { kmsKeyId: key }) };
  const id = name?.split('/')[1];
  const original = id === undefined ? undefined : await ownSnapshot(ec2, id);
  const copy = name === undefined ? undefined : await knownCopy(disks, name);
  if (original?.SnapshotId === undefined || copy === undefined) return alone;
  if (key !== undefined && (!original.Encrypted || (key !== defaultKey && key !== original.KmsKeyId))) return alone;
  if (!original.Encrypted && (await encryptsByDefault(ec2))) return alone;
  if (volume.SnapshotId !== copy && !(await isRelated(disks, copy, frozen))) return alone;
  return { base: { from: copy, to: original.SnapshotId } };
}

/** With encryption by default, EBS refuses an unencrypted parent. Source: EBS User Guide, "Encryption outcomes for EBS direct APIs". */
export async function encryptsByDefault({ client, sdk }: Ec2): Promise<boolean> {
  try {
    return (await client.send(new sdk.GetEbsEncryptionByDefaultCommand({}))).EbsEncryptionByDefault ?? false;
  } catch (error) {
    if (codeOf(error) === 'UnauthorizedOperation') return false;
    throw inCall('GetEbsEncryptionByDefault', error);
  }
}

/** Whether one snapshot descends from another. It need not if it is from a layer, and the copy was made again since. */
export async function isRelated(disks: Ec2, first: string, second: string): Promise<boolean> {
  const { client, sdk } = await sideOf(disks);
  try {
    await client.send(new sdk.ListChangedBlocksCommand({ FirstSnapshotId: first, SecondSnapshotId: second, MaxResults: directPolicy.listedAtLeast }));
    return true;
  } catch (error) {
    if (reasonOf(error) === 'UNRELATED_SNAPSHOTS') return false;
    throw inCall('ListChangedBlocks', error);
  }
}
