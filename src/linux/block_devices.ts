import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Shell } from './command.js';
import { hostPolicy } from './policy.js';

/**
 * Device names EC2 recommends for EBS volumes on HVM instances: /dev/sdf to /dev/sdp.
 * Source: EC2 User Guide, "Device names for volumes on Amazon EC2 instances".
 */
export const deviceNames: readonly string[] = [...'fghijklmnop'].map((letter) => `/dev/sd${letter}`);

/**
 * GPT types of root partitions, as printed by blkid, by Node's names of architectures.
 * Source: Discoverable Partitions Specification, UAPI group.
 */
export const rootTypes: Readonly<Record<string, string>> = {
  x64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  arm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
};

/**
 * The kernel's device of an attached volume; waits for it to appear.
 * @param name the name given to EC2, e.g. `/dev/sdf`. On Nitro instances the kernel uses another name.
 */
export async function deviceOfVolume(volume: string, name: string, signal: AbortSignal): Promise<string> {
  return appears(`the device of volume ${volume} (${name})`, signal, () => byNvmeSerial(volume) ?? byLink(volume) ?? byName(name));
}

/** The partitions of a disk by number, according to the kernel. Empty for a disk without partitions. */
export function partitionsOf(device: string): Map<number, string> {
  const name = basename(realpathSync(device));
  const folder = join('/sys/class/block', name);
  const found = new Map<number, string>();
  for (const entry of existsSync(folder) ? readdirSync(folder) : []) {
    const file = join(folder, entry, 'partition');
    if (entry.startsWith(name) && existsSync(file)) found.set(Number(readFileSync(file, 'utf8')), `/dev/${entry}`);
  }
  return found;
}

/** A partition of a disk; waits for its device node. */
export async function partitionOf(device: string, number: number, signal: AbortSignal): Promise<string> {
  return appears(`partition ${number} of ${device}`, signal, () => {
    const node = partitionsOf(device).get(number);
    return node !== undefined && existsSync(node) ? node : undefined;
  });
}

/** The device of a partition by its number, or the disk itself for 0. */
export async function deviceOn(disk: string, partition: number, signal: AbortSignal): Promise<string> {
  return partition === 0 ? disk : await partitionOf(disk, partition, signal);
}

/** The number of the partition of a disk that a device is; 0 for the disk itself. */
export function partitionNumber(disk: string, device: string): number {
  return [...partitionsOf(disk)].find(([, node]) => node === device)?.[0] ?? 0;
}

/** The type of the file system on a device, as named by blkid; empty when there is none. */
export async function fileSystemOn(device: string, shell: Shell, signal: AbortSignal): Promise<string> {
  // 2: blkid recognizes nothing.
  return (await shell.run(['blkid', '-p', '-s', 'TYPE', '-o', 'value', device], { signal, allow: [2] })).trim();
}

/** What blkid finds on a device, by blkid's names: DEVNAME, TYPE, USAGE, UUID, LABEL, PART_ENTRY_TYPE, … */
export type ProbedFacts = Readonly<Record<string, string>>;

/** Probes several devices. Leaves out devices on which nothing is recognized. */
export async function probeDevices(devices: readonly string[], shell: Shell, signal: AbortSignal): Promise<ProbedFacts[]> {
  // 2: nothing is recognized on any device. 8: the content of one device is ambiguous.
  const text = await shell.run(['blkid', '-p', '-o', 'export', ...devices], { signal, allow: [2, 8] });
  const pair = (line: string) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).replace(/\\(.)/g, '$1')] as const;
  return text
    .split('\n\n')
    .filter((block) => block.trim() !== '')
    .map((block) => Object.fromEntries(block.split('\n').map(pair)));
}

/** The disk that contains a partition; the device itself when it is not a partition. */
export function diskOf(device: string): string {
  const name = basename(realpathSync(device));
  const folder = realpathSync(join('/sys/class/block', name));
  return existsSync(join(folder, 'partition')) ? `/dev/${basename(join(folder, '..'))}` : `/dev/${name}`;
}

async function appears(what: string, signal: AbortSignal, look: () => string | undefined): Promise<string> {
  for (let waited = 0; ; waited += 20) {
    const found = look();
    if (found !== undefined) return found;
    if (waited > hostPolicy.deviceNodeMs) throw new Error(`${what} did not appear within ${hostPolicy.deviceNodeMs / 1000} s`);
    await sleep(20, undefined, { signal });
  }
}

/** Nitro: the serial number of the NVMe device is the volume id without the dash. */
function byNvmeSerial(volume: string): string | undefined {
  for (const name of readdirSync('/sys/block').filter((n) => n.startsWith('nvme'))) {
    const file = join('/sys/block', name, 'device/serial');
    if (existsSync(file) && readFileSync(file, 'utf8').trim() === volume.replace('-', '')) return existing(`/dev/${name}`);
  }
  return undefined;
}

/** The device of a volume whose link udev or the embedded EC2 has made. */
export function byLink(volume: string): string | undefined {
  const link = `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volume.replace('-', '')}`;
  return existsSync(link) ? realpathSync(link) : undefined;
}

/** Xen: the kernel uses xvd where EC2 uses sd. */
function byName(name: string): string | undefined {
  return existing(name.replace('/dev/sd', '/dev/xvd')) ?? existing(name);
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}
