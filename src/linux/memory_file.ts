import { closeSync, constants, openSync } from 'node:fs';
import { writeAll } from './atomic_write.js';

/**
 * A file without a name, in memory: a script may hold secrets, which never reach a disk.
 * @returns its descriptor, at the start.
 * @throws Error when the text does not fit there.
 */
export function memoryFile(text: string): number {
  const fd = openSync(memoryFolder, constants.O_RDWR | nameless, 0o600);
  try {
    writeAll(fd, text, 0);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw new Error(`a script of ${Buffer.byteLength(text)} bytes does not fit in ${memoryFolder}: ${(error as Error).message}`, { cause: error });
  }
}

/** O_TMPFILE, which Node does not name. Source: Linux, include/uapi/asm-generic/fcntl.h. */
const nameless = constants.O_DIRECTORY | 0o20000000;

const memoryFolder = '/dev/shm';
