import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { diskOf, fileSystemOn, partitionOf, partitionsOf } from '../../linux/block_devices.js';
import type { Shell } from '../../linux/command.js';
import { guardsFor } from '../../linux/mount_device.js';
import { mounts } from '../../linux/mounts.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const grow = defineKind({
  name: 'disk.grow',
  summary: 'Grows a partition to the end of its disk, and the file system in it',
  docs: 'Use it on a volume that is larger than its snapshot. It supports ext4, xfs and btrfs, mounted or not. If there is no free space after the partition, nothing changes. Nothing is undone.',
  lifetime: 'step',
  in: 'none',
  content: 1,
  // Nobody knows before the run whether the file system is ext4; on Debian, e2fsprogs is nearly everywhere.
  tools: { sfdisk: 'fdisk', partx: 'util-linux', blkid: 'util-linux', e2fsck: 'e2fsprogs', resize2fs: 'e2fsprogs' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['device'],
    properties: {
      device: { type: 'string', pattern: '^/dev/', description: 'The disk' },
      partition: {
        type: ['integer', 'string'],
        description: 'The last partition on the disk, by number or device; leave it out if the disk has no partition table',
      },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['size'],
    properties: { size: { type: 'integer', description: 'Size of the partition afterwards, in bytes' } },
  },
  example: { device: '{{ disk.device }}', partition: 2 },
  run: async ({ device, partition }, { shell, signal }) => {
    const disk = diskOf(device);
    if (partition === undefined || partition === disk) {
      if (partitionsOf(disk).size > 0) throw new Error(`${disk} has partitions: set "partition" to the one to grow`);
      await growFileSystem(disk, shell, signal);
      return { size: sizeOf(disk) };
    }
    const number = numberOf(disk, partition);
    // The second copy of the table is where the disk used to end; sfdisk moves it when it writes.
    await shell.run(['sfdisk', '--quiet', '--no-reread', '--no-tell-kernel', '--force', '-N', String(number), disk], { input: ', +\n', signal });
    await shell.run(['partx', '--update', '--nr', String(number), disk], { signal });
    const node = await partitionOf(disk, number, signal);
    await growFileSystem(node, shell, signal);
    return { size: sizeOf(node) };
  },
});

function numberOf(disk: string, partition: string | number): number {
  const all = partitionsOf(disk);
  const number = /^[0-9]+$/.test(String(partition)) ? Number(partition) : [...all].find(([, node]) => node === partition)?.[0];
  if (number === undefined || !all.has(number)) throw new Error(`${disk} has no partition ${partition}; it has ${[...all.keys()].join(', ') || 'none'}`);
  // Not the last by number: cloud images number the root 1 and the small partitions before it 14 and 15.
  const behind = [...all].find(([, node]) => firstSectorOf(node) > firstSectorOf(all.get(number) as string));
  if (behind !== undefined) throw new Error(`partition ${number} is not at the end of ${disk}: partition ${behind[0]} is behind it`);
  return number;
}

function firstSectorOf(node: string): number {
  return Number(readFileSync(`/sys/class/block/${basename(node)}/start`, 'utf8'));
}

/** Size in bytes. The kernel counts in units of 512 bytes, whatever the sector size of the disk. */
function sizeOf(node: string): number {
  return Number(readFileSync(`/sys/class/block/${basename(node)}/size`, 'utf8')) * 512;
}

async function growFileSystem(node: string, shell: Shell, signal: AbortSignal): Promise<void> {
  const type = await fileSystemOn(node, shell, signal);
  const mounted = mounts().find((mount) => mount.source === node)?.path;
  if (type === 'ext4') {
    if (mounted === undefined) await shell.run(['e2fsck', '-f', '-p', node], { signal, allow: [1] });
    await shell.run(['resize2fs', node], { signal });
    return;
  }
  const command = { xfs: 'xfs_growfs', btrfs: 'btrfs filesystem resize max' }[type];
  // This machine, or another build, may use the same image, and so a file system with the same UUID.
  const options = [...guardsFor(type), ...(type === 'xfs' ? ['nouuid'] : [])].join(',');
  if (command === undefined) throw new Error(`${node} holds ${type === '' ? 'no file system' : type}: only ext4, xfs and btrfs can be grown`);
  if (mounted !== undefined) await shell.run([...command.split(' '), mounted], { signal });
  // XFS and btrfs grow only while mounted. The mount is in a namespace of its own and ends with the command.
  else await shell.run(['unshare', '--mount', '--', '/bin/sh', '-ec', `mount -o ${options} -- "$1" /mnt; ${command} /mnt`, 'grow', node], { signal });
}
