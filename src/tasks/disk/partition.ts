import { partitionOf, partitionsOf, rootTypes } from '../../linux/block_devices.js';
import { defineKind } from '../../runtime/engine/kind.js';

const linux = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

/**
 * Partition types by their usual names. `root` is the type for this machine's architecture, by which systemd and
 * others find the root without configuration. Source: Discoverable Partitions Specification, UAPI group.
 */
const types: Record<string, string> = {
  bios: '21686148-6449-6E6F-744E-656564454649',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  linux,
  root: rootTypes[process.arch] ?? linux,
  boot: 'BC13C2FF-59E6-4262-A352-B275FD6F7172',
  swap: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
  home: '933AC7E1-2EB4-4F13-B844-0E14E2AEF915',
  lvm: 'E6D6D379-F507-44C2-A23C-238F2A3DF928',
};

export const partition = defineKind({
  name: 'disk.partition',
  summary: 'Writes a partition table (GPT) to a disk',
  docs: 'All data on the disk is lost. The task is a resource because its output `partitions` is valid only while the disk is attached. Nothing is undone.',
  lifetime: 'resource',
  in: 'none',
  content: 1,
  tools: { sfdisk: 'fdisk', partx: 'util-linux' },
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['device', 'partitions'],
    properties: {
      device: { type: 'string', pattern: '^/dev/', description: 'The disk' },
      table: { enum: ['gpt'], default: 'gpt', description: 'Type of the partition table' },
      partitions: {
        type: 'array',
        minItems: 1,
        maxItems: 128,
        description: 'The partitions, in their order on the disk',
        items: {
          type: 'object',
          description: 'A partition',
          additionalProperties: false,
          required: ['name'],
          properties: {
            name: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,35}$', description: 'Name in the partition table and in the output `partitions`' },
            size: { type: 'string', pattern: '^[0-9]+(MiB|GiB|TiB)$', description: 'Size with unit, e.g. `512MiB`; defaults to the rest of the disk' },
            type: {
              type: 'string',
              pattern: '^(bios|esp|linux|root|boot|swap|home|lvm|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$',
              default: 'linux',
              description: '`bios`, `esp`, `linux`, `root`, `boot`, `swap`, `home`, `lvm`, or the GUID of a partition type',
            },
          },
        },
      },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['partitions', 'device'],
    properties: {
      partitions: { type: 'object', description: 'Device of each partition by its name', additionalProperties: { type: 'string' } },
      device: { type: 'string', description: 'The disk' },
    },
  },
  example: {
    device: '{{ disk.device }}',
    partitions: [
      { name: 'bios', size: '1MiB', type: 'bios' },
      { name: 'root', type: 'root' },
    ],
  },
  run: async ({ device, partitions }, context) => {
    const names = partitions.map(({ name }) => name);
    const duplicate = names.find((name, i) => names.indexOf(name) !== i);
    if (duplicate !== undefined) throw new Error(`duplicate partition name "${duplicate}"`);
    const lines = partitions.map(({ name, size, type }) => {
      const fields = [`name="${name}"`, `type=${types[type] ?? type}`, ...(size === undefined ? [] : [`size=${size}`])];
      return fields.join(', ');
    });
    // partx reports the partitions to the kernel: it also works if the kernel cannot parse partition tables, and it
    // saves a sync of all file systems of the host.
    const write = ['sfdisk', '--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'always', '--wipe-partitions', 'always', device];
    await context.shell.run(write, { input: `label: gpt\n${lines.join('\n')}\n`, signal: context.signal });
    // Not --update, which stops at the number of partitions: it misses 14 and 15 beside 1.
    const { shell, signal } = context;
    if (partitionsOf(device).size > 0) await shell.run(['partx', '--delete', device], { signal });
    // It fails if udev was faster.
    await shell.run(['partx', '--add', device], { signal, allow: [1] });
    return { partitions: await nodesOf(device, names, signal), device };
  },
  reopen: async ({ device, partitions }, _, { signal }) => {
    const names = partitions.map(({ name }) => name);
    return { partitions: await nodesOf(device, names, signal), device };
  },
});

/** The device nodes of the partitions of a disk, by name. */
async function nodesOf(device: string, names: readonly string[], signal: AbortSignal): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [i, name] of names.entries()) found[name] = await partitionOf(device, i + 1, signal);
  return found;
}
