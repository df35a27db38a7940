import { randomBytes } from 'node:crypto';
import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { removeFile, writeWhole } from '../../linux/atomic_write.js';

/** What undo writes before it frees anything: some lines of a journal, records, folders of locks. */
const reserveBytes = 2 * 2 ** 20;

/**
 * Looks after the reserve of a folder: a file that only takes room. It is given up where the file system is full, so
 * that undo can write, and made again where there is plenty. A file system that takes no writes at all is left alone.
 * @param settle is awaited before it is given up: what fills the disk must not take that room too.
 */
export async function tendReserve(folder: string, settle: () => Promise<void>): Promise<void> {
  const file = join(folder, 'reserve');
  try {
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    if (free < 2 * reserveBytes && existsSync(file)) {
      await settle();
      removeFile(file);
    }
    // Random: a file system that compresses would keep nothing back for zeros.
    else if (free > 8 * reserveBytes && !existsSync(file)) writeWhole(file, randomBytes(reserveBytes / 2).toString('hex'));
  } catch {
    // What is wrong there shows in what is done there.
  }
}
