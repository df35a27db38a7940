import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome } from './cases.js';
import { mutate } from './mutations.js';
import { type Options, optionsFrom } from './options.js';
import { writePage } from './page.js';
import { brokenOutcome, type Planned, plan } from './plan.js';
import { Pool } from './pool.js';
import { compileTools } from './shim.js';
import type { Answer, Job } from './worker.js';

/** Tries faults everywhere, or in a share of the places; the last line is `N passed, N failed`. */
async function main(options: Options): Promise<number> {
  if (process.getuid?.() !== 0) throw new Error('this needs root: sudo npm run test:faults');
  if (options.mutate !== undefined) return mutate(options.mutate, options.program);
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-faults-'));
  const { program, workers } = options;
  const bench = { program, tools: compileTools(folder) };
  const pool = new Pool<Job, Answer>({ workers, module: join(import.meta.dirname, 'worker.ts'), bench }, folder);
  // Ctrl-C ends the workers, and with them all they have started.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  process.once('exit', () => {
    pool.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  mkdirSync(join(folder, 'prepared'));
  console.log(`seed ${options.seed}`);
  const planned = await plan(options, pool);
  const outcomes = await runAll(planned, options, pool);
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(outcomes));
  if (options.write) writePage(planned, outcomes);
  const failed = outcomes.filter(({ wrong }) => wrong.length > 0).length;
  console.log(`${outcomes.length - failed} passed, ${failed} failed`);
  return failed > 0 || outcomes.length === 0 ? 1 : 0;
}

async function runAll({ jobs, broken }: Planned, options: Options, pool: Pool<Job, Answer>): Promise<Outcome[]> {
  const until = Date.now() + options.minutes * 60_000;
  const outcomes: Outcome[] = [...broken];
  for (const outcome of broken) show(outcome);
  let leftOut = 0;
  let begun = 0;
  await pool.each(jobs, async (job, ask) => {
    if (Date.now() > until) {
      leftOut += 1;
      return;
    }
    begun += 1;
    const answer = await ask(job);
    const these = 'outcomes' in answer ? answer.outcomes : [brokenOutcome(job, 'error' in answer ? answer.error : '')];
    for (const outcome of these) show(outcome);
    outcomes.push(...these);
    if (begun % 100 === 0) console.log(`${begun} of ${jobs.length}`);
  });
  if (leftOut > 0) console.log(`${leftOut} of ${jobs.length} cases were left out: the time was over`);
  return outcomes;
}

function show({ title, wrong, again }: Outcome): void {
  if (wrong.length === 0) return;
  const shown = wrong.slice(0, 5).map((line) => line.slice(0, 400));
  const more = wrong.length > shown.length ? [`and ${wrong.length - shown.length} more`] : [];
  console.log(`FAILED ${title}: ${[...shown, ...more].join('\n  ')}\n  ${again}`);
}

try {
  process.exit(await main(optionsFrom(process.argv.slice(2))));
} catch (error) {
  console.error((error as Error).message);
  process.exit(2);
}
