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
  /** Where something is mounted, the outer ones first, and how many mounts were there and below before: those are not ours. */
  readonly mounted: readonly { readonly path: string; readonly before: number }[];
}

/** Bounds of what an image may ask for. */
const most = { bytes: 64 * 1024, entries: 64 };

export const fstab = defineKind({
  name: 'mount.fstab',
  summary: "Mounts the other file systems of an image, as the image's own /etc/fstab has them",
  docs: 'What is named there by UUID, LABEL, PARTUUID or PARTLABEL and is on the same disk, e.g. /boot and /boot/efi; of the options only those that decide what is seen, e.g. `ro` and `subvol`. A folder that is missing is made, as the system would do itself. What cannot be mounted is a warning with the line of the table: names such as /dev/xvda2 mean other disks on this machine. Never mounted: `noauto`, swap, bind mounts, network file systems, other disks, and whatever would leave the image.',
  lifetime: 'resource',
  takesBack: 'unmount them and all below them',
  in: 'none',
  tools: { mount: 'mount', umount: 'mount', blkid: 'util-linux' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['root', 'device'],
    properties: {
      root: { type: 'string', pattern: '^/', description: 'Where the root file system of the image is mounted' },
      device: { type: 'string', pattern: '^/dev/', description: 'The disk it is on' },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['mounts'],
    properties: {
      mounts: {
        type: 'array',
        description: 'What is mounted: `path` on the host, `device`, `type`',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['path', 'device', 'type'],
          properties: { path: { type: 'string' }, device: { type: 'string' }, type: { type: 'string' } },
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
        // By a task of the recipe.
        if (there?.source === from) continue;
        if (there !== undefined) throw new Error(`${there.source} is mounted there already`);
        note.mounted.push({ path, before: mountsUnder(path).length });
        noted.update(note satisfies Note);
        await mountDevice({ device: from, path, type, options }, shell, signal);
        made.push({ path, device: from, type });
      } catch (error) {
        signal.throwIfAborted();
        failed.push(entry.target);
        warn(`${entry.target} of the image is not mounted: ${reasonOf(error as Error)} (${entry.shown})`);
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

/** What the image's table asks for; nothing, and a warning, where the table cannot be trusted. */
async function entriesOf(root: string, warn: (message: string) => void): Promise<FstabEntry[]> {
  try {
    const entries = entriesIn((await readInside(root, '/etc/fstab', most.bytes)) ?? '');
    if (entries.length > most.entries) throw new Error(`it names ${entries.length} file systems`);
    return entries;
  } catch (error) {
    warn(`the /etc/fstab of the image is not used, only its root file system is mounted: ${(error as Error).message}`);
    return [];
  }
}

/** Of a command that failed what it said, in its first line. */
function reasonOf(error: Error): string {
  const [first = '', said] = error.message.split('\n');
  return error instanceof CommandError && said !== undefined
    ? said
        .trim()
        .replace(/^mount: .*?: /, '')
        .replace(/\.$/, '')
    : first;
}
