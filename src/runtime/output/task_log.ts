import { closeSync, fstatSync, openSync } from 'node:fs';
import { writeAll } from '../../linux/atomic_write.js';
import { policy } from '../engine/policy.js';

/** The log of a task on disk. Of one that grows over its limit the beginning is kept, and the end of what came. */
export class TaskLog {
  private readonly fd: number;
  private size: number;
  /** The end of what was not kept; undefined as long as all was. */
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

  /** Writes lines as long as they fit; gives the others. */
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
    // Said at once: the log of a run that is killed has it, too.
    writeAll(this.fd, textOf([...lines.slice(0, fitting), cutLine(this.limit)]));
    this.tail = '';
    return lines.slice(fitting);
  }

  /** Also when the end of it cannot be written; only once, since its descriptor may then be another file's. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    try {
      // The first line of it may be half of one.
      if (this.tail !== undefined) writeAll(this.fd, this.tail.length < policy.logTailChars ? this.tail : this.tail.slice(this.tail.indexOf('\n') + 1));
    } finally {
      closeSync(this.fd);
    }
  }
}

function cutLine(limit: number): string {
  return `… cut here: the log of a task may have ${limit} bytes (run --log-limit); its last lines follow`;
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
