import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { directPolicy } from '../../src/aws/direct/policy.js';
import { inFolder } from '../support/folder.js';
import { repository, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const page = readFileSync(join(repository, 'docs/direct.md'), 'utf8');

suite('the page of direct volumes', (test) => {
  test('uses verbs and options that exist', () =>
    inFolder({}, async (folder) => {
      const lines = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));
      const commands = lines.filter((line) => line.startsWith('sudo chrootfile '));
      assert.is(commands.length, 4);
      for (const line of commands) {
        const [verb = '', ...rest] = line.replace('sudo chrootfile ', '').split(' ');
        const help = await run([verb, '--help'], { folder });
        assert.is(help.code, 0, line);
        for (const option of rest.filter((word) => word.startsWith('--'))) assert.match(help.stdout, option, line);
      }
    }));

  test('has the numbers of the program', () => {
    assert.match(page, `${directPolicy.blocksAtOnce} at a time`);
    assert.match(page, `A block is ${directPolicy.blockBytes / 1024} KiB`);
    assert.match(page, `within ${directPolicy.timeoutMinutes / 60} hours`);
  });
});
