import type { Counted, Outcome, PointCase } from './cases.js';
import { type Ec2Case, ec2Cases, titleOf } from './ec2.js';
import type { Options } from './options.js';
import type { Pool } from './pool.js';
import { powerCases } from './power.js';
import { shuffled } from './random.js';
import { scenarios } from './scenarios.js';
import { applies } from './shim.js';
import type { Answer, Job } from './worker.js';

/** The cases to try, in their order. */
export interface Planned {
  readonly jobs: readonly Job[];
  /** How many points each scenario has. */
  readonly points: ReadonlyMap<string, number>;
  /** What went wrong before there was any fault. */
  readonly broken: readonly Outcome[];
}

/** The outcome of a job that the harness itself could not do. */
export function brokenOutcome(job: Job, error: string): Outcome {
  const name = job.part === 'points' || job.part === 'count' ? job.scenario : job.part.replace('prepare ', '');
  const what = job.part === 'points' ? `call#${job.point.number} ${job.fault}` : job.part === 'ec2' ? titleOf(job) : 'without faults';
  const again = `npm run test:faults -- --recipe ${name}${job.part === 'points' ? ` --points ${job.point.number} --faults ${job.fault}` : ''}`;
  return { part: name, title: `${name} ${what}`, fault: 'none', result: 'killed', wrong: [error], hung: false, again, seconds: 0 };
}

/** Pairs of faults of EC2 that are tried in one run. */
const pairs = 60;

/** Prepares what is asked for, and lists its cases; a share of them, or those of a run with a time limit, in random order. */
export async function plan(options: Options, pool: Pool<Job, Answer>): Promise<Planned> {
  const isWanted = (name: string) => options.recipes?.includes(name) ?? true;
  for (const name of options.recipes ?? [])
    if (!scenarios.has(name) && !['power', 'ec2'].includes(name))
      throw new Error(`--recipe ${name}: unknown; there are ${[...scenarios.keys(), 'power', 'ec2'].join(', ')}`);
  const broken: Outcome[] = [];
  const counted = await countAll([...scenarios.keys()].filter(isWanted), pool, broken);
  const ec2 = isWanted('ec2') ? await prepared(options, pool, broken) : [];
  const points = [...counted].flatMap(([scenario, of]) => casesOf(scenario, of, options));
  const all: Job[] = [...(isWanted('power') ? powerCases() : []), ...points, ...ec2];
  return { jobs: shareOf(all, options), points: new Map([...counted].map(([name, of]) => [name, of.points.length])), broken };
}

async function countAll(names: readonly string[], pool: Pool<Job, Answer>, broken: Outcome[]): Promise<Map<string, Counted>> {
  const counted = new Map<string, Counted>();
  await pool.each(
    names.map((scenario) => ({ part: 'count', scenario })),
    async (job, ask) => {
      const answer = await ask(job);
      if ('error' in answer) broken.push(brokenOutcome(job, answer.error));
      if (job.part !== 'count' || !('counted' in answer)) return;
      counted.set(job.scenario, answer.counted);
      console.log(`${job.scenario}: ${answer.counted.points.length} points`);
    },
  );
  return counted;
}

async function prepared({ seed, match }: Options, pool: Pool<Job, Answer>, broken: Outcome[]): Promise<Ec2Case[]> {
  await pool.each([{ part: 'prepare ec2' }], async (job, ask) => {
    const answer = await ask(job);
    if ('error' in answer) broken.push(brokenOutcome(job, answer.error));
  });
  return broken.some(({ part }) => part === 'ec2') ? [] : ec2Cases(seed, pairs).filter((one) => match?.test(titleOf(one)) ?? true);
}

function casesOf(scenario: string, { points, standard }: Counted, { points: [first, last], match, faults }: Options): PointCase[] {
  return points
    .filter(({ number, call, path }) => number >= first && number <= last && (match?.test(`${call} ${path}`) ?? true))
    .flatMap((point) => faults.filter((fault) => applies(fault, point)).map((fault) => ({ part: 'points', scenario, point, fault, standard }) as const));
}

function shareOf(all: readonly Job[], { share, seed, minutes }: Options): Job[] {
  if (share === undefined && !Number.isFinite(minutes)) return [...all];
  const [part, of] = share ?? [1, 1];
  // Power cuts take no time: all of them, always.
  const chosen = shuffled(all, seed).filter((job, i) => job.part === 'power' || i % of === part - 1);
  // The few of the other parts first: where the time is short it is the many points that are left out.
  return [...chosen.filter((job) => job.part !== 'points'), ...chosen.filter((job) => job.part === 'points')];
}
