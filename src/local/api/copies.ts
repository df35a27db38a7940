import { thisMaker } from '../owner_process.js';
import { optInRegions, regions } from '../request_identity.js';
import { type Image, noVolume, type Snapshot, type Tag } from '../resources.js';
import type { Store } from '../store.js';
import { action, existing, type Here, ownerOf, stopDryRun } from './action.js';
import { begin, copied } from './copying.js';
import { Ec2Error } from './errors.js';
import { tagSet, tagsFor } from './filters.js';
import { checkedName, isAvailable, mustBeFree } from './images.js';
import { isComplete } from './snapshots.js';

const copyImage = action(
  'CopyImage',
  async (
    {
      Name: wantedName,
      Description: description,
      SourceImageId: sourceId,
      SourceRegion: sourceRegion,
      Encrypted: encrypted,
      KmsKeyId: key,
      CopyImageTags: copiesTags,
      ClientToken: token,
      SnapshotCopyCompletionDurationMinutes: minutes,
      TagSpecification: specifications,
    },
    here,
  ) => {
    const name = checkedName(wantedName);
    const region = knownRegion(sourceRegion);
    const there = here.storeOf(region);
    const source = existing(here, 'images', sourceId, there);
    if (!isAvailable(source, { ...here, store: there })) throw new Ec2Error('InvalidRequest', `Image ${source.id} is not available.`);
    const wanted = checkedEncryption(encrypted, key);
    checkDuration(minutes);
    const tags = tagsFor('image', specifications, ['snapshot']);
    const snapshotTags = tagsFor('snapshot', specifications, ['image']);
    stopDryRun(here);
    const { image, disks } = await here.store.exclusive(() => {
      const before = token === undefined ? undefined : here.store.list('images').find((i) => ownerOf(i) === here.account && i.token?.value === token);
      if (before !== undefined) {
        if (before.token?.request !== here.asked) throw new Ec2Error('IdempotentParameterMismatch', 'The client token has been used with other parameters.');
        return { image: before, disks: undefined };
      }
      mustBeFree(name, here);
      const made = snapshotsOf(source, there).map((snapshot) => draftOf(snapshot, wanted, snapshotTags, here));
      const copy: Image = {
        ...source,
        id: here.store.newId('images'),
        created: new Date().toISOString(),
        owner: here.account,
        name,
        description: description ?? source.description,
        tags: [...(copiesTags ? source.tags.filter((tag) => !tags.some(({ Key }) => Key === tag.Key)) : []), ...tags],
        token: token === undefined ? undefined : { value: token, request: here.asked },
        mappings: source.mappings.map((mapping) => {
          const own = made.find(({ from }) => from.id === mapping.snapshot)?.snapshot;
          return own === undefined ? mapping : { ...mapping, snapshot: own.id, encrypted: own.encrypted };
        }),
        source: { image: source.id, region },
        // Source: EC2 API reference, Image: only images created by CreateImage have it.
        instance: undefined,
        sharedWith: undefined,
        productCodes: undefined,
        deprecated: undefined,
        protection: undefined,
        ready: false,
        maker: thisMaker(),
      };
      const purpose = `Copied for DestinationAmi ${copy.id} from SourceAmi ${source.id}`;
      const disks = made.map(({ snapshot }) => ({ ...snapshot, description: purpose }));
      begin(here, { image: copy, disks }, there);
      return { image: copy, disks };
    });
    if (disks !== undefined) await copied(here, { image, disks });
    return { imageId: image.id };
  },
);

const copySnapshot = action(
  'CopySnapshot',
  async (
    {
      SourceRegion: sourceRegion,
      SourceSnapshotId: sourceId,
      DestinationRegion: region,
      PresignedUrl: url,
      Description: description = '',
      Encrypted: encrypted,
      KmsKeyId: key,
      CompletionDurationMinutes: minutes,
      TagSpecification: specifications,
    },
    here,
  ) => {
    const there = here.storeOf(knownRegion(sourceRegion));
    const source = existing(here, 'snapshots', sourceId, there);
    if (!isComplete(source, here)) throw new Ec2Error('IncorrectState', `Snapshot '${source.id}' is not 'completed'.`);
    const wanted = checkedEncryption(encrypted, key);
    checkDuration(minutes);
    checkDestination(region, url, here);
    const tags = tagsFor('snapshot', specifications);
    stopDryRun(here);
    const snapshot = { ...draftOf(source, wanted, tags, here).snapshot, description };
    await here.store.exclusive(() => {
      existing(here, 'snapshots', source.id, there);
      begin(here, { disks: [snapshot] }, there);
    });
    await copied(here, { disks: [snapshot] });
    return { snapshotId: snapshot.id, tagSet: tagSet(snapshot.tags) };
  },
);

export const copyActions = [copyImage, copySnapshot];

function knownRegion(region: string): string {
  if (!regions.includes(region) && !Object.hasOwn(optInRegions, region)) throw new Ec2Error('InvalidParameterValue', `Invalid region: ${region}`);
  return region;
}

/** SDKs sign a request to the other region, and send it together with that region's name. */
function checkDestination(region: string | undefined, url: string | undefined, here: Here): void {
  if (region !== undefined && region !== here.region) {
    throw new Ec2Error('InvalidParameterValue', `Value (${region}) for parameter destinationRegion is invalid: the request was sent to ${here.region}.`);
  }
  if (url !== undefined && !URL.canParse(url)) throw new Ec2Error('InvalidParameterValue', 'Value for parameter presignedUrl is invalid: it is not a URL.');
}

interface Encryption {
  readonly encrypted: boolean;
  readonly key: string | undefined;
}

function checkedEncryption(encrypted = false, key: string | undefined): Encryption {
  if (key !== undefined && !encrypted) throw new Ec2Error('InvalidParameterDependency', 'The parameter KmsKeyId requires the parameter Encrypted to be set.');
  return { encrypted, key };
}

/** Source: EC2 API reference, CopyImage: 15 minutes to 48 hours, in steps of 15 minutes. */
function checkDuration(minutes: number | undefined): void {
  if (minutes === undefined || (minutes >= 15 && minutes <= 2880 && minutes % 15 === 0)) return;
  throw new Ec2Error('InvalidParameterValue', `Value (${minutes}) for the completion duration is invalid: 15 to 2880 minutes, in steps of 15.`);
}

function snapshotsOf(image: Image, store: Store): Snapshot[] {
  return [...new Set(image.mappings.flatMap(({ snapshot }) => snapshot ?? []))].map((id) => {
    const found = store.get('snapshots', id);
    if (found === undefined) throw new Ec2Error('InvalidSnapshot.NotFound', `The snapshot '${id}' does not exist.`);
    return found;
  });
}

/** The record of a copy, whose disk is still empty. */
function draftOf(from: Snapshot, wanted: Encryption, tags: Tag[], here: Here) {
  const encrypted = from.encrypted || wanted.encrypted || here.store.settings().encryptByDefault;
  const snapshot: Snapshot = {
    ...from,
    id: here.store.newId('snapshots'),
    created: new Date().toISOString(),
    owner: here.account,
    tags,
    volume: noVolume,
    lineage: undefined,
    upload: undefined,
    token: undefined,
    encrypted,
    // Keys belong to a region: a copy uses the given key, or the account's default key there.
    kmsKey: encrypted ? (wanted.key ?? (here.store.get('snapshots', from.id) === undefined ? undefined : from.kmsKey)) : undefined,
    sharedWith: undefined,
    ready: false,
    origin: { id: from.id },
    maker: thisMaker(),
    copied: true,
  };
  return { from, snapshot };
}
