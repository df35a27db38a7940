import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { partitionsOf } from './block_devices.js';
import type { Shell } from './command.js';
import { type Mount, mounts } from './mounts.js';
import { shellWord } from './shell_quote.js';

/** A file system was made read-only, and could not be made writable again. */
export class NotWritableError extends Error {}

/**
 * Runs an action while nothing of some disks is waiting to be written: their file systems are read-only, as if they had
 * been unmounted, and afterwards writable again. Not with fsfreeze, because a kill in that moment leaves a frozen file
 * system that nobody has mounted, and that holds its disk.
 * @throws Error when something writes to a file system, or holds the disk in another way; nothing is changed then.
 * @throws NotWritableError
 */
export async function whileQuiet<T>(disks: readonly string[], shell: Shell, action: () => Promise<T>): Promise<T> {
  const nodes = disks.flatMap((disk) => [...partitionsOf(disk).values(), disk]);
  for (const node of nodes) mustBeFree(node);
  const writable = writableOn(nodes);
  const done: Mount[] = [];
  try {
    for (const mount of writable) {
      await makeReadOnly(mount, shell);
      done.push(mount);
    }
    await shell.run(['blockdev', '--flushbufs', ...nodes]);
    return await action();
  } finally {
    await makeWritable(done, shell);
  }
}

async function makeReadOnly(mount: Mount, shell: Shell): Promise<void> {
  try {
    await shell.run(remount(mount, 'ro'));
  } catch (error) {
    if (!/busy/.test((error as Error).message)) throw error;
    throw new Error(`the file system on ${mount.source} is busy: a process writes to it, or one of its files is a loop device or swap space`, { cause: error });
  }
}

async function makeWritable(done: readonly Mount[], shell: Shell): Promise<void> {
  const commands = done.map((mount) => remount(mount, 'rw').map(shellWord).join(' '));
  if (commands.length === 0) return;
  try {
    await shell.run(['/bin/sh', '-ec', commands.join('\n')]);
  } catch (error) {
    throw new NotWritableError(`a file system is still read-only after a layer was made: ${(error as Error).message}`, { cause: error });
  }
}

/** Given device and path, mount reads no options from /etc/fstab. The flags of the mount would be lost if they were not given. */
function remount({ source, path, options }: Mount, to: 'ro' | 'rw'): string[] {
  const kept = options.filter((option) => option !== 'ro' && option !== 'rw');
  return ['mount', '-o', ['remount', to, ...kept].join(','), '--source', source, '--target', path];
}

/** One mount of each writable file system on some devices. */
export function writableOn(nodes: readonly string[]): Mount[] {
  const found = new Map<string, Mount>();
  for (const mount of mounts()) {
    const { source, superOptions } = mount;
    if (!source.startsWith('/dev/') || !existsSync(source) || !superOptions.includes('rw')) continue;
    const node = realpathSync(source);
    if (nodes.includes(node) && !found.has(node)) found.set(node, mount);
  }
  return [...found.values()];
}

/** Device-mapper, md and swap write to a disk without mounting it. */
function mustBeFree(node: string): void {
  const holders = join('/sys/class/block', basename(node), 'holders');
  const [holder] = existsSync(holders) ? readdirSync(holders) : [];
  if (holder !== undefined) throw new Error(`${node} is used by ${holder}`);
  const swaps = readFileSync('/proc/swaps', 'utf8').split('\n').slice(1);
  if (swaps.some((line) => line.split(/\s/)[0] === node)) throw new Error(`${node} is used as swap space`);
}
