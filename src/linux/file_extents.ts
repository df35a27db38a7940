/** A part of a file that is in one piece on the disk, in bytes. */
export interface FileExtent {
  /** From where to where in the file. */
  readonly start: number;
  readonly end: number;
  /** Where it begins on the disk. */
  readonly at: number;
  /** What filefrag says of it, such as `last,shared,eof`. */
  readonly flags: string;
}

/** Reads what `filefrag -v -b1` prints. Source: filefrag(8), and the kernel's filesystems/fiemap.rst. */
export function extentsIn(printed: string): FileExtent[] {
  return printed.split('\n').flatMap((line) => {
    const [, start, end, at, flags = ''] = /^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\.\s*\d+:\s*\d+:(.*)$/.exec(line) ?? [];
    return start === undefined ? [] : [{ start: Number(start), end: Number(end) + 1, at: Number(at), flags }];
  });
}
