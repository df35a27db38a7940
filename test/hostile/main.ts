import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from '../faults/pool.js';
import { shuffled } from '../faults/random.js';
import { compileTools } from '../faults/shim.js';
import { cases, caseTitled, titleOf } from './all.js';
import type { Outcome, Part } from './case.js';
import { workerCommands } from './guard.js';
import { tryInput } from './input.js';
import { type Options, optionsFrom } from './options.js';
import { writePage } from './page.js';
import type { Answer, Job } from './worker.js';

/** Builds on hostile images, with hostile scripts, and with real packages; the last line is `N passed, N failed`. */
async function main(options: Options): Promise<number> {
  if (process.getuid?.() !== 0) throw new Error('this needs root: sudo npm run test:hostile');
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-hostile-'));
  const pools = poolsFor(options, folder);
  // Ctrl-C ends the workers, and with them all they have started.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  process.once('exit', () => {
    for (const pool of pools.values()) pool.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  console.log(`seed ${options.seed}`);
  const until = Date.now() + options.minutes * 60_000;
  const outcomes: Outcome[] = [];
  for (const [parts, pool] of pools) outcomes.push(...(await runAll(parts, pool, options, until)));
  if (options.write) writePage(outcomes, await tryInput(options.seed));
  const failed = outcomes.filter(({ wrong }) => wrong.length > 0).length;
  console.log(`${outcomes.length - failed} passed, ${failed} failed`);
  return failed > 0 || outcomes.length === 0 ? 1 : 0;
}

/** Only installs of packages reach the network. */
function poolsFor({ workers, program }: Options, folder: string): Map<readonly Part[], Pool<Job, Answer>> {
  const bench = { program, tools: compileTools(folder) };
  const module = join(import.meta.dirname, 'worker.ts');
  const poolFor = (name: string, alone: boolean) => {
    mkdirSync(join(folder, name));
    const namespaces = ['--uts', '--ipc', ...(alone ? ['--net'] : [])];
    return new Pool<Job, Answer>({ workers, module, bench, namespaces, before: workerCommands(alone) }, join(folder, name));
  };
  return new Map([
    [['images', 'acts'], poolFor('small', true)],
    [['debian', 'rpm'], poolFor('packages', false)],
  ]);
}

async function runAll(
  of: readonly Part[],
  pool: Pool<Job, Answer>,
  { parts, match, share: [part, count] = [1, 1], seed, verbose }: Options,
  until: number,
): Promise<Outcome[]> {
  const wanted = cases.filter((one) => of.includes(one.part) && parts.includes(one.part) && (match?.test(titleOf(one)) ?? true));
  const chosen = count === 1 && !Number.isFinite(until) ? wanted : shuffled(wanted, seed).filter((_, i) => i % count === part - 1);
  const outcomes: Outcome[] = [];
  let leftOut = 0;
  // One after the other: RPMs start from what was made for Debian.
  for (const prepare of of.filter((part) => chosen.some((one) => one.part === part))) {
    await pool.each([{ prepare }], async (job, ask) => {
      const answer = await ask(job);
      if ('error' in answer) throw new Error(`${prepare} cannot be prepared: ${answer.error}`);
    });
  }
  await pool.each(
    chosen.map((one) => ({ title: titleOf(one) })),
    async (job, ask) => {
      if (!('title' in job)) return;
      if (Date.now() > until) leftOut += 1;
      else {
        const outcome = outcomeOf(job.title, await ask(job));
        show(outcome, verbose);
        outcomes.push(outcome);
      }
    },
  );
  if (leftOut > 0) console.log(`${leftOut} of ${chosen.length} cases were left out: the time was over`);
  return outcomes;
}

function outcomeOf(title: string, answer: Answer): Outcome {
  if ('outcome' in answer && answer.outcome !== undefined) return answer.outcome;
  const { part, sort, name } = caseTitled(title);
  return {
    part,
    sort,
    name,
    result: 'failed',
    wrong: [`the case could not be tried: ${'error' in answer ? answer.error : ''}`],
    hung: false,
    said: '',
    seconds: 0,
  };
}

/** One line for a case, and more where something is wrong: what it is, and how to try it again. */
function show({ part, name, wrong, result, said, seconds }: Outcome, verbose: boolean): void {
  const isFine = wrong.length === 0;
  if (isFine && !verbose) return;
  const message = result === 'failed' ? `: ${said.slice(0, 200).replaceAll('\n', ' | ')}` : '';
  console.log(`${isFine ? 'ok' : 'WRONG'} ${part} ${name} (${result}, ${seconds.toFixed(1)} s)${message}`);
  if (isFine) return;
  const again = `npm run test:hostile -- --part ${part} --match '${name.replace(/[^\w ,:/-]/g, '.')}'`;
  console.log([...wrong.map((line) => line.slice(0, 500)), again].map((line) => `  ${line}`).join('\n'));
}

try {
  process.exit(await main(optionsFrom(process.argv.slice(2))));
} catch (error) {
  console.error((error as Error).message);
  process.exit(2);
}
