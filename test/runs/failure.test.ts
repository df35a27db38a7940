import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

const recipe = 'version: 1\ntasks:\n  a: {run: "true"}\n';

suite('an error of the program itself', (test) => {
  test('is told as such, with the places of the sources and how to report it', () =>
    inFolder({ 'r.yml': recipe, 'broken.cjs': "require('node:fs').fstatSync = () => { throw new TypeError('a part broke'); };\n" }, async (folder) => {
      const { code, stderr } = await run(['check', 'r.yml'], { folder, env: { NODE_OPTIONS: `--require ${join(folder, 'broken.cjs')}` } });
      assert.is(code, 1);
      assert.match(stderr, /^chrootfile: internal error: TypeError: a part broke\n/);
      assert.match(stderr, /^ +at readRegularFile \(src\/linux\/regular_file\.ts:\d+:\d+\)$/m);
      assert.match(stderr, /^ +at (Object\.)?check \(src\/cli\/check\.ts:\d+:\d+\)$/m);
      assert.match(stderr, /help: this is an error of chrootfile itself \(\d.*Please report it/s);
    }));

  test('is told where no promise was waited for, too', () =>
    inFolder(
      { 'r.yml': recipe, 'broken.cjs': "setTimeout(() => { throw new RangeError('a part broke'); }, 0);\nprocess.exit = () => {};\n" },
      async (folder) => {
        const { stderr } = await run(['kinds'], { folder, env: { NODE_OPTIONS: `--require ${join(folder, 'broken.cjs')}` } });
        assert.match(stderr, /^chrootfile: internal error: RangeError: a part broke\n/);
      },
    ));

  test('is none where a type is wrong in a recipe, or what the world refuses', () =>
    inFolder({ 'r.yml': 'version: 1\ntasks:\n  a: {run: "true", timeout: {toString: 1}, retries: {limit: {toString: 1}}}\n' }, async (folder) => {
      const { code, stderr } = await run(['check', 'r.yml'], { folder });
      assert.is(code, 2);
      assert.match(stderr, 'r.yml:3:29: must be a string [type]');
      const exported = await run(['local', 'export', 'ami-0123456789abcdef0', '/no/such/folder/x.img'], { folder });
      assert.not.match(exported.stderr, /^ +at /m);
      assert.match(exported.stderr, /^chrootfile: /);
    }));
});
