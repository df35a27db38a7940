import { randomBytes, randomUUID } from 'node:crypto';
import { defineKind } from '../../runtime/engine/kind.js';

type Type = 'ext4' | 'xfs' | 'btrfs' | 'vfat';
type Command = (want: { readonly device: string; readonly label: string | undefined; readonly uuid: string; readonly options: readonly string[] }) => string[];

const commands: Record<Type, Command> = {
  ext4: ({ device, label, uuid, options }) => ['mkfs.ext4', '-q', '-F', '-U', uuid, ...(label === undefined ? [] : ['-L', label]), ...options, device],
  xfs: ({ device, label, uuid, options }) => ['mkfs.xfs', '-q', '-f', '-m', `uuid=${uuid}`, ...(label === undefined ? [] : ['-L', label]), ...options, device],
  btrfs: ({ device, label, uuid, options }) => ['mkfs.btrfs', '-q', '-f', '-U', uuid, ...(label === undefined ? [] : ['-L', label]), ...options, device],
  vfat: ({ device, label, uuid, options }) => ['mkfs.vfat', '-i', uuid.replace('-', ''), ...(label === undefined ? [] : ['-n', label]), ...options, device],
};

const tools: Record<Type, string> = { ext4: 'e2fsprogs', xfs: 'xfsprogs', btrfs: 'btrfs-progs', vfat: 'dosfstools' };

export const filesystem = defineKind({
  name: 'disk.filesystem',
  summary: 'Creates a file system',
  docs: 'All data on the device is lost. The task is a resource because its output `device` is valid only while the disk is attached. Nothing is undone. The output `uuid` is the UUID of the new file system.',
  lifetime: 'resource',
  in: 'none',
  content: 1,
  tools: {},
  toolsFor: ({ type }) => (Object.hasOwn(tools, String(type)) ? { [`mkfs.${type}`]: tools[type as Type] } : {}),
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['device', 'type'],
    properties: {
      device: { type: 'string', pattern: '^/dev/', description: 'The device, e.g. a partition' },
      type: { enum: ['ext4', 'xfs', 'btrfs', 'vfat'], description: 'Type of the file system' },
      label: { type: 'string', minLength: 1, maxLength: 16, description: 'Label: at most 11 characters for vfat, 12 for xfs, 16 for ext4' },
      uuid: {
        type: 'string',
        pattern: '^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-F]{4}-[0-9A-F]{4})$',
        description: 'UUID (vfat: `ABCD-1234`); defaults to a random one',
      },
      options: { type: 'array', default: [], description: 'Additional arguments of the mkfs program', items: { type: 'string' } },
    },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['device', 'uuid'],
    properties: { device: { type: 'string', description: 'The device' }, uuid: { type: 'string', description: 'UUID of the file system' } },
  },
  example: { device: '{{ parts.partitions.root }}', type: 'ext4', label: 'root' },
  run: async ({ device, type, label, uuid, options }, context) => {
    const own = uuid ?? (type === 'vfat' ? volumeId() : randomUUID());
    const command = commands[type]({ device, label, uuid: own, options });
    try {
      await context.shell.run(command, { signal: context.signal });
    } catch (error) {
      if (!/could not be run|No such file or directory/.test((error as Error).message)) throw error;
      throw new Error(`${(error as Error).message}\n  mkfs.${type} is in the package ${tools[type]}`, { cause: error });
    }
    return { device, uuid: own };
  },
  reopen: async ({ device }, { uuid }) => ({ device, uuid }),
});

/** A volume id as blkid shows it. */
function volumeId(): string {
  return randomBytes(4).toString('hex').toUpperCase().replace(/^.{4}/, '$&-');
}
