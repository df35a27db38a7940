import { existsSync, readdirSync, readlinkSync, symlinkSync, watch } from 'node:fs';
import { basename, join } from 'node:path';
import { removeFile } from '../linux/atomic_write.js';

const dev = '/dev';

/**
 * The node that clients look for when a volume is attached under a name, e.g. `/dev/xvdf` for `/dev/sdf`.
 * Source: EC2 User Guide, "Device names for volumes on Amazon EC2 instances".
 */
export function aliasOf(deviceName: string): string {
  return join(dev, basename(deviceName).replace(/^sd/, 'xvd'));
}

/** Whether a node is there already, of the host or of another volume. */
export function isAliasTaken(alias: string): boolean {
  removeStaleAliases();
  return existsSync(alias);
}

/** Removes the links to devices that have no disk any more. */
export function removeStaleAliases(): void {
  const stale = aliases().filter(({ target }) => !existsSync(`/sys/block/${target.replace(/p[0-9]+$/, '')}/loop/backing_file`));
  for (const { path } of stale) removeFile(path);
}

/** Makes the alias of a device, and of its partitions, as links: they lead nowhere when the device is gone. */
export function linkAlias(device: string, alias: string): void {
  const node = basename(device);
  symlinkSync(node, alias);
  for (const entry of readdirSync(`/sys/block/${node}`)) linkPartition(entry);
}

/** The aliases of a device and of its partitions; it has some where it was attached for clients of a served EC2. */
export function aliasesTo(device: string): string[] {
  const node = basename(device);
  return aliases().flatMap(({ path, target }) => (target === node || target.startsWith(`${node}p`) ? [path] : []));
}

/** Keeps the aliases of partitions as the kernel's change; gives what ends that. */
export function followPartitions(): () => void {
  const watcher = watch(dev, (_, entry) => linkPartition(entry ?? ''));
  // What changed while nobody followed.
  for (const entry of [...readdirSync(dev), ...aliases().map(({ target }) => target)]) linkPartition(entry);
  // A link less is no reason to end a server.
  watcher.on('error', () => {});
  return () => watcher.close();
}

/** Makes the alias of a partition such as `loop0p1` where its disk has one, removes it where the partition is gone; other nodes have none. */
function linkPartition(partition: string): void {
  const [, disk, number] = /^(loop[0-9]+)p([0-9]+)$/.exec(partition) ?? [];
  if (disk === undefined) return;
  const all = aliases();
  const whole = all.find(({ target }) => target === disk);
  if (whole === undefined) return;
  const alias = `${whole.path}${number}`;
  const before = all.find(({ path }) => path === alias);
  if (before?.target === partition && existsSync(alias)) return;
  // Never a node of the host.
  if (before !== undefined) removeFile(alias);
  if (existsSync(join(dev, partition))) linkUnlessThere(partition, alias);
}

function linkUnlessThere(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    // Another server of this host has just made it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The links of the kind that are there; others come and go meanwhile. */
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
