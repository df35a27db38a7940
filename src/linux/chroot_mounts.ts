import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { removeFile } from './atomic_write.js';
import { diskOf, partitionsOf } from './block_devices.js';
import type { Shell } from './command.js';
import { mounts } from './mounts.js';

/**
 * Mounts what a system expects below an image's root: a /dev of its own, /sys to be read, and an empty /run. With the
 * host's /dev bound in, whatever a package's script does there is done to the host; and without links by UUID
 * update-grub names the loop device as root, and the image does not boot.
 * @param root the image's root. @param folders of the image, as paths of the host. @param file a place for their table.
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
    // Each with a source of its own: what is mounted already from the same would be left out.
    .map(([name, ...fields]) => [`${basename(file)}-${name}`, ...fields]);
  // All in one mount, and one cp of the host's own nodes: each further process costs as much as all they do.
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

/** Whether a path is in the /run that {@link mountUsual} mounted: what is written there is part neither of the image nor of the host. */
export function isUsualRun(path: string): boolean {
  const mount = mounts().findLast((each) => path.startsWith(`${each.path}/`));
  return mount?.type === 'tmpfs' && mount.source.endsWith('.fstab-run');
}

interface UsualFolders {
  readonly dev: string;
  readonly sys: string;
  readonly run: string;
}

/** A name in /dev with what it leads to. */
type Link = readonly [name: string, target: string];

const streams: readonly Link[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];

/** A table of mounts: source, target, type and options of each. Source: fstab(5). */
export function mountTable(mounts: readonly (readonly string[])[]): string {
  return mounts.map((fields) => `${fields.map(inTable).join(' ')}\n`).join('');
}

function inTable(field: string): string {
  return field.replace(/[ \t\n\r\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** Nodes of the disk an image is on, and of its partitions, with the links udev would make. */
async function diskUnder(root: string, shell: Shell): Promise<{ nodes: readonly string[]; links: readonly Link[] }> {
  const source = mounts().findLast((mount) => root === mount.path || root.startsWith(`${mount.path}/`))?.source;
  if (source === undefined || !source.startsWith('/dev/') || !existsSync(source)) return { nodes: [], links: [] };
  const disk = existsSync(join('/sys/class/block', basename(realpathSync(source)))) ? diskOf(source) : source;
  const nodes = [disk, ...partitionsOf(disk).values()];
  // A map: two file systems may have one label.
  const links = new Map<string, string>();
  // 2: nothing was found on any of them.
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
