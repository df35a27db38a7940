import { type Diagnostic, formatDiagnostic, includesOf, placeOf, RecipeError, sortDiagnostics } from '../../dsl/diagnostics/diagnostic.js';
import { makePlan } from '../../dsl/plan/plan.js';
import { positionOf } from '../../dsl/syntax/source.js';
import { plainJson } from '../../linux/plain_text.js';
import { exits } from '../exit_codes.js';
import { type GivenInputs, loadRecipe } from '../recipe_file.js';
import { print, printError, printJson } from '../terminal/output.js';

/** `event`: as the one line of NDJSON that stands for a run which could not begin. */
export type FaultFormat = 'text' | 'json' | 'github' | 'event';

/** `chrootfile check`: all faults of recipes and their libraries, and warnings, without running anything. */
export function check(files: readonly string[], { format, ...given }: GivenInputs & { readonly format: FaultFormat }): number {
  const faults: Diagnostic[] = [];
  for (const file of files) {
    try {
      const { module, tasks } = loadRecipe(file, given);
      const { nodes, warnings } = makePlan(module, tasks, []);
      faults.push(...warnings);
      if (format === 'text') print(`${file}: ok, ${nodes.filter((node) => node.type === 'task').length} tasks`);
    } catch (error) {
      if (!(error instanceof RecipeError)) throw error;
      faults.push(...error.diagnostics);
    }
  }
  printFaults(faults, format);
  return faults.every(({ severity }) => severity === 'warning') ? exits.done : exits.invalid;
}

/** Prints faults: as text on standard error; as JSON, or as annotations of GitHub Actions, on standard output. */
export function printFaults(faults: readonly Diagnostic[], format: FaultFormat): void {
  const sorted = sortDiagnostics(faults);
  switch (format) {
    case 'text':
      if (sorted.length > 0) printError(`${sorted.map(formatDiagnostic).join('\n')}\n${countsOf(sorted)}`);
      return;
    case 'json':
      return printJson(sorted.map(recordOf));
    case 'event':
      return print(plainJson({ time: new Date().toISOString(), type: 'recipe.invalid', faults: sorted.map(recordOf) }));
    case 'github':
      for (const fault of sorted) print(annotation(fault));
  }
}

function countsOf(faults: readonly Diagnostic[]): string {
  const warnings = faults.filter(({ severity }) => severity === 'warning').length;
  const count = (number: number, word: string) => (number === 0 ? [] : [`${number} ${word}${number === 1 ? '' : 's'}`]);
  return [...count(faults.length - warnings, 'fault'), ...count(warnings, 'warning')].join(', ');
}

function recordOf(fault: Diagnostic) {
  const { code, severity, message, span, help, notes } = fault;
  const stack = includesOf(fault);
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
function annotation(fault: Diagnostic): string {
  const { code, severity = 'error', message, span, help, notes = [] } = fault;
  const more = [...notes.map((note) => `note: ${placeOf(note.span)}: ${note.message}`), ...includesOf(fault).map((at) => `included at ${placeOf(at)}`)];
  const escaped = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string) => escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const { line, column } = span === undefined ? { line: 1, column: 1 } : positionOf(span.source, span.start);
  const file = span === undefined ? '' : `file=${property(span.source.file)},line=${line},col=${column},`;
  return `::${severity} ${file}title=${property(code)}::${escaped([help === undefined ? message : `${message} (${help})`, ...more].join('\n'))}`;
}
