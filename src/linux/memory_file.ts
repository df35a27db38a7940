import { closeSync, constants, openSync } from 'node:fs';
import { writeAll } from './atomic_write.js';

/**
 * Creates an unnamed file in memory. A script may contain secrets, which must never reach a disk.
 * @returns its descriptor, positioned at the start.
 * @throws Error when the text does not fit in memory.
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

/** O_TMPFILE, which Node does not define. Source: Linux, include/uapi/asm-generic/fcntl.h. */
const nameless = constants.O_DIRECTORY | 0o20000000;

const memoryFolder = '/dev/shm';
