import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { catalogue } from '../../src/dsl/diagnostics/catalogue.js';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

const corpus = join(import.meta.dirname, 'bad');
const golden = join(import.meta.dirname, 'bad.golden.txt');

suite('bad recipes', (test) => {
  test('each gives exactly its message and exit code 2, before anything runs (npm run golden writes them anew)', async () => {
    const names = readdirSync(corpus)
      .filter((file) => file.endsWith('.yml'))
      .sort();
    const said: string[] = [];
    const one = async (name: string, i: number) =>
      inFolder({}, async (folder) => {
        // From the corpus, so that messages name files as a user in that folder sees them.
        const [, args] = /^# args: (.*)$/m.exec(readFileSync(join(corpus, name), 'utf8')) ?? [];
        const ended = await run(['run', name, ...(args?.split(' ') ?? []), '--state', join(folder, 'state')], { folder: corpus });
        said[i] = `=== ${name}: exit ${ended.code}\n${ended.stdout}${ended.stderr}`;
        assert.is(ended.code, 2, `${name}: ${ended.stdout}${ended.stderr}`);
        assert.not.ok(existsSync(join(folder, 'state')), `${name} left something behind`);
      });
    // Some at once: each is a program of its own.
    for (let i = 0; i < names.length; i += 4) await Promise.all(names.slice(i, i + 4).map((name, j) => one(name, i + j)));
    const text = said.join('\n');
    if (process.env['GOLDEN'] === 'write') writeFileSync(golden, text);
    assert.fixture(text, readFileSync(golden, 'utf8'));
  }, 180_000);

  test('there are at least 120, with 120 different faults; every word of the catalogue has one', () => {
    const cases = readFileSync(golden, 'utf8').split(/^=== /m).slice(1);
    assert.ok(cases.length >= 120, `${cases.length} recipes`);
    // What is wrong and what would help, without the places and the lines shown.
    const faults = cases.map((each) =>
      [...each.matchAll(/^(?:\S+:\d+:\d+: |chrootfile: )(.* \[[a-z-]+\])$|^ {2}(help: .*)$/gm)].map(([, message, help]) => message ?? help).join('; '),
    );
    assert.ok(new Set(faults).size >= 120, `${new Set(faults).size} different faults`);
    const told = new Set(cases.flatMap((each) => [...each.matchAll(/ \[([a-z-]+)\]$/gm)].map(([, code]) => code)));
    assert.equal(
      // Warnings have theirs in plan.test.ts: with them nothing is wrong.
      Object.entries(catalogue).flatMap(([code, entry]) => (told.has(code) || 'warning' in entry ? [] : [code])),
      [],
      'words of the catalogue without a recipe',
    );
  });
});
