import { closeSync, fstatSync, openSync } from 'node:fs';
import { writeAll } from '../../linux/atomic_write.js';
import { policy } from '../engine/policy.js';

/** The log of a task on disk. If it exceeds its limit, its beginning and the last lines of output are kept. */
export class TaskLog {
  private readonly fd: number;
  private size: number;
  /** The end of the output that did not fit; undefined while everything fits. */
  private tail: string | undefined;
  private isClosed = false;

  /** @param limit bytes. */
  constructor(
    path: string,
    private readonly limit: number,
  ) {
    this.fd = openSync(path, 'a', 0o600);
    this.size = fstatSync(this.fd).size;
  }

  write(lines: readonly string[]): void {
    const more = this.tail === undefined ? this.keep(lines) : lines;
    if (this.tail !== undefined) this.tail = (this.tail + textOf(more)).slice(-policy.logTailChars);
  }

  /** Writes the lines that fit. @returns the other lines. */
  private keep(lines: readonly string[]): readonly string[] {
    const text = textOf(lines);
    const bytes = Buffer.byteLength(text);
    if (this.size + bytes <= this.limit) {
      writeAll(this.fd, text);
      this.size += bytes;
      return [];
    }
    let fitting = 0;
    for (let size = this.size; fitting < lines.length; fitting += 1) {
      size += Buffer.byteLength(lines[fitting] ?? '') + 1;
      if (size > this.limit) break;
    }
    // Write this line at once, so that the log of a killed run has it too.
    writeAll(this.fd, textOf([...lines.slice(0, fitting), cutLine(this.limit)]));
    this.tail = '';
    return lines.slice(fitting);
  }

  /** Closes the file even if its end cannot be written. Only once, since the descriptor may be reused for another file. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    try {
      // The tail may begin in the middle of a line.
      if (this.tail !== undefined) writeAll(this.fd, this.tail.length < policy.logTailChars ? this.tail : this.tail.slice(this.tail.indexOf('\n') + 1));
    } finally {
      closeSync(this.fd);
    }
  }
}

function cutLine(limit: number): string {
  return `… cut here: the log of a task is limited to ${limit} bytes (run --log-limit); its last lines follow`;
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
