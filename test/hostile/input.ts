import { execa } from 'execa';
import { fuzz } from '../fuzz/fuzz.js';
import { repository } from '../support/program.js';

/** How many recipes and requests were tried, and how many of them went wrong. */
export interface InputCounts {
  readonly recipes: { readonly tried: number; readonly wrong: number };
  readonly requests: { readonly tried: number; readonly wrong: number };
}

/** Tries recipes that were changed at random, and the bad requests of the suite. */
export async function tryInput(seed: number): Promise<InputCounts> {
  const count = 20_000;
  const failures = await fuzz({ count, seed, whole: count / 200 });
  for (const failure of failures) console.log(`recipe of seed ${failure}`);
  const { stdout, exitCode } = await execa('npx', ['tsx', 'test/run.ts', 'test/local/requests.test.ts'], { cwd: repository, reject: false });
  const [, tried] = /^([0-9]+) bad requests$/m.exec(stdout) ?? [];
  if (tried === undefined) throw new Error(`the bad requests could not be tried: ${stdout}`);
  if (exitCode !== 0) console.log(stdout);
  return { recipes: { tried: count, wrong: failures.length }, requests: { tried: Number(tried), wrong: exitCode === 0 ? 0 : 1 } };
}
