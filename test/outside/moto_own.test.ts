import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { repository } from '../support/program.js';
import { runProgram, serveIn } from '../support/served.js';
import { suite } from '../support/suite.js';

const python = process.env['CHROOTFILE_NEWEST_PYTHON'] ?? '';
const page = readFileSync(join(repository, 'docs/moto-tests.md'), 'utf8');
const [, version = ''] = /moto ([0-9.]+[0-9])/.exec(page) ?? [];
const files = ['amis', 'elastic_block_store', 'tags', 'regions', 'availability_zones_and_regions', 'settings'];

/** One test of moto's, as the plug-in writes it down. */
interface Result {
  readonly test: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly reason: string;
  readonly refused: readonly string[];
}

/** The rows of a table of the page: test and reason. */
function rowsOf(title: string): ReadonlyMap<string, string> {
  const [, table = ''] = page.split(`## ${title}\n`);
  const rows = [...(table.split('\n## ')[0] ?? '').matchAll(/^\| `(test_.*?)` \| (.*) \|$/gm)];
  if (rows.length === 0) throw new Error(`docs/moto-tests.md has no table "${title}"`);
  return new Map(rows.map(([, test = '', reason = '']) => [test, reason]));
}

suite(
  "moto's own tests, of images, volumes, snapshots and their blocks, tags and regions",
  (test) => {
    test(
      'fail as docs/moto-tests.md says, each for its reason, and no other does',
      () =>
        inFolder({}, async (folder) => {
          const server = await serveIn(folder, '--no-auth', '--region', 'us-east-1');
          try {
            const ok = async (...command: string[]) => {
              const { code, stdout, stderr } = await runProgram(command, server);
              assert.is(code, 0, `${command.join(' ')}\n${stdout}${stderr}`);
              return stdout;
            };
            const installed = await ok(python, '-c', 'from importlib.metadata import version; print(version("moto"))');
            assert.is(installed.trim(), version, 'the version that the page is about');
            // The tests are in moto's source alone.
            await ok(python, '-m', 'pip', 'download', '--quiet', '--no-deps', '--no-binary', ':all:', '--dest', folder, `moto==${version}`);
            await ok('tar', '-xf', join(folder, `moto-${version}.tar.gz`), '-C', folder, '--strip-components=1', `moto-${version}/tests`);
            const results = join(folder, 'results.ndjson');
            const tests = [...files.map((name) => `tests/test_ec2/test_${name}.py`), 'tests/test_ebs/test_ebs.py'];
            const ran = await runProgram([python, '-m', 'pytest', '-p', 'moto_own', '--quiet', '--tb=short', '--color=no', ...tests], server, {
              PYTHONPATH: join(repository, 'test/outside'),
              PYTHONDONTWRITEBYTECODE: '1',
              TEST_SERVER_MODE_ENDPOINT: server.endpoint,
              MOTO_OWN_RESULTS: results,
            });
            // pytest ends with 1 where tests failed; everything else means that it could not run them.
            assert.is(ran.code, 1, ran.stdout + ran.stderr);
            const all = readFileSync(results, 'utf8')
              .split('\n')
              .filter(Boolean)
              .map((line) => JSON.parse(line) as Result);
            compare(all);
          } finally {
            const { code, stderr } = await server.stop();
            assert.is(code, 0, stderr);
          }
        }),
      600_000,
    );
  },
  python === '' ? 'CHROOTFILE_NEWEST_PYTHON names no Python with moto and pytest' : undefined,
);

function compare(all: readonly Result[]): void {
  const notServed = rowsOf('What is not supported');
  const known = new Map([...rowsOf('What EC2 does differently'), ...notServed, ...rowsOf('What the embedded EC2 does differently on purpose')]);
  const named = all.map((result) => ({ ...result, test: result.test.replace(/^.*::/, '') }));
  const failed = named.filter(({ outcome }) => outcome !== 'passed');
  const wrong = [
    ...failed.filter((one) => !known.has(one.test)).map((one) => `${one.outcome}, and not on the page: ${one.test}: ${one.reason}`),
    ...[...known.keys()].filter((name) => !failed.some((one) => one.test === name)).map((name) => `on the page, and did not fail: ${name}`),
    ...failed.flatMap(({ test, refused }) => {
      const [, action = ''] = /^`(\w+)`/.exec(notServed.get(test) ?? '') ?? [];
      return notServed.has(test) && !refused.includes(action) ? [`${test}: ${action} was not refused, but ${refused.join(', ') || 'nothing'}`] : [];
    }),
  ];
  assert.equal(wrong, []);
  const counts = `of ${all.length} tests, ${all.length - failed.length} pass and ${failed.length} fail`;
  console.log(`\nmoto ${version}: ${counts}`);
  assert.ok(page.includes(counts), `the page does not say: ${counts}`);
}
