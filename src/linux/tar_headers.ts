import { Transform, type TransformCallback } from 'node:stream';

/** The header of a file, link or folder in an archive. */
export interface Header {
  readonly name: string;
  /** The type, as in the archive. Source: pax(1), "ustar Interchange Format", typeflag. */
  readonly type: string;
  /** Permissions, including set-user-id and similar bits. */
  readonly mode: number;
}

const block = 512;

/** Passes an archive in pax format through and changes the modes in its headers. */
export class TarHeaders extends Transform {
  /** The beginning of an incomplete header. */
  private waiting: Buffer = Buffer.alloc(0);
  /** How many bytes of content follow before the next header. */
  private content = 0;
  /** The records of an extended header, which apply to the next header. */
  private records: ReadonlyMap<string, string> = new Map();

  /** @param modeOf returns the mode to write. An error that it throws ends the stream. */
  constructor(private readonly modeOf: (header: Header) => number) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    try {
      let rest = this.waiting.length > 0 ? Buffer.concat([this.waiting, chunk]) : chunk;
      while (rest.length > 0) {
        const length = this.content > 0 ? Math.min(this.content, rest.length) : lengthOfHeader(rest);
        if (rest.length < length) break;
        const piece = rest.subarray(0, length);
        if (this.content > 0) this.content -= length;
        else this.change(piece);
        this.push(piece);
        rest = rest.subarray(length);
      }
      this.waiting = rest;
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  private change(header: Buffer): void {
    const type = typeOf(header);
    // End of the archive.
    if (header[0] === 0) return;
    if (type === 'x') {
      this.records = recordsIn(header.subarray(block, block + sizeIn(header)));
      return;
    }
    this.content = padded(Number(this.records.get('size') ?? sizeIn(header)));
    const name = this.records.get('path') ?? [text(header, 345, 155), text(header, 0, 100)].filter(Boolean).join('/');
    this.records = new Map();
    const mode = this.modeOf({ name, type, mode: Number.parseInt(text(header, 100, 8), 8) & 0o7777 });
    header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
    // The sum of all bytes, in which the checksum field counts as blanks.
    header.write(' '.repeat(8), 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  }
}

/** Includes the records that follow an extended header, which are needed whole. */
function lengthOfHeader(bytes: Buffer): number {
  return bytes.length >= block && typeOf(bytes) === 'x' ? block + padded(sizeIn(bytes)) : block;
}

function typeOf(header: Buffer): string {
  return header.toString('latin1', 156, 157);
}

function sizeIn(header: Buffer): number {
  return Number.parseInt(text(header, 124, 12), 8);
}

function padded(size: number): number {
  return Math.ceil(size / block) * block;
}

function text(header: Buffer, from: number, length: number): string {
  const end = header.subarray(from, from + length).indexOf(0);
  return header.toString('utf8', from, from + (end === -1 ? length : end));
}

/** Each record is `LENGTH KEY=VALUE` and a newline. The length counts all of that. Source: pax(1), "pax Extended Header". */
function recordsIn(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 20), 10);
    const record = bytes.toString('utf8', bytes.indexOf(' ', at) + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}
