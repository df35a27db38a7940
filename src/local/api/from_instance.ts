import { machine } from '../instance_identity.js';
import { thisMaker } from '../owner_process.js';
import type { Image, Mapping, Snapshot, Volume } from '../resources.js';
import { action, type Here, mustBeThisInstance, own, stopDryRun } from './action.js';
import { attachedVolumes, isAttached } from './attachments.js';
import { begin, copied } from './copying.js';
import { Ec2Error } from './errors.js';
import { tagSet, tagsFor } from './filters.js';
import { assignedTwice, mappingsOf } from './image_mappings.js';
import { checkedName, mustBeFree } from './images.js';
import type * as Asked from './model/requests.js';
import { draftOf } from './snapshots.js';

const createSnapshots = action(
  'CreateSnapshots',
  async ({ InstanceSpecification: wanted, Description: description = '', TagSpecification: specifications, CopyTagsFromSource: copiesTags }, here) => {
    const volumes = volumesOf(wanted, here);
    const tags = tagsFor('snapshot', specifications);
    stopDryRun(here);
    const tagsOf = (volume: Volume) => [
      ...(copiesTags === 'volume' ? volume.tags.filter(({ Key: key }) => !tags.some((tag) => tag.Key === key)) : []),
      ...tags,
    ];
    const disks = await Promise.all(volumes.map((volume) => draftOf(volume, { description, tags: tagsOf(volume) }, here)));
    await here.store.exclusive(() => begin(here, { disks }));
    await copied(here, { disks });
    return {
      snapshotSet: disks.map((snapshot) => ({
        snapshotId: snapshot.id,
        volumeId: snapshot.volume,
        volumeSize: snapshot.size,
        state: 'pending' as const,
        progress: '',
        startTime: snapshot.created,
        description,
        encrypted: snapshot.encrypted,
        ownerId: here.account,
        tagSet: tagSet(snapshot.tags) ?? [],
      })),
    };
  },
);

/** The volumes of a request. The root volume of the machine was not created by the embedded EC2, so it cannot be among them. */
function volumesOf(
  { InstanceId: instance = '', ExcludeBootVolume: withoutRoot = false, ExcludeDataVolumeId: excluded = [] }: Asked.InstanceSpecification,
  here: Here,
): Volume[] {
  mustBeThisInstance([instance], here);
  if (!withoutRoot) {
    throw new Ec2Error('UnsupportedOperation', `${machine.rootVolume} is the root volume of this machine: set ExcludeBootVolume=true.`);
  }
  for (const id of excluded) {
    if (!isAttached(own(here, 'volumes', id), here))
      throw new Ec2Error('InvalidParameterValue', `The volume '${id}' is not attached to instance '${instance}'.`);
  }
  return byDevice(here).filter(({ id }) => !excluded.includes(id));
}

/** Never reboots, because the server runs on this machine. Mounted volumes are copied in their current state. */
const createImage = action(
  'CreateImage',
  async (
    { InstanceId: instance, Name: wantedName, Description: description = '', BlockDeviceMapping: asked = [], TagSpecification: specifications, NoReboot: _ },
    here,
  ) => {
    mustBeThisInstance([instance], here);
    const name = checkedName(wantedName);
    const left = asked.flatMap(deviceLeftOut);
    const volumes = byDevice(here).filter(({ attachment }) => !left.includes(attachment?.device ?? ''));
    const [root] = volumes;
    if (root === undefined) {
      throw new Ec2Error('IncorrectState', `No volume of the embedded EC2 is attached to '${instance}': first attach the image's root volume.`);
    }
    const isOfVolume = ({ DeviceName: name }: Asked.BlockDeviceMapping) => volumes.some(({ attachment }) => attachment?.device === name);
    const deleted = deletionsIn(asked.filter(isOfVolume));
    const more = mappingsOf(
      asked.filter((mapping) => !isOfVolume(mapping)),
      here,
    );
    const tags = tagsFor('image', specifications, ['snapshot']);
    const snapshotTags = tagsFor('snapshot', specifications, ['image']);
    stopDryRun(here);
    const id = here.store.newId('images');
    const purpose = { description: `Created by CreateImage(${instance}) for ${id}`, tags: snapshotTags };
    const drafts = await Promise.all(volumes.map(async (volume) => ({ volume, snapshot: await draftOf(volume, purpose, here) })));
    const image: Image = {
      id,
      created: new Date().toISOString(),
      tags,
      name,
      description,
      architecture: machine.architecture,
      virtualization: 'hvm',
      rootDevice: root.attachment?.device ?? '',
      mappings: [...drafts.map(mappingOf).map((mapping) => ({ ...mapping, deleteOnTermination: deleted.get(mapping.device) ?? true })), ...more],
      ena: true,
      instance,
      owner: here.account,
      ready: false,
      maker: thisMaker(),
    };
    const begun = { image, disks: drafts.map(({ snapshot }) => snapshot) };
    await here.store.exclusive(() => {
      mustBeFree(name, here);
      begin(here, begun);
    });
    await copied(here, begun);
    return { imageId: id };
  },
);

export const fromInstanceActions = [createSnapshots, createImage];

function deviceLeftOut({ DeviceName: device = '', NoDevice: isNone }: Asked.BlockDeviceMapping): string[] {
  return isNone === undefined ? [] : [device];
}

/**
 * Whether attached volumes are deleted together with instances of the image, by device. Nothing else can be changed
 * for them.
 * Source: EC2 API reference, `BlockDeviceMapping` of CreateImage.
 */
function deletionsIn(asked: readonly Asked.BlockDeviceMapping[]): ReadonlyMap<string, boolean> {
  const deleted = new Map<string, boolean>();
  for (const { DeviceName: device = '', VirtualName: virtualName, Ebs: { DeleteOnTermination: isDeleted = true, ...others } = {} } of asked) {
    if (virtualName !== undefined || Object.keys(others).length > 0) {
      throw new Ec2Error('UnsupportedOperation', `The volume attached as ${device} is used unchanged: to use another one, detach it.`);
    }
    if (deleted.has(device)) throw assignedTwice(device);
    deleted.set(device, isDeleted);
  }
  return deleted;
}

function mappingOf({ volume: { attachment, type, size, iops, throughput, encrypted }, snapshot }: { volume: Volume; snapshot: Snapshot }): Mapping {
  return { device: attachment?.device ?? '', snapshot: snapshot.id, size, type, iops, throughput, encrypted, deleteOnTermination: true };
}

/** The attached volumes by device name. */
function byDevice(here: Here): Volume[] {
  const name = ({ attachment }: Volume) => attachment?.device ?? '';
  return attachedVolumes(here).sort((a, b) => (name(a) < name(b) ? -1 : 1));
}
