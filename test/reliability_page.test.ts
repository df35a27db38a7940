import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Outcome } from './faults/cases.js';
import { pageOf } from './faults/page.js';
import { repository } from './support/program.js';
import { suite } from './support/suite.js';

const page = readFileSync(join(repository, 'docs/reliability.md'), 'utf8');
const linesOf = (text: string) => text.replace(/Last run: .*/, '').split('\n');

suite('docs/reliability.md', (test) => {
  test('keeps the rows of parts that a run left out', () => {
    assert.equal(linesOf(pageOf({ points: new Map() }, [], page)), linesOf(page));
    const one: Outcome = { part: 'tiny', fault: 'KILL', result: 'killed', wrong: [], hung: false, title: 'tiny 1', again: '', seconds: 1 };
    const now = linesOf(pageOf({ points: new Map([['tiny', 7]]) }, [one], page));
    const isOther = (line: string) => !line.startsWith('| tiny |') && !line.startsWith('- `tiny`');
    assert.equal(now.filter(isOther), linesOf(page).filter(isOther));
    assert.equal(
      now.filter((line) => line.startsWith('| tiny |')),
      ['| tiny | KILL | 1 | 0 | 0 | 0 | 1 | 0 | 0 |'],
    );
  });
});
