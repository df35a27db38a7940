import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { differences, lookAtHost, removeDisks, watchTraces } from './support/host.js';
import { enterSuite, startInSuite } from './support/namespaces.js';
import { counts, runSuites, suite } from './support/suite.js';

if (!enterSuite()) process.exit(await startInSuite(removeDisks));

// Files named on the command line, else every *.test.ts of this folder but the long ones and those with other people's programs.
const named = process.argv.slice(2);
const found = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && !/^(long|outside)\//.test(file))
  .sort()
  .map((file) => join(import.meta.dirname, file));
watchTraces();
const before = await lookAtHost();
for (const file of named.length > 0 ? named.map((name) => join(process.cwd(), name)) : found) await import(file);

suite('the host', (test) => {
  test('is as it was before the tests: mounts, loop devices, /dev, processes, temporary folders', async () => {
    const left = differences(before, await lookAtHost());
    if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}`);
  });
});

const code = await runSuites();
if (process.env['ONLY'] !== undefined) console.log(`(only tests with "${process.env['ONLY']}" in their names: ${counts.passed + counts.failed})`);
process.exit(code);
