import { type Diagnostic, formatDiagnostic, includesOf, placeOf, sortDiagnostics } from '../../dsl/diagnostics/diagnostic.js';
import { positionOf } from '../../dsl/syntax/source.js';
import { plainJson } from '../../linux/plain_text.js';
import { print, printError, printJson } from '../terminal/output.js';

/** `event`: as the one line of NDJSON that stands for a run which could not begin. */
export type DiagnosticFormat = 'text' | 'json' | 'github' | 'event';

/** Prints what is wrong with recipes: as text on standard error; as JSON, or as annotations of GitHub Actions, on standard output. */
export function printDiagnostics(diagnostics: readonly Diagnostic[], format: DiagnosticFormat): void {
  const sorted = sortDiagnostics(diagnostics);
  switch (format) {
    case 'text':
      if (sorted.length > 0) printError(`${sorted.map(formatDiagnostic).join('\n')}\n${countsOf(sorted)}`);
      return;
    case 'json':
      return printJson(sorted.map(recordOf));
    case 'event':
      return print(plainJson({ time: new Date().toISOString(), type: 'recipe.invalid', diagnostics: sorted.map(recordOf) }));
    case 'github':
      for (const diagnostic of sorted) print(annotation(diagnostic));
  }
}

function countsOf(diagnostics: readonly Diagnostic[]): string {
  const warnings = diagnostics.filter(({ severity }) => severity === 'warning').length;
  const count = (number: number, word: string) => (number === 0 ? [] : [`${number} ${word}${number === 1 ? '' : 's'}`]);
  return [...count(diagnostics.length - warnings, 'error'), ...count(warnings, 'warning')].join(', ');
}

function recordOf(diagnostic: Diagnostic) {
  const { code, severity, message, span, help, notes } = diagnostic;
  const stack = includesOf(diagnostic);
  const place = (s: NonNullable<typeof span>) => ({ file: s.source.file, ...positionOf(s.source, s.start), end: positionOf(s.source, s.end) });
  return {
    code,
    severity,
    message,
    ...(span === undefined ? {} : place(span)),
    help,
    notes: notes?.map((note) => ({ message: note.message, ...place(note.span) })),
    included_at: stack.length === 0 ? undefined : stack.map(place),
  };
}

/** Source: GitHub Actions, "Workflow commands", with its escapes. */
function annotation(diagnostic: Diagnostic): string {
  const { code, severity = 'error', message, span, help, notes = [] } = diagnostic;
  const more = [...notes.map((note) => `note: ${placeOf(note.span)}: ${note.message}`), ...includesOf(diagnostic).map((at) => `included at ${placeOf(at)}`)];
  const escaped = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string) => escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const { line, column } = span === undefined ? { line: 1, column: 1 } : positionOf(span.source, span.start);
  const file = span === undefined ? '' : `file=${property(span.source.file)},line=${line},col=${column},`;
  return `::${severity} ${file}title=${property(code)}::${escaped([help === undefined ? message : `${message} (${help})`, ...more].join('\n'))}`;
}
