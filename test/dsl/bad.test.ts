import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as assert from 'uvu/assert';
import { reportFailure } from '../../src/cli/failure.js';
import { inputsOf, loadRecipe, mustBePlaced } from '../../src/cli/recipe_file.js';
import { catalogue } from '../../src/dsl/diagnostics/catalogue.js';
import { makePlan } from '../../src/dsl/plan/plan.js';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

const corpus = join(import.meta.dirname, 'bad');
const golden = join(import.meta.dirname, 'bad.golden.txt');

/** What stands behind `run NAME` on the command line of a recipe of the corpus, as its first line says. */
function wordsOf(name: string): string[] {
  return /^# args: (.*)$/m.exec(readFileSync(join(corpus, name), 'utf8'))?.[1]?.split(' ') ?? [];
}

/** What `run` does with a recipe before anything runs: prints its faults, and ends with the exit code. */
async function refuse(name: string): Promise<{ code: number; text: string }> {
  const options = { input: { type: 'string', short: 'i', multiple: true }, inputs: { type: 'string', multiple: true } } as const;
  const words = wordsOf(name);
  const split = words.indexOf('--');
  const { values, positionals } = parseArgs({ args: split < 0 ? words : words.slice(0, split), options, allowPositionals: true });
  try {
    const loaded = loadRecipe(name, { ...values, arguments: split < 0 ? [] : words.slice(split + 1) });
    mustBePlaced(makePlan(loaded.module, loaded.tasks, positionals));
    inputsOf(loaded);
  } catch (error) {
    return printed(() => reportFailure(error, '', []));
  }
  throw new Error(`${name} has no fault`);
}

/** Keeps what something prints on standard error. */
async function printed(action: () => Promise<number>): Promise<{ code: number; text: string }> {
  const { write } = process.stderr;
  let text = '';
  process.stderr.write = (chunk) => {
    text += chunk;
    return true;
  };
  try {
    return { code: await action(), text };
  } finally {
    process.stderr.write = write;
  }
}

suite('bad recipes', (test) => {
  test('each gives exactly its message and exit code 2 (npm run golden writes them anew)', async () => {
    const names = readdirSync(corpus)
      .filter((file) => file.endsWith('.yml'))
      .sort();
    const said: string[] = [];
    // From the corpus, so that messages name files as a user in that folder sees them.
    const before = process.cwd();
    process.chdir(corpus);
    try {
      for (const name of names) {
        const { code, text } = await refuse(name);
        said.push(`=== ${name}: exit ${code}\n${text}`);
        assert.is(code, 2, `${name}: ${text}`);
      }
    } finally {
      process.chdir(before);
    }
    const text = said.join('\n');
    if (process.env['GOLDEN'] === 'write') writeFileSync(golden, text);
    assert.fixture(text, readFileSync(golden, 'utf8'));
  });

  for (const name of ['several_faults.yml', 'input_given_unfit.yml', 'arguments_unused.yml']) {
    test(`the whole program says the same of ${name}, before anything runs`, () =>
      inFolder({}, async (folder) => {
        const { code, stdout, stderr } = await run(['run', '--state', join(folder, 'state'), name, ...wordsOf(name)], { folder: corpus });
        assert.equal([stdout, existsSync(join(folder, 'state'))], ['', false]);
        assert.match(readFileSync(golden, 'utf8'), `=== ${name}: exit ${code}\n${stderr}`);
      }));
  }

  test('there are at least 120, with 120 different faults; every word of the catalogue has one', () => {
    const cases = readFileSync(golden, 'utf8').split(/^=== /m).slice(1);
    assert.ok(cases.length >= 120, `${cases.length} recipes`);
    // What is wrong and what would help, without the places and the lines shown.
    const faults = cases.map((each) =>
      [...each.matchAll(/^(?:\S+:\d+:\d+: |error: )(.* \[[a-z-]+\])$|^ {2}(help: .*)$/gm)].map(([, message, help]) => message ?? help).join('; '),
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
