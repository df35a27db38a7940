import { existsSync } from 'node:fs';
import { hostShell, systemProgram } from '../linux/command.js';
import { extentsIn } from '../linux/file_extents.js';

/** Part of a file, by its place on the disk, in bytes. */
export interface Extent {
  readonly start: number;
  readonly end: number;
  /** Whether other files use its blocks too. */
  readonly shared: boolean;
}

/**
 * The blocks of a file; undefined where filefrag cannot say them.
 * Source: filefrag(8), and FIEMAP_EXTENT_SHARED in the kernel's filesystems/fiemap.rst.
 */
export async function extentsOf(file: string): Promise<Extent[] | undefined> {
  const filefrag = systemProgram('filefrag');
  if (filefrag === undefined || !existsSync(file)) return undefined;
  // A block size of 1: lengths are in bytes.
  const text = await hostShell.run([filefrag, '-v', '-b1', file]).catch(() => undefined);
  return text === undefined
    ? undefined
    : extentsIn(text).map(({ start, end, at, flags }) => ({ start: at, end: at + end - start, shared: /\bshared\b/.test(flags) }));
}

/** How many bytes of a file are in blocks that other files use too; undefined where filefrag cannot say so. */
export async function sharedBytesOf(file: string): Promise<number | undefined> {
  const extents = await extentsOf(file);
  return extents?.filter(({ shared }) => shared).reduce((sum, { start, end }) => sum + end - start, 0);
}
