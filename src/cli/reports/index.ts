import { isDrawable } from '../terminal/output.js';
import { holding } from './holding.js';
import { jsonReport } from './json.js';
import { plainReport } from './plain.js';
import type { Report } from './report.js';

export type ReportFormat = 'auto' | 'plain' | 'json';

interface ReportOptions {
  readonly verbose: boolean;
  readonly quiet: boolean;
  /** The state folder, for the commands that reports suggest. */
  readonly state: string;
}

/** The report for a format: `auto` draws on a terminal and prints lines elsewhere and with `-v`. */
export async function openReport(format: ReportFormat, options: ReportOptions): Promise<Report> {
  return holding(await reportFor(format, options), options.state);
}

async function reportFor(format: ReportFormat, { verbose, quiet, state }: ReportOptions): Promise<Report> {
  if (format === 'json') return jsonReport();
  if (format === 'auto' && !quiet && process.env['GITHUB_ACTIONS'] === 'true') {
    const { githubReport } = await import('./github.js');
    return githubReport(state, process.env['GITHUB_STEP_SUMMARY']);
  }
  if (format === 'plain' || verbose || quiet || !isDrawable()) return plainReport({ quiet, state });
  const { listrReport } = await import('./listr.js');
  return listrReport(state);
}
