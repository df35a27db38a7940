import { realpathSync } from 'node:fs';
import { deviceOn, diskOf, partitionNumber, partitionsOf, probeDevices } from '../../linux/block_devices.js';
import { CommandError } from '../../linux/command.js';
import { entriesIn, type FstabEntry, optionsOf, partitionFor } from '../../linux/fstab.js';
import { mountDevice } from '../../linux/mount_device.js';
import { mountsUnder, unmountTree } from '../../linux/mounts.js';
import { makeInside, readInside } from '../../linux/rooted_path.js';
import { shellWord } from '../../linux/shell_quote.js';
import { defineKind, type TaskContext } from '../../runtime/engine/kind.js';

interface Note {
  /** Mount points of the task, outer ones first, and how many mounts were at and below each before: those are not ours. */
  readonly mounted: readonly { readonly path: string; readonly before: number }[];
}

/** Limits for the /etc/fstab of an image. */
const limits = { bytes: 64 * 1024, entries: 64 };

export const fstab = defineKind({
  name: 'mount.fstab',
  summary: "Mounts the other file systems of an image, as listed in the image's /etc/fstab",
  docs: 'Mounts each entry that names a file system on the same disk by UUID, LABEL, PARTUUID or PARTLABEL, e.g. /boot and /boot/efi. Uses only the mount options that change what is visible, e.g. `ro` and `subvol`. Creates missing mount points, as systemd does at boot. Warns about an entry that it cannot mount, with the line of the table; for example, /dev/xvda2 is another disk on this machine. Ignores `noauto` entries, swap, bind mounts, network file systems, other disks, and mount points outside the image.',
  lifetime: 'resource',
  undoes: 'unmount them and everything below them',
  in: 'none',
  looks: true,
  tools: { mount: 'mount', umount: 'mount', blkid: 'util-linux' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['root', 'device'],
    properties: {
      root: { type: 'string', pattern: '^/', description: 'Mount point of the root file system of the image' },
      device: { type: 'string', pattern: '^/dev/', description: 'The disk that holds the image' },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['mounts'],
    properties: {
      mounts: {
        type: 'array',
        description: 'The mounts',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['path', 'target', 'device', 'partition', 'type', 'options'],
          properties: {
            path: { type: 'string', description: 'Mount point on the host' },
            target: { type: 'string', description: 'Mount point in the image' },
            device: { type: 'string', description: 'The mounted device' },
            partition: { type: 'integer', description: 'Number of the partition; 0 is the whole disk' },
            type: { type: 'string', description: 'Type of the file system' },
            options: { type: 'array', description: 'Mount options', items: { type: 'string' } },
          },
        },
      },
    },
  },
  example: { root: '{{ root.path }}', device: '{{ disk.device }}' },
  run: async ({ root: given, device }, context) => {
    const { shell, signal, warn } = context;
    const root = realpathSync(given);
    const entries = await entriesOf(root, warn);
    if (entries.length === 0) return { mounts: [] };
    const disk = diskOf(device);
    const nodes = [...partitionsOf(disk).values()];
    const partitions = await probeDevices(nodes.length > 0 ? nodes : [disk], shell, signal);
    const mountOne = mounterIn(root, disk, context);
    const made: Mounted[] = [];
    const failed: string[] = [];
    for (const entry of entries) {
      try {
        const above = failed.find((target) => entry.target.startsWith(`${target}/`));
        if (above !== undefined) throw new Error(`${above} is not mounted`);
        const { DEVNAME: from = '', TYPE: type = '' } = partitionFor(entry, partitions);
        const mounted = await mountOne({ target: entry.target, device: from, type, options: optionsOf(entry, type) });
        if (mounted !== undefined) made.push(mounted);
      } catch (error) {
        signal.throwIfAborted();
        failed.push(entry.target);
        warn(`${entry.target} of the image was not mounted: ${reasonOf(error as Error)} (${entry.shown})`);
      }
    }
    return { mounts: made };
  },
  reopen: async ({ root: given, device }, { mounts }, context) => {
    if (mounts.length === 0) return { mounts: [] };
    const disk = diskOf(device);
    const mountOne = mounterIn(realpathSync(given), disk, context);
    const made: Mounted[] = [];
    for (const { target, partition, type, options } of mounts) {
      const mounted = await mountOne({ target, device: await deviceOn(disk, partition, context.signal), type, options });
      if (mounted !== undefined) made.push(mounted);
    }
    return { mounts: made };
  },
  undo: async ({ mounted }: Note, { shell, mountsGone }) => {
    if (mountsGone) return;
    for (const { path, before } of [...mounted].reverse()) await unmountTree(path, shell, before);
  },
  byHand: ({ mounted }: Note, { mountsGone }) =>
    (mountsGone ? [] : [...mounted].reverse())
      .filter(({ path, before }) => mountsUnder(path).length > before)
      .map(({ path }) => `umount -R -- ${shellWord(path)}`),
});

/** A file system to mount in an image. */
interface Wanted {
  readonly target: string;
  readonly device: string;
  readonly type: string;
  readonly options: string[];
}

interface Mounted extends Wanted {
  readonly path: string;
  readonly partition: number;
}

/** Returns what mounts a file system of a disk in an image, noted before; it returns undefined if a task of the recipe has mounted it. */
function mounterIn(root: string, disk: string, { note, shell, signal }: TaskContext): (wanted: Wanted) => Promise<Mounted | undefined> {
  const mounted: { path: string; before: number }[] = [];
  const noted = note({ mounted } satisfies Note);
  return async (wanted) => {
    const path = makeInside(root, wanted.target);
    if (path === root) throw new Error('it would hide the root file system');
    const there = mountsUnder(path).find((mount) => mount.path === path);
    if (there?.source === wanted.device) return undefined;
    if (there !== undefined) throw new Error(`${there.source} is mounted there already`);
    mounted.push({ path, before: mountsUnder(path).length });
    noted.update({ mounted } satisfies Note);
    await mountDevice({ ...wanted, path }, shell, signal);
    return { ...wanted, path, partition: partitionNumber(disk, wanted.device) };
  };
}

/** The entries of the image's /etc/fstab; none, with a warning, if the file cannot be used. */
async function entriesOf(root: string, warn: (message: string) => void): Promise<FstabEntry[]> {
  try {
    const entries = entriesIn((await readInside(root, '/etc/fstab', limits.bytes)) ?? '');
    if (entries.length > limits.entries) throw new Error(`it names ${entries.length} file systems, the limit is ${limits.entries}`);
    return entries;
  } catch (error) {
    warn(`the /etc/fstab of the image was ignored and only its root file system is mounted: ${(error as Error).message}`);
    return [];
  }
}

/** The first line that a failed command printed, or of the message of another error. */
function reasonOf(error: Error): string {
  const [first = '', output] = error.message.split('\n');
  return error instanceof CommandError && output !== undefined
    ? output
        .trim()
        .replace(/^mount: .*?: /, '')
        .replace(/\.$/, '')
    : first;
}
