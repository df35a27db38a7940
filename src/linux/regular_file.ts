import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';

/** Paths through which the shell passes open files to a program, e.g. with `<(…)`. */
const givenByShell = /^\/(dev\/(stdin|fd\/[0-9]+)|proc\/self\/fd\/[0-9]+)$/;

/**
 * Reads a regular file, without waiting for a writer and with a limit on its size.
 * @param isTyped whether the user typed the path and may wait for a writer: /dev/stdin or /dev/fd/N from the shell may
 * be a pipe. The size limit applies to it too.
 * @throws Error like `fs.readFileSync`; with the code EINVAL when it is not a regular file, EFBIG when it is too
 * large.
 */
export function readRegularFile(path: string, maxBytes: number, isTyped = false): Buffer {
  const given = isTyped && givenByShell.test(path);
  // Check before opening: opening some devices has effects.
  if (!given) mustBeRegular(statSync(path));
  const file = openSync(path, given ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = fstatSync(file);
    if (!given) mustBeRegular(stats);
    const chunks: Buffer[] = [];
    // Files in /proc have the size 0.
    for (let room = maxBytes + 1; room > 0; ) {
      const chunk = Buffer.allocUnsafe(Math.min(room, Math.max(stats.size + 1, 65_536)));
      const length = readSync(file, chunk);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
      room -= length;
    }
    throw withCode('EFBIG', `it is larger than ${maxBytes / 2 ** 20} MiB`);
  } finally {
    closeSync(file);
  }
}

function mustBeRegular(stats: Stats): void {
  if (stats.isDirectory()) throw withCode('EISDIR', 'it is a folder');
  if (!stats.isFile()) throw withCode('EINVAL', 'it is not a regular file');
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
