import { setTimeout as sleep } from 'node:timers/promises';
import { aliasesTo, aliasOf, isAliasTaken, linkAlias } from '../device_links.js';
import { launched, machine, rootSizeGiB } from '../instance_identity.js';
import { attachDisk, detachDisk, deviceOf, isBusy, linkDevice } from '../loop_devices.js';
import { hasDied, thisMaker } from '../owner_process.js';
import type { Attachment, Volume } from '../resources.js';
import { action, type Here, hasPassed, mustBeId, mustBeThisInstance, own, ownerOf, selected, stopDryRun } from './action.js';
import { onceCopied } from './copying.js';
import { Ec2Error } from './errors.js';
import type { VolumeAttachment, VolumeAttachmentState } from './model/answers.js';

const attachVolume = action('AttachVolume', async ({ VolumeId: id, InstanceId: instance, Device: device }, here) => {
  mustBeThisInstance([instance], here);
  if (!/^(\/dev\/)?(sd|xvd)[a-z]{1,2}$/.test(device)) {
    throw new Ec2Error('InvalidParameterValue', `Value (${device}) for parameter device is invalid. ${device} is not a valid EBS device name.`);
  }
  if (here.from !== undefined) {
    throw new Ec2Error(
      'UnsupportedOperation',
      `Volumes are attached to the machine that serves EC2, but this request comes from ${here.from}. Run the client on the machine that serves EC2.`,
    );
  }
  stopDryRun(here);
  own(here, 'volumes', id);
  const since = new Date().toISOString();
  const volume = await onceCopied(id, here, () => {
    const wanted = own(here, 'volumes', id);
    if (wanted.zone !== here.zone) {
      throw new Ec2Error('InvalidVolume.ZoneMismatch', `The volume '${id}' is not in the same availability zone as instance '${instance}'`);
    }
    if (!isReady(wanted, here)) throw new Ec2Error('IncorrectState', `Volume '${id}' is not 'available'.`);
    if (isTaken(wanted, here)) throw new Ec2Error('VolumeInUse', `${id} is already attached to an instance`);
    const other = here.store.list('volumes').find((v) => v.attachment !== undefined && aliasOf(v.attachment.device) === aliasOf(device) && isTaken(v, here));
    if (other !== undefined || (here.aliases && isAliasTaken(aliasOf(device)))) {
      throw new Ec2Error('InvalidParameterValue', `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`);
    }
    const volume: Volume = { ...wanted, attachment: { device, since, detaching: false, maker: thisMaker() } };
    here.store.put('volumes', volume);
    return volume;
  });
  const disk = here.store.diskOf(id);
  here.attaching.add(id);
  try {
    await here.alone('devices', async () => {
      const node = await attachDisk(here.run, disk, id);
      if (here.aliases) linkAlias(node, aliasOf(device));
    });
    await here.store.exclusive(() => here.store.change('volumes', id, (made) => ({ ...made, attachment: completed(made) })));
  } catch (error) {
    await here.alone('devices', async () => {
      const node = deviceOf(disk);
      if (node !== undefined) await detachDisk(here.run, disk, node, id);
    });
    await here.store.exclusive(() => here.store.change('volumes', id, ({ attachment: _, ...made }) => made));
    throw error;
  } finally {
    here.attaching.delete(id);
  }
  return attachmentBody(volume, here, attachmentState(volume, here));
});

const detachVolume = action('DetachVolume', async ({ VolumeId: id, InstanceId: named, Device: wanted, Force: force }, here) => {
  const volume = own(here, 'volumes', id);
  if (named !== undefined) mustBeId('instances', named);
  stopDryRun(here);
  const asked = new Date().toISOString();
  const detaching = await here.store.exclusive(() => {
    const { attachment, ...rest } = own(here, 'volumes', volume.id);
    if (!isAttached(volume, here)) throw new Ec2Error('IncorrectState', `Volume '${volume.id}' is in the 'available' state.`);
    const { instance, device } = { instance: named ?? here.instance, device: wanted ?? attachment?.device };
    if (instance !== here.instance || device !== (attachment?.device ?? device)) {
      throw new Ec2Error('InvalidAttachment.NotFound', `The volume '${volume.id}' is not attached to instance '${instance}' as device '${device}'.`);
    }
    const asking: Volume = { ...rest, attachment: { device: '', since: rest.created, asked, ...attachment, detaching: true } };
    here.store.put('volumes', asking);
    return asking;
  });
  // A forced detach is immediate. Mounted volumes stay attached nevertheless, because their data would be lost.
  const after = await settled(detaching, here, force);
  return attachmentBody(detaching, here, after.attachment === undefined ? 'detached' : attachmentState(after, here));
});

export const attachmentActions = [attachVolume, detachVolume];

/** The root volume of this machine. The embedded EC2 did not create it, so it can only be described. */
export function rootVolume(here: Here): Volume {
  const since = launched();
  return {
    id: machine.rootVolume,
    created: since,
    tags: [],
    owner: here.account,
    size: rootSizeGiB(),
    zone: here.zone,
    type: 'gp3',
    iops: 3000,
    throughput: 125,
    encrypted: false,
    ready: true,
    attachment: { device: machine.rootDevice, since, detaching: false },
  };
}

/** The volumes with the given ids, or all that the embedded EC2 created. The root volume is not among all: clients that clean up would fail on it. */
export function selectedVolumes(ids: readonly string[] | undefined, here: Here): Volume[] {
  const volumes = selected(
    here,
    'volumes',
    ids?.filter((id) => id !== machine.rootVolume),
  );
  return ids?.includes(machine.rootVolume) ? [...volumes, rootVolume(here)] : volumes;
}

/** Volumes of the embedded EC2 that are attached to this machine. */
export function attachedVolumes(here: Here): Volume[] {
  return here.store.list('volumes').filter((volume) => ownerOf(volume) === here.account && isAttached(volume, here));
}

/** Finishes attachments that a killed process had begun, as far as the kernel has them. */
export async function finishAttachments(here: Here): Promise<void> {
  const halfAttached = ({ attachment }: Volume) => hasDied(attachment?.maker);
  for (const { id } of here.store.list('volumes').filter(halfAttached)) {
    await here.alone('devices', async () => {
      const { attachment } = here.store.get('volumes', id) ?? {};
      if (attachment === undefined || !hasDied(attachment.maker)) return;
      const device = deviceOf(here.store.diskOf(id));
      if (device !== undefined) {
        await here.run(['partx', '--update', device], { allow: [1] });
        linkDevice(device, id);
        if (!isAliasTaken(aliasOf(attachment.device))) linkAlias(device, aliasOf(attachment.device));
      }
      await here.store.exclusive(() =>
        here.store.change('volumes', id, (volume) => ({ ...volume, attachment: device === undefined ? undefined : completed(volume) })),
      );
    });
  }
}

/** Detaches the volumes that were attached for clients of a server. @returns the volumes in use, which stay attached. */
export async function detachServed(here: Here): Promise<{ volume: string; device: string }[]> {
  const left = [];
  for (const volume of here.store.list('volumes')) {
    const disk = here.store.diskOf(volume.id);
    const device = deviceOf(disk);
    if (device === undefined || aliasesTo(device).length === 0) continue;
    if (await isSoonFree(device)) {
      const detaching: Volume = { ...volume, attachment: { device: '', since: volume.created, ...volume.attachment, detaching: true } };
      const asked = here.store.exclusive(() => here.store.put('volumes', detaching));
      await asked.then(() => settled(detaching, here, true)).catch(() => {});
    }
    if (deviceOf(disk) !== undefined) left.push({ volume: volume.id, device });
  }
  return left;
}

/** Whether a device is not in use, or only for a moment: udev and others look at a device that somebody has closed. */
async function isSoonFree(device: string): Promise<boolean> {
  for (let waited = 0; isBusy(device); waited += lookAgainMs) {
    if (waited >= busyMs) return false;
    await sleep(lookAgainMs);
  }
  return true;
}

const lookAgainMs = 50;
const busyMs = 1_000;

/** The attachment, if it is complete. */
function completed({ attachment }: Volume): Attachment | undefined {
  return attachment && { ...attachment, maker: undefined };
}

/** Completes a detach that was requested while the volume was in use. EC2 also does this once the guest has unmounted it. */
export async function settled(volume: Volume, here: Here, force = false): Promise<Volume> {
  const { attachment } = volume;
  if (!attachment?.detaching) return volume;
  const disk = here.store.diskOf(volume.id);
  // Meanwhile the volume may have been detached and attached again.
  const isThis = (now: Volume | undefined) => now?.attachment?.detaching === true && now.attachment.asked === attachment.asked;
  const stays = await here.alone('devices', async () => {
    const device = deviceOf(disk);
    if (device === undefined || !isThis(here.store.get('volumes', volume.id))) return false;
    if (isBusy(device) || (!force && !hasPassed({ created: attachment.asked ?? '' }, here.latency.detach))) return true;
    await detachDisk(here.run, disk, device, volume.id);
    return false;
  });
  if (stays) return volume;
  return here.store.exclusive(() => {
    const now = here.store.get('volumes', volume.id);
    const { attachment: _, ...detached } = now ?? volume;
    if (now === undefined || !isThis(now)) return now ?? detached;
    here.store.put('volumes', detached);
    return detached;
  });
}

export function isAttached(volume: Volume, here: Here): boolean {
  return volume.id === machine.rootVolume || deviceOf(here.store.diskOf(volume.id)) !== undefined;
}

/** Whether a volume is attached or about to be. Between choosing the device name and attaching the loop device, some time passes. */
export function isTaken(volume: Volume, here: Here): boolean {
  const { maker } = volume.attachment ?? {};
  const underWay = maker !== undefined && !hasDied(maker) && (maker !== thisMaker() || here.attaching.has(volume.id));
  return isAttached(volume, here) || underWay;
}

export function isReady(volume: Volume, here: Here): boolean {
  return volume.ready && hasPassed(volume, here.latency.volume);
}

/** EC2 reports `busy` while the guest uses the volume. Until then, detaching is just not complete. */
export function attachmentState({ id, attachment }: Volume, here: Here): VolumeAttachmentState {
  if (attachment?.detaching) {
    const device = deviceOf(here.store.diskOf(id));
    return device !== undefined && isBusy(device) ? 'busy' : 'detaching';
  }
  return hasPassed({ created: attachment?.since ?? '' }, here.latency.attach) ? 'attached' : 'attaching';
}

export function attachmentBody(volume: Volume, here: Here, status: VolumeAttachmentState): VolumeAttachment {
  return {
    volumeId: volume.id,
    instanceId: here.instance,
    device: volume.attachment?.device,
    status,
    attachTime: volume.attachment?.since,
    deleteOnTermination: volume.id === machine.rootVolume,
  };
}
