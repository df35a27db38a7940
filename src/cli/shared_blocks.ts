import { existsSync } from 'node:fs';
import { hostShell, systemProgram } from '../linux/command.js';

/**
 * How many bytes of a file are in blocks that other files use too; undefined where filefrag cannot say so.
 * Source: filefrag(8), and FIEMAP_EXTENT_SHARED in the kernel's filesystems/fiemap.rst.
 */
export async function sharedBytesOf(file: string): Promise<number | undefined> {
  const filefrag = systemProgram('filefrag');
  if (filefrag === undefined || !existsSync(file)) return undefined;
  // A block size of 1: lengths are in bytes.
  const text = await hostShell.run([filefrag, '-v', '-b1', file]).catch(() => undefined);
  return text
    ?.split('\n')
    .filter((line) => /\bshared\b/.test(line))
    .reduce((sum, line) => sum + Number(/^\s*\d+:\s*\d+\.\.\s*\d+:\s*\d+\.\.\s*\d+:\s*(\d+):/.exec(line)?.[1] ?? 0), 0);
}
