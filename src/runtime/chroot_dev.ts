import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { diskOf, partitionsOf } from './devices.js';
import { mounts } from './mounts.js';
import type { Shell } from './shell.js';

/**
 * The commands that give an image a /dev of its own, as lines for a POSIX shell. With the host's /dev bound in,
 * whatever a package's script does there is done to the host; and without links by UUID update-grub names the
 * loop device as root, and the image does not boot.
 * @param dev the image's /dev, as a path of the host.
 */
export async function ownDevCommands(root: string, dev: string, shell: Shell): Promise<string[]> {
  return [
    `mount -t tmpfs -o mode=755,nosuid,noexec,size=4m dev ${quoted(dev)}`,
    `cd ${quoted(dev)}`,
    // A node costs a process; the host's own are copied, all in one.
    'cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty .',
    'chmod 666 null zero full random urandom tty; chown 0:0 null zero full random urandom tty',
    'ln -s /proc/self/fd fd; ln -s /proc/self/fd/0 stdin; ln -s /proc/self/fd/1 stdout; ln -s /proc/self/fd/2 stderr; ln -s pts/ptmx ptmx',
    'mkdir pts shm',
    'mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts pts',
    'mount -t tmpfs -o mode=1777,nosuid,nodev shm shm',
    ...(await diskUnder(root, shell)),
    'cd /',
  ];
}

/** A word for a POSIX shell. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Nodes of the disk an image is on, and of its partitions, with the links udev would make. */
async function diskUnder(root: string, shell: Shell): Promise<string[]> {
  const source = mounts().findLast((mount) => root === mount.path || root.startsWith(`${mount.path}/`))?.source;
  if (source === undefined || !source.startsWith('/dev/') || !existsSync(source)) return [];
  const disk = existsSync(join('/sys/class/block', basename(realpathSync(source)))) ? diskOf(source) : source;
  const nodes = [disk, ...partitionsOf(disk).values()];
  const commands = [`cp -a -- ${nodes.join(' ')} .`, 'mkdir -p disk/by-uuid disk/by-partuuid disk/by-label'];
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
      if (node !== '' && value !== undefined && /^[\w.:+-]+$/.test(value)) commands.push(`ln -sf ../../${node} disk/${folder}/${value}`);
    }
  }
  return commands;
}
