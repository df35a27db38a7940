import { dirname } from 'node:path';
import { makeFolder } from '../../linux/atomic_write.js';
import { type Here, ownerOf } from '../api/action.js';
import { begin, copied } from '../api/copying.js';
import { keyOf } from '../api/kms.js';
import type { Answers, Tag as AskedTag, Requests } from '../api/model/ebs.js';
import { thisMaker } from '../owner_process.js';
import { lineageOf, noVolume, type Snapshot, type Tag } from '../resources.js';
import { ebsAction } from './action.js';
import { blockBytes } from './blocks.js';
import { createDigests } from './digests.js';
import { EbsError, invalid } from './errors.js';
import { readable } from './readable.js';
import { isUploaded, type UploadedSnapshot } from './upload_failure.js';

export const startSnapshot = ebsAction('StartSnapshot', async ({ ClientToken: token, ...request }, here) => {
  const asked = JSON.stringify(request);
  const { snapshot, fresh } = await here.store.exclusive(() => {
    const before = token === undefined ? undefined : startedWith(token, here);
    if (before !== undefined) {
      if (before.token?.request === asked) return { snapshot: before, fresh: false };
      throw new EbsError('ConflictException', 'The client token was used with other parameters.');
    }
    const made = draftOf(request, token === undefined ? undefined : { value: token, request: asked }, here);
    makeFolder(dirname(here.store.digestsOf(made.id)));
    createDigests(here.store.digestsOf(made.id));
    begin(here, { disks: [made] });
    return { snapshot: made, fresh: true };
  });
  if (fresh) await copied(here, { disks: [snapshot] });
  return bodyOf(snapshot, here);
});

function startedWith(token: string, here: Here): UploadedSnapshot | undefined {
  return here.store
    .list('snapshots')
    .filter(isUploaded)
    .find((snapshot) => ownerOf(snapshot) === here.account && snapshot.token?.value === token);
}

type Asked = Omit<Requests['StartSnapshot'], 'ClientToken'>;

/** The record of a new snapshot. Its disk is a copy of the parent's, or empty. */
function draftOf(
  {
    VolumeSize: size,
    ParentSnapshotId: parentId,
    Tags: tags = [],
    Description: description = '',
    Encrypted: encrypted,
    KmsKeyArn: key,
    Timeout: timeout = 60,
  }: Asked,
  token: Snapshot['token'],
  here: Here,
): UploadedSnapshot {
  if (parentId !== undefined && (encrypted !== undefined || key !== undefined)) {
    throw invalid('INVALID_PARAMETER_VALUE', 'ParentSnapshotId cannot be specified together with Encrypted or KmsKeyArn.');
  }
  const parent = parentId === undefined ? undefined : readable(parentId, here);
  if (parent !== undefined && size < parent.size) {
    throw invalid('INVALID_VOLUME_SIZE', `The volume size ${size} is smaller than that of the parent snapshot '${parent.id}', ${parent.size}.`);
  }
  return {
    id: here.store.newId('snapshots'),
    created: new Date().toISOString(),
    tags: checkedTags(tags),
    token,
    volume: noVolume,
    size,
    description,
    ...(parent === undefined ? encryptionOf(encrypted, key, here) : inherited(parent, here)),
    owner: here.account,
    ready: false,
    origin: parent === undefined ? undefined : { id: parent.id },
    maker: thisMaker(),
    ...(parent === undefined ? {} : { lineage: lineageOf(parent) }),
    upload: { timeoutMinutes: timeout, ...(parent === undefined ? {} : { parent: parent.id }) },
  };
}

/** Source: EBS User Guide, "Encryption outcomes for EBS direct APIs", also for the next function. */
function encryptionOf(encrypted: boolean | undefined, key: string | undefined, here: Here) {
  const byDefault = here.store.settings().encryptByDefault;
  if (key !== undefined && encrypted !== true) throw invalid('INVALID_PARAMETER_VALUE', 'KmsKeyArn requires Encrypted to be true.');
  if (encrypted === false && byDefault) throw invalid('INVALID_PARAMETER_VALUE', 'Encryption by default is enabled: the snapshot cannot be unencrypted.');
  return { encrypted: encrypted ?? byDefault, kmsKey: key };
}

function inherited(parent: Snapshot, here: Here) {
  if (!parent.encrypted && here.store.settings().encryptByDefault) {
    throw invalid('INVALID_PARAMETER_VALUE', `Encryption by default is enabled: the unencrypted snapshot '${parent.id}' cannot be a parent.`);
  }
  return { encrypted: parent.encrypted, kmsKey: parent.kmsKey };
}

/** Source: EBS direct APIs reference, `Tag`: 127 and 255 characters; EC2 User Guide, "Tag restrictions": 50 tags, no `aws:`. */
function checkedTags(asked: readonly AskedTag[]): Tag[] {
  const wrong = (text: string) => invalid('INVALID_TAG', text);
  if (asked.length > 50) throw wrong('A snapshot can have at most 50 tags.');
  const tags = asked.map(({ Key: key = '', Value: value = '' }) => ({ Key: key, Value: value }));
  for (const { Key: key, Value: value } of tags) {
    if (key === '' || key.length > 127 || value.length > 255)
      throw wrong(`The tag '${key}' has no key, or more than 127 characters in its key or 255 in its value.`);
    if (key.startsWith('aws:')) throw wrong(`The tag key '${key}' is reserved.`);
    if (tags.filter((tag) => tag.Key === key).length > 1) throw wrong(`The tag key '${key}' is there twice.`);
  }
  return tags;
}

function bodyOf(snapshot: UploadedSnapshot, here: Here): Answers['StartSnapshot'] {
  return {
    Description: snapshot.description === '' ? undefined : snapshot.description,
    SnapshotId: snapshot.id,
    OwnerId: ownerOf(snapshot),
    Status: 'pending',
    StartTime: new Date(snapshot.created),
    VolumeSize: snapshot.size,
    BlockSize: blockBytes,
    Tags: snapshot.tags.length === 0 ? undefined : snapshot.tags,
    ParentSnapshotId: snapshot.upload.parent,
    KmsKeyArn: keyOf(snapshot, here),
  };
}
