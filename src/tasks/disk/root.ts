import { basename } from 'node:path';
import { diskOf, type ProbedFacts, partitionOf, partitionsOf, probeDevices, rootTypes } from '../../linux/block_devices.js';
import type { Shell } from '../../linux/command.js';
import { guardsFor } from '../../linux/mount_device.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const root = defineKind({
  name: 'disk.root',
  summary: 'Finds the root file system on a disk',
  docs: 'The only one in a partition whose type (GPT) is that of a root; else the only one with an `/etc/os-release`, or `/usr/lib/os-release`, in folders of its own. It is a resource because the device it hands on is good only as long as the disk is attached; nothing is undone. Root file systems on LVM or in LUKS are opened by tasks of your own.',
  lifetime: 'resource',
  in: 'none',
  tools: { blkid: 'util-linux', unshare: 'util-linux', mount: 'mount' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['device'],
    properties: {
      device: { type: 'string', pattern: '^/dev/', description: 'The disk' },
      partition: { type: 'integer', minimum: 0, description: 'Number of the partition, where you know better; 0 is the disk itself' },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['device', 'type'],
    properties: {
      device: { type: 'string', description: 'The partition; the disk itself where it has none' },
      type: { type: 'string', description: 'Type of the file system, e.g. `ext4`' },
    },
  },
  example: { device: '{{ disk.device }}' },
  run: async ({ device, partition }, { shell, signal }) => {
    const disk = diskOf(device);
    if (partition !== undefined) {
      const [named] = await probeDevices([partition === 0 ? disk : await partitionOf(disk, partition, signal)], shell, signal);
      if (named?.['USAGE'] !== 'filesystem')
        throw new Error(`${partition === 0 ? disk : `partition ${partition} of ${disk}`} holds ${named?.['TYPE'] ?? 'no file system'}`);
      return factsOf(named);
    }
    const partitions = [...partitionsOf(disk).values()];
    const all = await probeDevices(partitions.length > 0 ? partitions : [disk], shell, signal);
    const found = all.filter((facts) => facts['USAGE'] === 'filesystem' && rootFileSystems.includes(facts['TYPE'] ?? ''));
    const [typed, ...others] = found.filter((facts) => Object.values(rootTypes).includes(facts['PART_ENTRY_TYPE'] ?? ''));
    if (typed !== undefined && others.length === 0) return factsOf(typed);
    const systems = await withOsRelease(found, shell, signal);
    const [only, ...more] = systems;
    if (only !== undefined && more.length === 0) return factsOf(only);
    const holds = all.map((facts) => `${basename(facts['DEVNAME'] ?? '')}: ${facts['TYPE'] ?? 'nothing known'}`).join(', ');
    const which = only === undefined ? 'no root file system is found' : `${systems.map(({ DEVNAME }) => DEVNAME).join(' and ')} each hold a system`;
    throw new Error(`${which} on ${disk} (${holds}): say which with "partition", or open and mount it by tasks of your own`);
  },
});

/** Types a Linux system has its root on; vfat, say, is only ever a boot partition. */
const rootFileSystems = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs'];

function factsOf({ DEVNAME = '', TYPE = '' }: ProbedFacts): { device: string; type: string } {
  return { device: DEVNAME, type: TYPE };
}

/**
 * Those that hold a system; each is mounted to look, read-only, in a namespace that ends with the command. No link of
 * the image is followed: an absolute one leads to files of the host.
 */
async function withOsRelease(found: readonly ProbedFacts[], shell: Shell, signal: AbortSignal): Promise<readonly ProbedFacts[]> {
  const script = `folder() { [ -d "$1" ] && ! [ -L "$1" ]; }
named() { [ -L "$1" ] || [ -f "$1" ]; }
while [ $# -gt 0 ]; do
  device=$1 options=$2; shift 2
  # XFS refuses a UUID that is mounted already, as on a machine that was started from the same image.
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
