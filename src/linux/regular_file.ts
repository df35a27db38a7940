import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';

/** What the shell gives a program to read, e.g. by `<(…)`. */
const givenByShell = /^\/(dev\/(stdin|fd\/[0-9]+)|proc\/self\/fd\/[0-9]+)$/;

/**
 * The bytes of a regular file; never waits for a writer and never reads without end.
 * @param isTyped whether the path was typed by the user, who then waits for its writer: what the shell hands over at
 * /dev/stdin or /dev/fd/N may be a pipe, and is as bounded.
 * @throws Error as `fs.readFileSync` does; with the code EINVAL where it is no regular file, EFBIG where it is larger.
 */
export function readRegularFile(path: string, mostBytes: number, isTyped = false): Buffer {
  const given = isTyped && givenByShell.test(path);
  // Looked at first too: to open some devices is to use them.
  if (!given) mustBeRegular(statSync(path));
  const file = openSync(path, given ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = fstatSync(file);
    if (!given) mustBeRegular(stats);
    const chunks: Buffer[] = [];
    // Files of /proc say that their size is 0.
    for (let room = mostBytes + 1; room > 0; ) {
      const chunk = Buffer.allocUnsafe(Math.min(room, Math.max(stats.size + 1, 65_536)));
      const length = readSync(file, chunk);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
      room -= length;
    }
    throw withCode('EFBIG', `it is larger than ${mostBytes / 2 ** 20} MiB`);
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
