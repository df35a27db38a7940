import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { repository } from '../support/program.js';
import { suite } from '../support/suite.js';
import { follow } from '../support/tutorial.js';

suite('docs/layers.md', (test) => {
  test('does what it says', () =>
    inFolder({}, (folder) => {
      const state = { CHROOTFILE_STATE: join(folder, 'state') };
      assert.equal(follow(join(repository, 'docs/layers.md'), folder, state), { ran: 5, compared: 5 });
    }));
});
