import { realpathSync } from 'node:fs';
import { diskOf, partitionsOf, probeDevices } from '../../linux/block_devices.js';
import { CommandError } from '../../linux/command.js';
import { entriesIn, type FstabEntry, optionsOf, partitionFor } from '../../linux/fstab.js';
import { mountDevice } from '../../linux/mount_device.js';
import { mountsUnder, unmountTree } from '../../linux/mounts.js';
import { makeInside, readInside } from '../../linux/rooted_path.js';
import { shellWord } from '../../linux/shell_quote.js';
import { defineKind } from '../../runtime/engine/kind.js';

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
          required: ['path', 'device', 'type'],
          properties: {
            path: { type: 'string', description: 'Mount point on the host' },
            device: { type: 'string', description: 'The mounted device' },
            type: { type: 'string', description: 'Type of the file system' },
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
    const note: { mounted: { path: string; before: number }[] } = { mounted: [] };
    const noted = context.note(note);
    const made: { path: string; device: string; type: string }[] = [];
    const failed: string[] = [];
    for (const entry of entries) {
      try {
        const above = failed.find((target) => entry.target.startsWith(`${target}/`));
        if (above !== undefined) throw new Error(`${above} is not mounted`);
        const { DEVNAME: from = '', TYPE: type = '' } = partitionFor(entry, partitions);
        const options = optionsOf(entry, type);
        const path = makeInside(root, entry.target);
        if (path === root) throw new Error('it would hide the root file system');
        const there = mountsUnder(path).find((mount) => mount.path === path);
        // A task of the recipe has mounted it.
        if (there?.source === from) continue;
        if (there !== undefined) throw new Error(`${there.source} is mounted there already`);
        note.mounted.push({ path, before: mountsUnder(path).length });
        noted.update(note satisfies Note);
        await mountDevice({ device: from, path, type, options }, shell, signal);
        made.push({ path, device: from, type });
      } catch (error) {
        signal.throwIfAborted();
        failed.push(entry.target);
        warn(`${entry.target} of the image was not mounted: ${reasonOf(error as Error)} (${entry.shown})`);
      }
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
