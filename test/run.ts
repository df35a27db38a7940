import { readdirSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { shareFrom } from './faults/options.js';
import { shuffled } from './faults/random.js';
import { differences, lookAtHost, removeDisks, watchTraces } from './support/host.js';
import { enterSuite } from './support/namespaces.js';
import { runFiles } from './support/scheduler.js';
import { counts, narrowTo, runSuites } from './support/suite.js';

// npm test -- [FILE...] [-t TEXT] [-j N] [--share 1/2 [--seed N]]: the tests of the files that have the text in
// "suite: name", N files at once; of these files a random share. Defaults to every *.test.ts of this folder, except the
// long ones and those with other people's programs.

const text = { type: 'string' } as const;
const { values, positionals } = parseArgs({
  options: { test: { ...text, short: 't' }, jobs: { ...text, short: 'j' }, share: text, seed: text },
  allowPositionals: true,
});
const [file = ''] = positionals;
process.exit(enterSuite() ? await runHere(resolve(file)) : await runAll());

async function runAll(): Promise<number> {
  const found = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !/^(long|outside)\//.test(name))
    .map((name) => join(import.meta.dirname, name));
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.abort(signal));
  const files = shareOf(positionals.length > 0 ? positionals : found);
  const failed = await runFiles(files, { test: values.test, jobs: Number(values.jobs ?? availableParallelism()), signal: ending.signal, cleanUp: removeDisks });
  if (ending.signal.aborted) return 128 + constants.signals[ending.signal.reason as NodeJS.Signals];
  return failed ? 1 : 0;
}

/** The files of `--share`, chosen by a seed that is printed. */
function shareOf(files: readonly string[]): readonly string[] {
  if (values.share === undefined) return files;
  const [part, count] = shareFrom(values.share);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  console.log(`seed ${seed}`);
  return shuffled(files.toSorted(), seed).filter((_, i) => i % count === part - 1);
}

/** Runs the tests of one file in this process, which has namespaces and a folder of its own. */
async function runHere(path: string): Promise<number> {
  narrowTo(values.test);
  watchTraces();
  const before = await lookAtHost();
  await import(path);
  await runSuites(async () => {
    const left = differences(before, await lookAtHost());
    if (left.length > 0) throw new Error(`it left mounts, loop devices, links to them, locks, processes or temporary files behind:\n${left.join('\n')}`);
  });
  return counts.failed === 0 ? 0 : 1;
}
