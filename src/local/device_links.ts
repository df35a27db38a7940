import { existsSync, readdirSync, readlinkSync, symlinkSync, watch } from 'node:fs';
import { basename, join } from 'node:path';
import { removeFile } from '../linux/atomic_write.js';

const dev = '/dev';

/**
 * The device node that clients expect when a volume is attached under a name, e.g. `/dev/xvdf` for `/dev/sdf`.
 * Source: EC2 User Guide, "Device names for volumes on Amazon EC2 instances".
 */
export function aliasOf(deviceName: string): string {
  return join(dev, basename(deviceName).replace(/^sd/, 'xvd'));
}

/** Whether the node exists already, created by the host or for another volume. */
export function isAliasTaken(alias: string): boolean {
  removeStaleAliases();
  return existsSync(alias);
}

/** Removes links to devices that no longer have a disk. */
export function removeStaleAliases(): void {
  const stale = aliases().filter(({ target }) => !existsSync(`/sys/block/${target.replace(/p[0-9]+$/, '')}/loop/backing_file`));
  for (const { path } of stale) removeFile(path);
}

/** Creates the aliases of a device and its partitions as links, which lead nowhere once the device is gone. */
export function linkAlias(device: string, alias: string): void {
  const node = basename(device);
  symlinkSync(node, alias);
  for (const entry of readdirSync(`/sys/block/${node}`)) linkPartition(entry);
}

/** The aliases of a device and its partitions. A device has aliases if it was attached for clients of a served EC2. */
export function aliasesTo(device: string): string[] {
  const node = basename(device);
  return aliases().flatMap(({ path, target }) => (target === node || target.startsWith(`${node}p`) ? [path] : []));
}

/** Updates the aliases of partitions when the kernel's partitions change. @returns a function that stops this. */
export function followPartitions(): () => void {
  const watcher = watch(dev, (_, entry) => linkPartition(entry ?? ''));
  // Catch up with earlier changes.
  for (const entry of [...readdirSync(dev), ...aliases().map(({ target }) => target)]) linkPartition(entry);
  // A missing link is no reason to stop a server.
  watcher.on('error', () => {});
  return () => watcher.close();
}

/** Creates the alias of a partition such as `loop0p1` if its disk has one, and removes it when the partition is gone. Ignores other nodes. */
function linkPartition(partition: string): void {
  const [, disk, number] = /^(loop[0-9]+)p([0-9]+)$/.exec(partition) ?? [];
  if (disk === undefined) return;
  const all = aliases();
  const whole = all.find(({ target }) => target === disk);
  if (whole === undefined) return;
  const alias = `${whole.path}${number}`;
  const before = all.find(({ path }) => path === alias);
  if (before?.target === partition && existsSync(alias)) return;
  // Only removes links, never a node of the host.
  if (before !== undefined) removeFile(alias);
  if (existsSync(join(dev, partition))) linkUnlessThere(partition, alias);
}

function linkUnlessThere(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    // Another server on this host has just created it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The existing links of this kind. Others may appear or disappear meanwhile. */
function aliases(): { readonly path: string; readonly target: string }[] {
  return readdirSync(dev)
    .filter((entry) => entry.startsWith('xvd'))
    .flatMap((entry) => {
      try {
        return [{ path: join(dev, entry), target: readlinkSync(join(dev, entry)) }];
      } catch {
        return [];
      }
    })
    .filter(({ target }) => target.startsWith('loop'));
}
