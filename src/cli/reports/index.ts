import { isDrawable } from '../terminal/output.js';
import { holding } from './holding.js';
import { jsonReport } from './json.js';
import { plainReport } from './plain.js';
import type { Report } from './report.js';

export type ReportFormat = 'auto' | 'plain' | 'json';

/** The report for a format: `auto` draws on a terminal and prints lines elsewhere and with `-v`. */
export async function openReport(format: ReportFormat, { verbose, quiet }: { readonly verbose: boolean; readonly quiet: boolean }): Promise<Report> {
  return holding(await reportFor(format, verbose, quiet));
}

async function reportFor(format: ReportFormat, verbose: boolean, quiet: boolean): Promise<Report> {
  if (format === 'json') return jsonReport();
  if (format === 'auto' && !quiet && process.env['GITHUB_ACTIONS'] === 'true') {
    const { githubReport } = await import('./github.js');
    return githubReport(process.env['GITHUB_STEP_SUMMARY']);
  }
  if (format === 'plain' || verbose || quiet || !isDrawable()) return plainReport({ quiet });
  const { listrReport } = await import('./listr.js');
  return listrReport();
}
