import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { removeFile } from './atomic_write.js';
import { diskOf, partitionsOf } from './block_devices.js';
import type { Shell } from './command.js';
import { mounts } from './mounts.js';

/**
 * Mounts what a system expects below an image's root: its own /dev, a read-only /sys and an empty /run. If the host's
 * /dev were bind-mounted, scripts of packages could change the host's devices. Without links by UUID, update-grub
 * would write the loop device as the root device, and the image would not boot.
 * @param root the image's root.
 * @param folders folders of the image, as paths on the host.
 * @param file where to write their mount table.
 */
export async function mountUsual(root: string, { dev, sys, run }: UsualFolders, file: string, shell: Shell, signal: AbortSignal): Promise<void> {
  const { nodes, links } = await diskUnder(root, shell);
  const table = [
    ['dev', dev, 'tmpfs', 'mode=755,nosuid,noexec,size=4m'],
    ['pts', `${dev}/pts`, 'devpts', 'newinstance,gid=5,mode=620,ptmxmode=666,X-mount.mkdir'],
    ['shm', `${dev}/shm`, 'tmpfs', 'mode=1777,nosuid,nodev,X-mount.mkdir'],
    ['sysfs', sys, 'sysfs', 'ro,nosuid,nodev,noexec'],
    ['run', run, 'tmpfs', 'mode=755,nosuid,nodev'],
  ]
    // Each entry needs its own source: mount skips a source that is already mounted.
    .map(([name, ...fields]) => [`${basename(file)}-${name}`, ...fields]);
  // One mount command for all entries, and one cp for the host's device nodes: each further process would take as long
  // as all of them.
  const common = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, mountTable(table));
    const script = 'mount --all --fstab "$1"; cd "$2"; shift 2; cp -a -- "$@" .';
    await shell.run(['/bin/sh', '-ec', script, 'mount', file, dev, ...common.map((name) => `/dev/${name}`), ...nodes], { signal });
  } finally {
    removeFile(file);
  }
  for (const name of common) {
    chmodSync(join(dev, name), 0o666);
    chownSync(join(dev, name), 0, 0);
  }
  for (const [name, target] of [...streams, ...links]) {
    mkdirSync(join(dev, dirname(name)), { recursive: true });
    symlinkSync(target, join(dev, name));
  }
  mkdirSync(join(run, 'lock'));
  chmodSync(join(run, 'lock'), 0o1777);
}

/** Whether a path is in the /run mounted by {@link mountUsual}. Files there belong neither to the image nor to the host. */
export function isUsualRun(path: string): boolean {
  const mount = mounts().findLast((each) => path.startsWith(`${each.path}/`));
  return mount?.type === 'tmpfs' && mount.source.endsWith('.fstab-run');
}

interface UsualFolders {
  readonly dev: string;
  readonly sys: string;
  readonly run: string;
}

/** A link in /dev and its target. */
type Link = readonly [name: string, target: string];

const streams: readonly Link[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];

/** A mount table from the source, target, type and options of each mount. Source: fstab(5). */
export function mountTable(mounts: readonly (readonly string[])[]): string {
  return mounts.map((fields) => `${fields.map(inTable).join(' ')}\n`).join('');
}

function inTable(field: string): string {
  return field.replace(/[ \t\n\r\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** Nodes of the disk that contains the image and of its partitions, with the links that udev would create. */
async function diskUnder(root: string, shell: Shell): Promise<{ nodes: readonly string[]; links: readonly Link[] }> {
  const source = mounts().findLast((mount) => root === mount.path || root.startsWith(`${mount.path}/`))?.source;
  if (source === undefined || !source.startsWith('/dev/') || !existsSync(source)) return { nodes: [], links: [] };
  const disk = existsSync(join('/sys/class/block', basename(realpathSync(source)))) ? diskOf(source) : source;
  const nodes = [disk, ...partitionsOf(disk).values()];
  // A map, because two file systems may have the same label.
  const links = new Map<string, string>();
  // 2: nothing was found on any device.
  const found = await shell.run(['blkid', '-o', 'export', '-c', '/dev/null', ...nodes], { allow: [2] });
  for (const block of found.split('\n\n')) {
    const facts = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const));
    const node = basename(facts.get('DEVNAME') ?? '');
    for (const [fact, folder] of [
      ['UUID', 'by-uuid'],
      ['PARTUUID', 'by-partuuid'],
      ['LABEL', 'by-label'],
    ] as const) {
      const value = facts.get(fact);
      if (node !== '' && value !== undefined && /^[\w.:+-]+$/.test(value)) links.set(`disk/${folder}/${value}`, `../../${node}`);
    }
  }
  return { nodes, links: [...links] };
}
