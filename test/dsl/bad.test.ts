import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

const corpus = join(import.meta.dirname, 'bad');
const golden = join(import.meta.dirname, 'bad.golden.txt');

suite('bad recipes', (test) => {
  test('each gives exactly its message and exit code 2, before anything runs (npm run golden writes them anew)', async () => {
    const said: string[] = [];
    for (const name of readdirSync(corpus)
      .filter((file) => file.endsWith('.yml'))
      .sort()) {
      await inFolder({}, async (folder) => {
        // From the corpus, so that messages name files as a user in that folder sees them.
        const ended = await run(['run', name, '--state', join(folder, 'state')], { folder: corpus });
        said.push(`=== ${name}: exit ${ended.code}\n${ended.stdout}${ended.stderr}`);
        assert.is(ended.code, 2, `${name}: ${ended.stdout}${ended.stderr}`);
        assert.not.ok(existsSync(join(folder, 'state')), `${name} left something behind`);
      });
    }
    const text = said.join('\n');
    if (process.env['GOLDEN'] === 'write') writeFileSync(golden, text);
    assert.fixture(text, readFileSync(golden, 'utf8'));
  }, 120_000);
});
