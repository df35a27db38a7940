import { existsSync } from 'node:fs';
import type { VolumeAttachment } from '@aws-sdk/client-ec2';
import { diskByHand } from '../../aws/by_hand.js';
import type { Ec2 } from '../../aws/client.js';
import { changedNothing } from '../../aws/errors.js';
import { devicesTaken, findHost } from '../../aws/instance.js';
import { type Attached, attachVolume, detachVolume, waitForAttachment } from '../../aws/volumes.js';
import { deviceNames, deviceOfVolume } from '../../linux/block_devices.js';
import { defineKind, type TaskContext } from '../../runtime/engine/kind.js';

export const attachment = defineKind({
  name: 'ec2.attachment',
  summary: 'Attaches a volume to this machine; detaches it at the end',
  docs: 'Only one run at a time chooses a free device name on a host. The task succeeds once the device node of the volume has appeared; the output `device` is its path.',
  lifetime: 'resource',
  undoes: 'detach the volume',
  in: 'none',
  permissions: { always: ['ec2:AttachVolume', 'ec2:DescribeInstances', 'ec2:DescribeVolumes', 'ec2:DetachVolume'] },
  directPermissions: [],
  tools: { blkid: 'util-linux', losetup: 'mount', partx: 'util-linux' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['volume'],
    properties: {
      volume: { type: 'string', pattern: '^vol-[0-9a-f]+$', description: 'Id of the volume' },
      device_name: {
        type: 'string',
        pattern: '^/dev/(sd|xvd)[a-z]+$',
        description: "EC2's name for the device, e.g. `/dev/sdf`; defaults to the first free one",
      },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['device', 'device_name', 'name'],
    properties: {
      device: { type: 'string', description: "The kernel's device, e.g. `/dev/nvme1n1`" },
      device_name: { type: 'string', description: "EC2's name for the device, e.g. `/dev/sdf`" },
      name: { type: 'string', description: 'The last part of `device`, e.g. `nvme1n1`' },
    },
  },
  example: { volume: '{{ volume.id }}' },
  run: async ({ volume, device_name }, context) => {
    const ec2 = await context.disks();
    const { instance_id: instance } = await findHost(ec2);
    const attach = () => attachSomewhere(ec2, { volume, instance, names: device_name === undefined ? undefined : [device_name] }, context);
    const { wanted, answered } = await context.exclusive('devices', attach);
    await waitForAttachment(ec2, wanted, answered, context.signal);
    const name = wanted.device;
    const device = await deviceOfVolume(volume, name, context.signal);
    return { device, device_name: name, name: device.slice('/dev/'.length) };
  },
  undo: async (note: Attached, host) => detachVolume(await host.disks(note.region), note, host.signal),
  byHand: (note: Attached, at) => [diskByHand(at, note, 'detach-volume', '--volume-id', note.volume)],
});

interface Wanted {
  readonly volume: string;
  readonly instance: string;
  readonly names: readonly string[] | undefined;
}

/** Attaches under the first device name that is free, both in EC2 and on this machine; another program may be faster. */
async function attachSomewhere(ec2: Ec2, { volume, instance, names }: Wanted, context: TaskContext): Promise<{ wanted: Attached; answered: VolumeAttachment }> {
  // Looked up only once the first name is taken, which is rare.
  let taken: readonly string[] | undefined;
  for (const device of names ?? deviceNames) {
    if (taken?.includes(device)) continue;
    if (names === undefined && (existsSync(device) || existsSync(device.replace('/dev/sd', '/dev/xvd')))) continue;
    const wanted: Attached = { volume, instance, device, region: ec2.region, asked_at: new Date().toISOString() };
    const note = context.note(wanted);
    try {
      const answered = await attachVolume(ec2, wanted, context.signal);
      if (answered !== undefined) {
        note.update({ ...wanted, attached_at: (answered.AttachTime ?? new Date()).toISOString() });
        return { wanted, answered };
      }
    } catch (error) {
      // A refused call has changed nothing; if the volume is attached, then by somebody else.
      if (changedNothing(error)) note.remove();
      throw error;
    }
    note.remove();
    if (names === undefined) taken ??= await devicesTaken(ec2, instance);
  }
  throw new Error(names === undefined ? `all device names from ${deviceNames[0]} to ${deviceNames.at(-1)} are taken` : `the device name ${names[0]} is taken`);
}
