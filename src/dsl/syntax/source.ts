/** A text that comes from a file. */
export interface Source {
  /** The path to show in messages: relative to the working directory if that is shorter. */
  readonly file: string;
  /** The absolute path, from which relative paths in the text are resolved. */
  readonly path: string;
  readonly text: string;
  /** Whether it holds values of inputs, so that none of its lines may be shown. */
  readonly isPrivate?: boolean;
  /** Where it was included; absent for the recipe itself. */
  readonly includedAt?: Span;
}

/** A part of a source, as offsets into its text; `end` is exclusive. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** Line and column of an offset, both counted from 1. */
export function positionOf(source: Source, offset: number): { line: number; column: number } {
  const starts = lineStarts(source);
  let [line, after] = [0, starts.length];
  while (after - line > 1) {
    const middle = (line + after) >> 1;
    if ((starts[middle] as number) <= offset) line = middle;
    else after = middle;
  }
  return { line: line + 1, column: offset - (starts[line] as number) + 1 };
}

/** The text of a line, counted from 1, without its end. */
export function lineOf(source: Source, line: number): string {
  const starts = lineStarts(source);
  return source.text.slice(starts[line - 1] ?? source.text.length, (starts[line] ?? source.text.length + 1) - 1);
}

/** The start of a source, for errors without a better place. */
export function firstCharacterOf(source: Source): Span {
  return { source, start: 0, end: 0 };
}

/**
 * A text as YAML reads it: without a byte order mark, with LF as the end of lines. Editors on Windows write both a mark and
 * CR LF, and a shell reads the CR after `set -e` as part of the option. Source: YAML 1.2.2, 5.2 "Character Encodings", 5.4 "Line Break Characters".
 */
export function unixText(text: string): string {
  return text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n');
}

/** Whether a text has a line, or a map on one line, with each of these keys. */
export function hasKeys(text: string, ...keys: ('version' | 'tasks')[]): boolean {
  return keys.every((key) => new RegExp(`(^|[{,])\\ufeff?[ \\t]*["']?${key}["']?[ \\t]*:`, 'm').test(text));
}

/** Whether lines of a source may be shown. A recipe can name any file, so lines of files that are not recipes are not shown. */
export function isShown(source: Source): boolean {
  return factsOf(source).shown;
}

function lineStarts(source: Source): readonly number[] {
  return factsOf(source).starts;
}

interface Facts {
  readonly shown: boolean;
  readonly starts: readonly number[];
}

/** Computed once for each source. */
function factsOf(source: Source): Facts {
  const known = allFacts.get(source);
  if (known !== undefined) return known;
  const { text } = source;
  const starts = [0];
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
  const facts = { shown: !source.isPrivate && (hasKeys(text, 'version') || hasKeys(text, 'tasks')), starts };
  allFacts.set(source, facts);
  return facts;
}

const allFacts = new WeakMap<Source, Facts>();
