import { isShown, lineOf, positionOf, type Source, type Span } from '../syntax/source.js';
import type { catalogue } from './catalogue.js';

/** The code of an error or a warning: a key of the catalogue. */
export type DiagnosticCode = keyof typeof catalogue;

/** An error or a warning for a recipe or a command line: what is wrong, where, and what to write instead. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly message: string;
  /** Absent for errors. A recipe with warnings runs anyway. */
  readonly severity?: 'warning';
  /** Absent for errors of the command line. */
  readonly span?: Span | undefined;
  readonly help?: string | undefined;
  /** Other places that matter, each with its message. */
  readonly notes?: readonly { readonly message: string; readonly span: Span }[];
}

/** Thrown by a stage of the language that found errors; carries all of them. */
export class RecipeError extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(sortDiagnostics(diagnostics).slice(0, 20).map(formatDiagnostic).join('\n'));
    this.name = 'RecipeError';
  }
}

/** Diagnostics in reading order: the command line first, then by file and place. Duplicates are removed. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const key = (d: Diagnostic) => `${d.span?.source.file ?? ''}:${d.span?.start ?? ''}:${d.message}`;
  // An error in a library that is included twice is reported for the first include.
  const unique = [...new Map(diagnostics.toReversed().map((d) => [key(d), d])).values()];
  const sorted = unique.sort((a, b) => {
    const byFile = compare(a.span?.source.file ?? '', b.span?.source.file ?? '');
    return byFile || (a.span?.start ?? -1) - (b.span?.start ?? -1) || compare(a.message, b.message);
  });
  return sorted.map((d) => ({ ...d, message: shortened(d.message), help: d.help && shortened(d.help) }));
}

/** A diagnostic as text: `file:line:column: message [code]`, the line with carets, notes, the include stack, and help. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const lines: string[] = [];
  const message = `${diagnostic.severity === undefined ? '' : `${diagnostic.severity}: `}${diagnostic.message} [${diagnostic.code}]`;
  if (diagnostic.span === undefined) {
    lines.push(`${diagnostic.severity === undefined ? 'error: ' : ''}${message}`);
  } else {
    lines.push(`${placeOf(diagnostic.span)}: ${message}`, ...excerpt(diagnostic.span));
  }
  for (const note of diagnostic.notes ?? []) {
    lines.push(`  note: ${placeOf(note.span)}: ${note.message}`, ...excerpt(note.span));
  }
  for (const span of includesOf(diagnostic)) lines.push(`  included at ${placeOf(span)}`);
  if (diagnostic.help !== undefined) lines.push(`  help: ${diagnostic.help}`);
  return `${lines.join('\n')}\n`;
}

/** For an error in a library: where the library is included, and so on up to the recipe itself. */
export function includesOf({ span }: Diagnostic): Span[] {
  const stack: Span[] = [];
  for (let source: Source | undefined = span?.source; source?.includedAt !== undefined; source = source.includedAt.source) stack.push(source.includedAt);
  return stack;
}

/** `file:line:column` of a span. */
export function placeOf(span: Span): string {
  const { line, column } = positionOf(span.source, span.start);
  return `${span.source.file}:${line}:${column}`;
}

/** The line of a place, with carets; a long line is cut around them. Lines of files that are not recipes are never shown. */
function excerpt(span: Span): string[] {
  if (!isShown(span.source)) return [];
  const { line, column } = positionOf(span.source, span.start);
  const whole = lineOf(span.source, line);
  const cut = whole.length > longestLine;
  const from = cut ? Math.max(0, Math.min(column - shownBefore, whole.length - longestLine)) : 0;
  const until = cut ? Math.min(whole.length, from + longestLine) : whole.length;
  const before = from > 0 ? '…' : '';
  const text = `${before}${whole.slice(from, until)}${until < whole.length ? '…' : ''}`.replaceAll('\t', ' ').trimEnd();
  if (text === '') return [];
  const at = column - 1 - from + before.length;
  const width = Math.max(1, Math.min(span.end - span.start, text.length - at));
  const gutter = ' '.repeat(String(line).length);
  return [`${gutter} |`, `${line} | ${text}`, `${gutter} | ${' '.repeat(at)}${'^'.repeat(width)}`];
}

/** Limits in characters: of a line that is shown, of what is shown before the place, and of a message. */
const [longestLine, shownBefore, longestMessage] = [160, 60, 1000];

/** Cuts a long message in the middle: a name in it may be as long as the file. */
function shortened(text: string): string {
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage - 200)} … ${text.slice(-200)}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
