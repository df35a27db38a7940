/** A text with a name, and places in it. */
export interface Source {
  /** The path as it is shown to people: relative to the working folder where that is shorter. */
  readonly file: string;
  /** The absolute path, from which relative paths in the text are resolved. */
  readonly path: string;
  readonly text: string;
  /** Whether it holds values of inputs: no line of it is shown. */
  readonly isPrivate?: boolean;
  /** Where it was included; absent for the recipe itself. */
  readonly includedAt?: Span;
}

/** A stretch of a source, as offsets into its text; `end` is exclusive. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** Line and column of an offset, both counted from 1. */
export function positionOf(source: Source, offset: number): { line: number; column: number } {
  const before = source.text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}

/** The span of the whole source's first character, for faults that belong to no better place. */
export function startOf(source: Source): Span {
  return { source, start: 0, end: 0 };
}

/**
 * A text as YAML would read it: without a byte order mark, lines ended by LF alone. Editors of Windows write both, and
 * `set -e` with a CR behind it is another option. Source: YAML 1.2.2, 5.2 "Character Encodings", 5.4 "Line Break Characters".
 */
export function unixText(text: string): string {
  return text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n');
}
