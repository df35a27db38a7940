import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Bench } from '../faults/pool.js';
import { caseTitled } from './all.js';
import type { Outcome, Part } from './case.js';
import { guardProcess, makeCanary } from './guard.js';
import { prepare } from './prepare.js';
import { tryCase } from './try.js';

/** What a worker is asked for: to prepare a part, or to try a case. */
export type Job = { readonly prepare: Part } | { readonly title: string };
export type Answer = { readonly outcome?: Outcome } | { readonly error: string };

/** It ends processes and unmounts what it finds, so it must be in namespaces of its own. */
if (process.ppid !== 1 || process.env['CHROOTFILE_FAULT_WORKER'] === undefined || process.send === undefined) {
  throw new Error('internal error: started outside a namespace of its own');
}
const bench = JSON.parse(process.env['CHROOTFILE_FAULT_WORKER']) as Bench;
// They are not the program's.
for (const name of Object.keys(process.env)) if (/^(AWS_|CHROOTFILE_|NODE_OPTIONS|npm_)/.test(name)) delete process.env[name];
mkdirSync(dirname(bench.folder), { recursive: true });
process.chdir(dirname(bench.folder));
makeCanary();
guardProcess(spawn('sleep', ['infinity'], { stdio: 'ignore' }).pid);

process.on('message', async (job: Job) => {
  const answer = await answerTo(job).catch((error: Error): Answer => ({ error: error.message }));
  process.send?.(answer);
});
process.on('disconnect', () => process.exit());

async function answerTo(job: Job): Promise<Answer> {
  if ('title' in job) return { outcome: await tryCase(bench, caseTitled(job.title)) };
  await prepare(bench, job.prepare);
  return {};
}
