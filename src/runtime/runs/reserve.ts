import { randomBytes } from 'node:crypto';
import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { removeFile, writeWhole } from '../../linux/atomic_write.js';

/** What undo writes before it frees any space: some lines of a journal, records, folders of locks. */
const reserveBytes = 2 * 2 ** 20;

/**
 * Maintains the reserve of a folder, a file that only occupies space. It is deleted when the file system is full, so
 * that undo can write, and created again when there is enough space. Does nothing when the file system cannot be
 * written at all.
 * @param settle awaited before the deletion: whatever fills the disk must have stopped, or it would fill the freed
 * space too.
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
    // Random data, because a compressing file system would reserve nothing for zeros.
    else if (free > 8 * reserveBytes && !existsSync(file)) writeWhole(file, randomBytes(reserveBytes / 2).toString('hex'));
  } catch {
    // An error here also occurs, and is reported, in the work itself.
  }
}
