import type { Span } from '../syntax/source.js';
import type { Diagnostic } from './diagnostic.js';

/** The error for a cycle, with each link at the place where it is written. `cycle[i]` waits for `cycle[i + 1]`. */
export function cycleDiagnostic(cycle: readonly string[], linkOf: (from: string, to: string) => { because: string; span: Span } | undefined): Diagnostic {
  const edges = cycle.map((from, i) => {
    const to = cycle[(i + 1) % cycle.length] as string;
    return { from, to, link: linkOf(from, to) };
  });
  const notes = edges.flatMap(({ from, to, link }) =>
    link === undefined ? [] : [{ message: `"${from}" waits for "${to}": ${link.because}`, span: link.span }],
  );
  return {
    code: 'cycle',
    message: `tasks wait for each other: ${[...cycle, cycle[0]].join(' -> ')}`,
    span: notes[0]?.span,
    notes,
    help: cycle.length === 1 ? 'remove this link' : `remove one of these ${cycle.length} links`,
  };
}
