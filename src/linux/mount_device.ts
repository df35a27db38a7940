import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Shell } from './command.js';
import { mounts } from './mounts.js';
import { hostPolicy } from './policy.js';

/** What to mount, where, and how. */
export interface WantedMount {
  readonly device: string;
  readonly path: string;
  /** Type of the file system. If absent, mount detects it. */
  readonly type?: string | undefined;
  readonly options: readonly string[];
}

/**
 * Default options for mounting a file system of an image. Options of the recipe come later and override them. Device
 * nodes in an image would give access to the devices of this machine, and a superblock of ext2, ext3 or ext4 may
 * request a kernel panic on errors. Source: ext4(5), "errors".
 */
export function guardsFor(type: string): string[] {
  return ['nodev', ...(/^ext[234]$/.test(type) ? ['errors=remount-ro'] : [])];
}

/**
 * Mounts a file system of an image, with protection against dangerous settings in the image.
 * @param onWait called once when it must wait for another mount.
 */
export async function mountDevice({ device, path, type, options }: WantedMount, shell: Shell, signal: AbortSignal, onWait = () => {}): Promise<void> {
  const mount = (all: readonly string[]) =>
    shell.run(['mount', ...(type === undefined ? [] : ['-t', type]), '-o', all.join(','), '--', device, path], { signal });
  // A bind mount keeps the options of its source.
  const all = [...(options.some((option) => /^r?bind$/.test(option)) ? [] : guardsFor(type ?? '')), ...options];
  try {
    await mount(all);
  } catch (error) {
    if (signal.aborted) throw error;
    // XFS refuses to mount a UUID twice. Another build from the same image, or the machine's own root, may have the same
    // UUID.
    if (type === 'xfs' && !all.includes('nouuid')) return void (await mount([...all, 'nouuid']));
    const uuid = type === 'btrfs' && /File exists/.test((error as Error).message) ? await uuidOf(device, shell, signal) : undefined;
    if (uuid === undefined || !isMounted(uuid) || isOfThisMachine()) throw error;
    onWait();
    for (let waited = 0; isMounted(uuid); waited += hostPolicy.mountAgainMs) {
      if (waited > hostPolicy.sameUuidMs) throw error;
      await sleep(hostPolicy.mountAgainMs, undefined, { signal });
    }
    await mountDevice({ device, path, type, options }, shell, signal);
  }
}

async function uuidOf(device: string, shell: Shell, signal: AbortSignal): Promise<string> {
  return (await shell.run(['blkid', '-p', '-s', 'UUID', '-o', 'value', device], { signal })).trim();
}

/**
 * Whether a btrfs with this UUID is mounted. Kernels before 6.7 mount only one of several with the same UUID, and later ones do so
 * if it is on more than one device. Source: Linux, fs/btrfs/volumes.c, device_list_add.
 */
function isMounted(uuid: string): boolean {
  return existsSync(`/sys/fs/btrfs/${uuid}`);
}

/** Whether this machine runs on btrfs: its own file systems are never unmounted. */
function isOfThisMachine(): boolean {
  return mounts().some(({ path, type }) => path === '/' && type === 'btrfs');
}
