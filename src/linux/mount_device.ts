import type { Shell } from './command.js';

/** What is mounted where, and how. */
export interface WantedMount {
  readonly device: string;
  readonly path: string;
  /** Type of the file system; mount finds it where it is absent. */
  readonly type?: string | undefined;
  readonly options: readonly string[];
}

/**
 * Options that a file system of an image is mounted with, besides those that are asked for, which come after them and
 * win. Device nodes in an image would open the devices of this machine; and a superblock of ext2, ext3 or ext4 may say
 * that an error in the file system panics the kernel. Source: ext4(5), "errors".
 */
export function guardsFor(type: string): string[] {
  return ['nodev', ...(/^ext[234]$/.test(type) ? ['errors=remount-ro'] : [])];
}

/** Mounts a file system of an image, guarded against what the image says of itself. */
export async function mountDevice({ device, path, type, options }: WantedMount, shell: Shell, signal: AbortSignal): Promise<void> {
  const mount = (all: readonly string[]) =>
    shell.run(['mount', ...(type === undefined ? [] : ['-t', type]), '-o', all.join(','), '--', device, path], { signal });
  // A bind mount has the options of what is bound.
  const all = [...(options.some((option) => /^r?bind$/.test(option)) ? [] : guardsFor(type ?? '')), ...options];
  try {
    await mount(all);
  } catch (error) {
    // XFS refuses a UUID that is mounted already: that of the machine itself, or of another build, from the same image.
    if (type !== 'xfs' || all.includes('nouuid') || signal.aborted) throw error;
    await mount([...all, 'nouuid']);
  }
}
