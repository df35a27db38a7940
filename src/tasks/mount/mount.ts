import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileSystemOn, partitionOf, partitionsOf } from '../../linux/block_devices.js';
import { mountDevice } from '../../linux/mount_device.js';
import { makeNotedFolder, mounts, mountsUnder, removeNotedFolder, unmountTree } from '../../linux/mounts.js';
import { makeInside } from '../../linux/rooted_path.js';
import { shellWord } from '../../linux/shell_quote.js';
import { defineKind } from '../../runtime/engine/kind.js';

interface Note {
  readonly path: string;
  /** The topmost folder created for it; in format 1 whether the last one was created. */
  readonly made?: string | boolean | undefined;
  /** How many mounts were at and below the path before the task: those are not ours. */
  readonly before: number;
}

export const mount = defineKind({
  name: 'mount',
  summary: 'Mounts a file system; unmounts it, and everything below it, at the end',
  docs: 'If `path` is inside another mount of the run, its links are resolved inside that mount, so no link in an image leads to a folder of the host. Device nodes do not work on the mount (`nodev`). Programs that need them, such as debootstrap, require `options: [dev]`. An error in an ext2, ext3 or ext4 file system makes the mount read-only, whatever the image specifies.',
  lifetime: 'resource',
  undoes: 'unmount it and everything below it',
  in: 'none',
  tools: { mount: 'mount', umount: 'mount', blkid: 'util-linux' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['device'],
    properties: {
      device: { type: 'string', description: 'The device, e.g. a partition; or a disk, together with `partition`' },
      partition: { type: 'integer', minimum: 1, description: 'Number of the partition, if `device` is a disk' },
      path: { type: 'string', pattern: '^/', description: 'Mount point; defaults to a folder in the folder of the run' },
      type: { type: 'string', description: 'Type of the file system; detected by default' },
      options: {
        type: 'array',
        default: [],
        description: 'Mount options, e.g. `noatime`; `nodev` is added unless `dev` is among them',
        items: { type: 'string' },
      },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['path', 'device'],
    properties: { path: { type: 'string', description: 'The mount point' }, device: { type: 'string', description: 'The mounted device' } },
  },
  example: { device: '{{ rootfs.device }}', options: ['noatime'] },
  run: async (params, context) => {
    const { signal } = context;
    const device = params.partition === undefined ? params.device : await partitionOf(params.device, params.partition, signal);
    if (params.partition === undefined && existsSync(device) && partitionsOf(device).size > 0) {
      const known = [...partitionsOf(device).keys()].join(', ');
      throw new Error(`${device} is a disk with partitions (${known}): set "partition" to one of them, or find it with disk.root`);
    }
    const path = realPathOf(params.path === undefined ? context.mountPoint : placeFor(params.path, dirname(context.mountPoint)));
    makeNotedFolder(path, (made) => context.note({ path, made, before: mountsUnder(path).length } satisfies Note));
    if (!statSync(path).isDirectory()) throw new Error(`${path} is not a folder`);
    const type = params.type ?? (statSync(device, { throwIfNoEntry: false })?.isBlockDevice() ? await fileSystemOn(device, context.shell, signal) : '');
    const wanted = { device, path, type: type === '' ? undefined : type, options: params.options };
    await mountDevice(wanted, context.shell, signal, () => context.progress('waiting until another btrfs with the same UUID is unmounted'));
    return { path, device };
  },
  undo: async ({ path, made, before }: Note, { shell, mountsGone }) => {
    if (!mountsGone) await unmountTree(path, shell, before);
    removeNotedFolder(path, made === true ? path : made || undefined);
  },
  byHand: ({ path, before }: Note, { mountsGone }) => (mountsGone || mountsUnder(path).length <= before ? [] : [`umount -R -- ${shellWord(path)}`]),
});

/** A path with its links resolved. The last parts of the path may be missing. */
function realPathOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realPathOf(dirname(path)), basename(path));
}

/** A path below another mount of the run is inside an image: links are resolved and missing folders created in the image. */
function placeFor(path: string, folder: string): string {
  const wanted = resolve(path);
  const below = mounts()
    .map((m) => m.path)
    .filter((root) => root.startsWith(`${folder}/`) && wanted.startsWith(`${root}/`))
    .sort((a, b) => b.length - a.length)[0];
  return below === undefined ? wanted : makeInside(below, wanted.slice(below.length));
}
