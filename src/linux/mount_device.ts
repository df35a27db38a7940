import type { Shell } from './command.js';

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

/** Mounts a file system of an image, with protection against dangerous settings in the image. */
export async function mountDevice({ device, path, type, options }: WantedMount, shell: Shell, signal: AbortSignal): Promise<void> {
  const mount = (all: readonly string[]) =>
    shell.run(['mount', ...(type === undefined ? [] : ['-t', type]), '-o', all.join(','), '--', device, path], { signal });
  // A bind mount keeps the options of its source.
  const all = [...(options.some((option) => /^r?bind$/.test(option)) ? [] : guardsFor(type ?? '')), ...options];
  try {
    await mount(all);
  } catch (error) {
    // XFS refuses to mount a UUID twice. Another build from the same image, or the machine's own root, may have the same
    // UUID.
    if (type !== 'xfs' || all.includes('nouuid') || signal.aborted) throw error;
    await mount([...all, 'nouuid']);
  }
}
