import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, removeFile, removeForGood, syncFile } from '../linux/atomic_write.js';
import { aliasesTo } from './device_links.js';

/** Runs a program of the host and returns its standard output. Fails when the program fails. `allow`: exit codes that are not failures. */
export type RunCommand = (command: readonly string[], options?: { readonly allow?: readonly number[]; readonly signal?: AbortSignal }) => Promise<string>;

const giB = 1024 ** 3;

/** Creates an empty disk as a sparse file that survives a power cut. */
export async function createDisk(file: string, sizeGiB: number): Promise<void> {
  makeFolder(dirname(file));
  writeFileSync(file, '', { mode: 0o600, flag: 'wx' });
  truncateSync(file, sizeGiB * giB);
  await syncFile(file);
}

/** A disk to copy. */
export interface DiskCopy {
  readonly from: string;
  readonly to: string;
  readonly sizeGiB: number;
  /** When it was last written to, from {@link writtenAt}. A later write makes the copy fail. */
  readonly written?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Copies a disk. Shares its blocks if the file system supports that; otherwise copies its data without the holes. The
 * complete copy is synced to disk before it is reported as ready.
 * @throws Error when the disk was written to meanwhile; the signal's reason when it aborts.
 */
export async function copyDisk(run: RunCommand, { from, to, sizeGiB, written, signal }: DiskCopy): Promise<void> {
  await run(['cp', '--reflink=auto', '--sparse=always', '--', from, to], { signal });
  if (written !== undefined && writtenAt(from) !== written) throw new Error('the volume was written to while it was being copied');
  if (statSync(to).size < sizeGiB * giB) truncateSync(to, sizeGiB * giB);
  await syncFile(to);
}

/** When a disk was last written to, in nanoseconds. Writes through a loop device count too. */
export function writtenAt(file: string): string {
  return String(statSync(file, { bigint: true }).mtimeNs);
}

/** Whether two names refer to the same disk. */
export function isSameDisk(file: string, other: string): boolean {
  const [one, two] = [file, other].map((name) => statSync(name, { throwIfNoEntry: false }));
  return one !== undefined && one.ino === two?.ino;
}

/** How many bytes a disk occupies on the host, as reported by the file system. */
export function bytesOf(file: string): number {
  return (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}

/** Enlarges a disk, attached or not. Does nothing when the disk already has the size. */
export async function growDisk(run: RunCommand, file: string, sizeGiB: number): Promise<void> {
  if (statSync(file).size < sizeGiB * giB) truncateSync(file, sizeGiB * giB);
  await syncFile(file);
  const device = deviceOf(file);
  if (device !== undefined) await run(['losetup', '--set-capacity', device]);
}

/** Removes a disk if it exists. It stays removed after a power cut, because nobody would find it without its record. */
export function removeDisk(file: string): void {
  removeForGood(file);
}

/**
 * The loop device that a disk is attached to, e.g. `/dev/loop0`. Asks the kernel, so the result is correct after a
 * crash too. Compares only file names, which are random ids, because the folder is lost with the mount namespace in
 * which the device was attached.
 */
export function deviceOf(file: string): string | undefined {
  for (const name of readdirSync('/sys/block')) {
    if (name.startsWith('loop') && isBackedBy(name, file)) return `/dev/${name}`;
  }
  return undefined;
}

/** The loop devices of all disks in some folders, from the kernel. */
export function devicesIn(folders: readonly string[]): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const disk = name.startsWith('loop') ? backingName(name) : undefined;
    return disk !== undefined && folders.some((folder) => existsSync(join(folder, disk))) ? [`/dev/${name}`] : [];
  });
}

/**
 * Attaches a disk and its partitions to a free loop device, and creates the links of Nitro instances.
 * Does not use the kernel's partition scan: kernels without partition parsers find nothing, without an error.
 */
export async function attachDisk(run: RunCommand, file: string, volume: string): Promise<string> {
  const device = (await run(['/bin/sh', '-ec', attachScript, 'attach', file])).trim();
  // Aliases left by a killed process that used this device before.
  for (const alias of aliasesTo(device)) removeFile(alias);
  linkDevice(device, volume);
  return device;
}

/** One shell, because starting programs takes most of the time. An empty disk has no partitions, which partx reports as a failure. */
const attachScript = `device=$(losetup --find --show -- "$1")
name=\${device#/dev/}
# Those of a disk that was detached by hand are still there.
for old in /sys/block/$name/\${name}p*; do [ ! -e "$old" ] || partx --delete "$device"; break; done
partx --add "$device" || [ $? = 1 ]
echo "$device"`;

/** Whether the device or one of its partitions is mounted or exclusively open, in any namespace. */
export function isBusy(device: string): boolean {
  try {
    closeSync(openSync(device, constants.O_RDONLY | constants.O_EXCL));
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return true;
    throw error;
  }
}

/**
 * Detaches a disk.
 * @throws Error when the device belongs to another disk, or cannot be detached.
 */
export async function detachDisk(run: RunCommand, file: string, device: string, volume: string): Promise<void> {
  const aliases = aliasesTo(device);
  const { ino, dev } = statSync(file);
  // The loop device may have been reused since it was looked up.
  const output = await run(['/bin/sh', '-ec', detachScript, 'detach', device, String(ino), majorMinor(dev)]);
  if (output.trim() === 'another') throw new Error(`${device} is no longer attached to ${file}`);
  unlinkDevice(volume);
  for (const alias of aliases) removeFile(alias);
  // losetup returns before the kernel has detached the device, also when that happens only at the last close.
  const name = device.slice('/dev/'.length);
  for (let waited = 0; isBackedBy(name, file); waited += 10) {
    if (waited > 10_000) throw new Error(`${device} could not be detached from ${file}`);
    await sleep(10);
  }
}

const detachScript = `set -- "$@" $(losetup --list --noheadings --output BACK-INO,BACK-MAJ:MIN "$1")
[ "$2 $3" = "$4 $5" ] || { echo another; exit; }
partx --delete "$1" || [ $? = 1 ]
losetup --detach "$1"`;

function isBackedBy(name: string, file: string): boolean {
  return backingName(name) === basename(file);
}

function backingName(loop: string): string | undefined {
  try {
    const backing = readFileSync(`/sys/block/${loop}/loop/backing_file`, 'utf8').trimEnd();
    return basename(backing.replace(/ \(deleted\)$/, ''));
  } catch {
    return undefined;
  }
}

const byId = '/dev/disk/by-id';

/** The link that udev creates on Nitro instances. Source: EC2 User Guide, "Map EBS volumes to NVMe device names". */
function linkName(volume: string): string {
  return join(byId, `nvme-Amazon_Elastic_Block_Store_${volume.replace('-', '')}`);
}

export function linkDevice(device: string, volume: string): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      mkdirSync(byId, { recursive: true });
      removeFile(linkName(volume));
      return symlinkSync(`../..${device.slice('/dev'.length)}`, linkName(volume));
    } catch (error) {
      // Another run has just removed the empty folder.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 10) throw error;
    }
  }
}

function unlinkDevice(volume: string): void {
  if (isLink(linkName(volume))) removeFile(linkName(volume));
  removeLinkFolders();
}

function removeLinkFolders(): void {
  for (const folder of [byId, dirname(byId)]) {
    try {
      rmdirSync(folder);
    } catch {
      // It stays if it is not empty or belongs to udev.
      return;
    }
  }
}

/** Links of volumes, left by a killed process, whose device is gone or has another disk. */
export function danglingLinks(): string[] {
  return (existsSync(byId) ? readdirSync(byId) : []).flatMap((name) => {
    const [, id] = /^nvme-Amazon_Elastic_Block_Store_vol([0-9a-f]+)$/.exec(name) ?? [];
    const path = join(byId, name);
    const [, loop] = /(?:^|\/)(loop[0-9]+)$/.exec(isLink(path) ? readlinkSync(path) : '') ?? [];
    return id === undefined || loop === undefined || isBackedBy(loop, `vol-${id}.img`) ? [] : [path];
  });
}

/** Removes what {@link danglingLinks} finds. */
export function removeDanglingLinks(): void {
  const found = danglingLinks();
  for (const path of found) removeFile(path);
  if (found.length > 0) removeLinkFolders();
}

function isLink(path: string): boolean {
  try {
    return readlinkSync(path) !== '';
  } catch {
    return false;
  }
}

function majorMinor(dev: number): string {
  // Source: glibc, gnu_dev_major and gnu_dev_minor.
  const value = BigInt(dev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & 0xfffff000n);
  const minor = (value & 0xffn) | ((value >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
