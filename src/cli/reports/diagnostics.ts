import { type Diagnostic, formatDiagnostic, includesOf, placeOf, sortDiagnostics } from '../../dsl/diagnostics/diagnostic.js';
import { positionOf } from '../../dsl/syntax/source.js';
import { plainJson } from '../../linux/plain_text.js';
import { print, printError, printJson, styled } from '../terminal/output.js';
import { command, inWorkspace } from './github_command.js';
import { counted } from './lines.js';

/** `event`: one line of NDJSON, in place of the events of a run that could not start. */
export type DiagnosticFormat = 'text' | 'json' | 'github' | 'event';

/** Prints errors and warnings of recipes: text on standard error; JSON or GitHub Actions annotations on standard output. */
export function printDiagnostics(diagnostics: readonly Diagnostic[], format: DiagnosticFormat): void {
  const sorted = sortDiagnostics(diagnostics);
  switch (format) {
    case 'text':
      if (sorted.length > 0) printError(`${sorted.map(coloured).join('\n')}\n${countsOf(sorted)}`);
      return;
    case 'json':
      return printJson(sorted.map(recordOf));
    case 'event':
      return print(plainJson({ time: new Date().toISOString(), type: 'recipe.invalid', version: 1, diagnostics: sorted.map(recordOf) }));
    case 'github':
      for (const diagnostic of sorted) print(annotation(diagnostic));
  }
}

function countsOf(diagnostics: readonly Diagnostic[]): string {
  const warnings = diagnostics.filter(({ severity }) => severity === 'warning').length;
  const count = (number: number, word: string) => (number === 0 ? [] : [counted(number, word)]);
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

function annotation(diagnostic: Diagnostic): string {
  const { code, severity = 'error', message, span, help, notes = [] } = diagnostic;
  const more = [...notes.map((note) => `note: ${placeOf(note.span)}: ${note.message}`), ...includesOf(diagnostic).map((at) => `included at ${placeOf(at)}`)];
  const { line, column } = span === undefined ? { line: undefined, column: undefined } : positionOf(span.source, span.start);
  const place = { file: span && inWorkspace(span.source.file), line, col: column, title: code };
  return command(severity, place, [help === undefined ? message : `${message} (${help})`, ...more].join('\n'));
}

/** A diagnostic with its place in bold, its severity and carets in colour, and its code dim; plain off a terminal. */
function coloured(diagnostic: Diagnostic): string {
  const style = (name: Parameters<typeof styled>[0], text: string) => styled(name, text, process.stderr);
  const colour = diagnostic.severity === 'warning' ? 'yellow' : 'red';
  const [first = '', ...more] = formatDiagnostic(diagnostic).split('\n');
  const place = diagnostic.span !== undefined ? placeOf(diagnostic.span) : diagnostic.severity === undefined ? 'error' : '';
  const code = ` [${diagnostic.code}]`;
  const message = first.slice(place.length, -code.length);
  const rest = more.map((line) =>
    line.replace(/^( *\| +)(\^+)$/, (_, gutter: string, carets: string) => gutter + style(colour, carets)).replace(/^ {2}help:/, style('cyan', '  help:')),
  );
  return [`${style('bold', place)}${style(colour, message)}${style('dim', code)}`, ...rest].join('\n');
}
