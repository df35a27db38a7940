import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readableStack } from '../../src/cli/terminal/readable_stack.js';
import { inFolder } from '../support/folder.js';
import { repository, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const recipe = 'version: 1\ntasks:\n  a: {run: "true"}\n';

suite('an error of the program itself', (test) => {
  test('is told as such, with the places of the sources and how to report it', () =>
    inFolder({ 'r.yml': recipe, 'broken.cjs': "require('node:fs').fstatSync = () => { throw new TypeError('a part broke'); };\n" }, async (folder) => {
      const { code, stderr } = await run(['check', 'r.yml'], { folder, env: { NODE_OPTIONS: `--require ${join(folder, 'broken.cjs')}` } });
      assert.is(code, 1);
      assert.match(stderr, /^error: internal error: TypeError: a part broke\n/);
      assert.match(stderr, /^ +at readRegularFile \(src\/linux\/regular_file\.ts:\d+:\d+\)$/m);
      assert.match(stderr, /^ +at (Object\.)?check \(src\/cli\/commands\/check\.ts:\d+:\d+\)$/m);
      assert.match(stderr, /help: this is a bug in chrootfile \(\d.*Please report it/s);
    }));

  test('is told where no promise was waited for, too', () =>
    inFolder(
      { 'r.yml': recipe, 'broken.cjs': "setTimeout(() => { throw new RangeError('a part broke'); }, 0);\nprocess.exit = () => {};\n" },
      async (folder) => {
        const { stderr } = await run(['kinds'], { folder, env: { NODE_OPTIONS: `--require ${join(folder, 'broken.cjs')}` } });
        assert.match(stderr, /^error: internal error: RangeError: a part broke\n/);
      },
    ));

  test('that cannot even be told ends the program', () =>
    inFolder({ 'broken.cjs': "process.stderr.write = () => { throw new TypeError('no stderr'); };\n" }, async (folder) => {
      assert.is((await run(['kinds'], { folder, env: { NODE_OPTIONS: `--require ${join(folder, 'broken.cjs')}` } })).code, 1);
    }));

  test('is told with the place in the bundle where the map knows no source of it', () =>
    inFolder({ 'dist/x.js': '', 'dist/x.js.map': '{"version": 3, "sources": [], "names": [], "mappings": "A"}' }, async (folder) => {
      const error = Object.assign(new Error('internal error: x'), { stack: `Error\n    at f (${folder}/dist/x.js:1:5)` });
      assert.is(readableStack(error), `internal error: x\n    at f (${folder}/dist/x.js:1:5)`);
    }));

  test('in dist, nothing names the folder it was built in', () => {
    const dist = join(repository, 'dist');
    const folders = ['dist', 'src', 'node_modules'].map((name) => join(repository, name));
    const naming = readdirSync(dist, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((file) => folders.some((folder) => readFileSync(file).includes(folder)));
    assert.equal(naming, []);
    assert.ok(existsSync(join(dist, 'program.js.map')));
  });

  test('is none where a type is wrong in a recipe, or what the world refuses', () =>
    inFolder({ 'r.yml': 'version: 1\ntasks:\n  a: {run: "true", timeout: {toString: 1}, retries: {limit: {toString: 1}}}\n' }, async (folder) => {
      const { code, stderr } = await run(['check', 'r.yml'], { folder });
      assert.is(code, 2);
      assert.match(stderr, 'r.yml:3:29: must be a string [type]');
      const exported = await run(['local', 'export', 'ami-0123456789abcdef0', '/no/such/folder/x.img'], { folder });
      assert.not.match(exported.stderr, /^ +at /m);
      assert.match(exported.stderr, /^error: /);
    }));
});
