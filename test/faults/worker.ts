import { dirname } from 'node:path';
import { type Counted, count, type Outcome, type PointCase, tryPoint } from './cases.js';
import { type Ec2Case, prepareEc2, tryEc2 } from './ec2.js';
import type { Bench } from './pool.js';
import { type PowerCase, tryPower } from './power.js';

/** What a worker is asked for. */
export type Job = { readonly part: 'count'; readonly scenario: string } | { readonly part: 'prepare ec2' } | PointCase | PowerCase | Ec2Case;

/** What it answers: for `count` a {@link Counted}, else outcomes. */
export type Answer = { readonly counted: Counted } | { readonly outcomes: readonly Outcome[] } | { readonly error: string };

/** A worker has mounts and processes of its own: it ends all processes it finds, so it must be sure of that. */
if (process.ppid !== 1 || process.env['CHROOTFILE_FAULT_WORKER'] === undefined || process.send === undefined) {
  throw new Error('internal error: started outside a namespace of its own');
}
const bench = JSON.parse(process.env['CHROOTFILE_FAULT_WORKER']) as Bench;
// They are not the program's.
for (const name of Object.keys(process.env)) if (/^(AWS_|CHROOTFILE_|NODE_OPTIONS|npm_)/.test(name)) delete process.env[name];
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
process.chdir(dirname(bench.folder));

process.on('message', async (job: Job) => {
  const answer = await answerTo(job).catch((error: Error): Answer => ({ error: error.message }));
  process.send?.(answer);
});
process.on('disconnect', () => process.exit());

async function answerTo(job: Job): Promise<Answer> {
  switch (job.part) {
    case 'count':
      return { counted: await count(bench, job.scenario) };
    case 'points':
      return { outcomes: [await tryPoint(bench, job)] };
    case 'prepare ec2':
      await prepareEc2(bench);
      return { outcomes: [] };
    case 'ec2':
      return { outcomes: [await tryEc2(bench, job)] };
    case 'power':
      return { outcomes: await tryPower(bench, job) };
  }
}
