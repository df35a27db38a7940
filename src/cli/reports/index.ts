import { holding } from './holding.js';
import { jsonReport } from './json.js';
import { plainReport } from './plain.js';
import type { Report } from './report.js';

export type ReportFormat = 'auto' | 'plain' | 'json';

/** The report for a format: listr2 on a terminal, plain lines elsewhere and with `-v`, NDJSON where asked for. */
export async function openReport(format: ReportFormat, { verbose, quiet }: { readonly verbose: boolean; readonly quiet: boolean }): Promise<Report> {
  return holding(await reportFor(format, verbose, quiet));
}

async function reportFor(format: ReportFormat, verbose: boolean, quiet: boolean): Promise<Report> {
  if (format === 'json') return jsonReport();
  // A terminal that does not know its width (a serial line, a bare pty) cannot be drawn on.
  const drawable = process.stdout.isTTY && process.stdout.columns > 0;
  if (format === 'plain' || verbose || quiet || !drawable) return plainReport({ quiet });
  const { listrReport } = await import('./listr.js');
  return listrReport();
}
