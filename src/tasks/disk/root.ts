import { basename } from 'node:path';
import { deviceOn, diskOf, type ProbedFacts, partitionNumber, partitionsOf, probeDevices, rootTypes } from '../../linux/block_devices.js';
import type { Shell } from '../../linux/command.js';
import { guardsFor } from '../../linux/mount_device.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const root = defineKind({
  name: 'disk.root',
  summary: 'Finds the root file system on a disk',
  docs: 'Takes the only file system in a partition whose GPT type is "root". Otherwise takes the only file system that contains `/etc/os-release` or `/usr/lib/os-release`; a /etc or /usr that is a link does not count. If the root file system is on LVM or in LUKS, open it with tasks of your own. The task is a resource because its output `device` is valid only while the disk is attached. Nothing is undone.',
  lifetime: 'resource',
  in: 'none',
  looks: true,
  tools: { blkid: 'util-linux', unshare: 'util-linux', mount: 'mount' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['device'],
    properties: {
      device: { type: 'string', pattern: '^/dev/', description: 'The disk' },
      partition: { type: 'integer', minimum: 0, description: 'Number of the root partition, to skip the search; 0 is the whole disk' },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['device', 'partition', 'type'],
    properties: {
      device: { type: 'string', description: 'The root partition, or the disk if it has no partitions' },
      partition: { type: 'integer', description: 'Number of the root partition; 0 is the whole disk' },
      type: { type: 'string', description: 'Type of the file system, e.g. `ext4`' },
    },
  },
  example: { device: '{{ disk.device }}' },
  run: async ({ device, partition }, { shell, signal }) => {
    const disk = diskOf(device);
    if (partition !== undefined) {
      const [named] = await probeDevices([await deviceOn(disk, partition, signal)], shell, signal);
      if (named?.['USAGE'] !== 'filesystem')
        throw new Error(`${partition === 0 ? disk : `partition ${partition} of ${disk}`} holds ${named?.['TYPE'] ?? 'no file system'}`);
      return factsOf(disk, named);
    }
    const partitions = [...partitionsOf(disk).values()];
    const all = await probeDevices(partitions.length > 0 ? partitions : [disk], shell, signal);
    const found = all.filter((facts) => facts['USAGE'] === 'filesystem' && rootFileSystems.includes(facts['TYPE'] ?? ''));
    const [typed, ...others] = found.filter((facts) => Object.values(rootTypes).includes(facts['PART_ENTRY_TYPE'] ?? ''));
    if (typed !== undefined && others.length === 0) return factsOf(disk, typed);
    const systems = await withOsRelease(found, shell, signal);
    const [only, ...more] = systems;
    if (only !== undefined && more.length === 0) return factsOf(disk, only);
    const holds = all.map((facts) => `${basename(facts['DEVNAME'] ?? '')}: ${facts['TYPE'] ?? 'unknown content'}`).join(', ');
    const which = only === undefined ? 'no root file system' : `several root file systems, ${systems.map(({ DEVNAME }) => DEVNAME).join(' and ')},`;
    throw new Error(`${which} on ${disk} (${holds}): set "partition", or open and mount it with tasks of your own`);
  },
  reopen: async ({ device }, { partition, type }, { signal }) => ({ device: await deviceOn(diskOf(device), partition, signal), partition, type }),
});

/** Types of file systems that can hold the root of a Linux system; vfat, for example, cannot. */
const rootFileSystems = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs'];

function factsOf(disk: string, { DEVNAME = '', TYPE = '' }: ProbedFacts): { device: string; partition: number; type: string } {
  return { device: DEVNAME, partition: partitionNumber(disk, DEVNAME), type: TYPE };
}

/**
 * The file systems that hold an operating system. Each is mounted read-only, in a namespace that ends with the command.
 * Links in the image are not followed, since an absolute link would lead to files of the host.
 */
async function withOsRelease(found: readonly ProbedFacts[], shell: Shell, signal: AbortSignal): Promise<readonly ProbedFacts[]> {
  const script = `folder() { [ -d "$1" ] && ! [ -L "$1" ]; }
named() { [ -L "$1" ] || [ -f "$1" ]; }
while [ $# -gt 0 ]; do
  device=$1 options=$2; shift 2
  # XFS refuses a UUID that is mounted already, for example on a machine that was started from the same image.
  mount -o "$options" -- "$device" /mnt 2>/dev/null || mount -o "$options,nouuid" -- "$device" /mnt || continue
  if { folder /mnt/etc && named /mnt/etc/os-release; } || { folder /mnt/usr && folder /mnt/usr/lib && named /mnt/usr/lib/os-release; }; then
    echo "$device"
  fi
  umount /mnt
done`;
  const each = found.flatMap(({ DEVNAME = '', TYPE = '' }) => [DEVNAME, ['ro', ...guardsFor(TYPE)].join(',')]);
  const lines = await shell.run(['unshare', '--mount', '--', '/bin/sh', '-ec', script, 'look', ...each], { signal });
  return found.filter(({ DEVNAME = '' }) => lines.split('\n').includes(DEVNAME));
}
