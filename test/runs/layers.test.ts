import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LayerCost } from '../../src/runtime/layers/cost.js';
import type { Layer } from '../../src/runtime/layers/layer_records.js';
import { misbehaving } from '../support/ec2.js';
import { ranOf, sourceImage, succeeding, withPool } from '../support/layers.js';
import { noAccount, run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

/** A chain of some tasks, after each of which a layer is made. */
const recipe = (tasks: string, more = '') => `${more}tasks:
  source: {uses: ec2.source_image, with: {filters: {name: base}, owners: [self]}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  root: {uses: mount, with: {device: "{{ disk.device }}"}}
  jail: {uses: chroot, with: {root: "{{ root.path }}", copy_files: [/etc/resolv.conf]}}
${tasks}`;

const task = (name: string, script = `echo ${name} > /srv/${name}`, more = '') => `  ${name}: {in: jail, cache: {layer: true}, ${more}run: '${script}'}\n`;
const abc = ['a', 'b', 'c'];
const three = recipe(abc.map((name) => task(name)).join(''));

/** Runs something with a source image. */
const withBase = (body: (folder: string) => Promise<void>) =>
  withPool({}, async (folder) => {
    await succeeding(folder, sourceImage('base'));
    await body(folder);
  });

function layersOf(folder: string): Map<string, { readonly file: string; readonly layer: Layer }> {
  const records = join(folder, 'state/layers');
  const files = readdirSync(records).filter((name) => name.endsWith('.json'));
  const layers = files.map((name) => ({ file: join(records, name), layer: JSON.parse(readFileSync(join(records, name), 'utf8')) as Layer }));
  return new Map(layers.map((each) => [each.layer.tasks.at(-1)?.task ?? '', each]));
}

suite('a run with layers', (test) => {
  test('runs what its options name, and what comes after', () =>
    withBase(async (folder) => {
      const run = async (...args: string[]) => ranOf(await succeeding(folder, three, args), abc);
      assert.equal(await run('--cache'), abc);
      assert.equal(await run('--cache'), []);
      assert.equal(await run(), [], 'its tasks have "cache"');
      assert.equal(await run('--cache', '--refresh', 'b'), ['b', 'c']);
      assert.equal(await run('--cache', '--from', 'c'), ['c']);
      assert.equal(await run('--cache', '--force'), abc);
      assert.equal(await run('--no-cache'), abc);
      assert.equal(await run('--cache'), []);
      const cached = `cache: true\n${three}`;
      assert.equal(ranOf(await succeeding(folder, cached), abc), []);
      assert.equal(ranOf(await succeeding(folder, cached, ['--no-cache']), abc), abc);
    }));

  test('runs a task that is older than max_age, of the recipe or its own', () =>
    withBase(async (folder) => {
      await succeeding(folder, three, ['--cache']);
      // As if b had run two hours ago.
      for (const { file, layer } of layersOf(folder).values()) {
        const tasks = layer.tasks.map((each) => (each.task === 'b' ? { ...each, ended: new Date(Date.now() - 2 * 3600_000).toISOString() } : each));
        writeFileSync(file, JSON.stringify({ ...layer, tasks }));
      }
      const aged = (age: string) => `cache: {max_age: ${age}}\n${three}`;
      assert.equal(ranOf(await succeeding(folder, aged('3h')), abc), []);
      const own = three.replace('b: {in: jail, cache: {layer: true}', 'b: {in: jail, cache: {layer: true, max_age: 3h}');
      assert.equal(ranOf(await succeeding(folder, `cache: {max_age: 1h}\n${own}`), abc), []);
      assert.equal(ranOf(await succeeding(folder, aged('1h')), abc), ['b', 'c']);
      assert.equal(ranOf(await succeeding(folder, aged('1h')), abc), [], 'now it is new');
    }));

  for (const [what, it, ran] of [
    ['reads run.id', task('b', 'echo {{ run.id }} > /srv/b'), ['b', 'c']],
    ['reads run.timestamp by a variable', task('b', 'echo {{ vars.now }} > /srv/b'), ['b', 'c']],
    ['has cache: false', task('b').replace('{layer: true}', 'false'), ['b', 'c']],
    ['may fail, and failed', task('b', 'exit 1', 'continue_on_error: true, '), ['b', 'c']],
    ['may fail, and did not', task('b', 'true', 'continue_on_error: true, '), []],
    ['is skipped', task('b', 'true', 'if: false, '), ['b']],
  ] as const) {
    test(`when a task ${what}, ${ran.length === 0 ? 'runs none' : `runs ${ran.join(' and ')}`} again`, () =>
      withBase(async (folder) => {
        const text = recipe([task('a'), it, task('c')].join(''), 'vars: {now: "{{ run.timestamp }}"}\n');
        await succeeding(folder, text, ['--cache']);
        assert.equal(ranOf(await succeeding(folder, text, ['--cache']), abc), ran);
      }));
  }

  test('gives the outputs that a cached task had, with their types', () =>
    withBase(async (folder) => {
      const outputs = 'outputs: {n: {type: integer}, list: {type: list}, text: {}}, ';
      const made = task('a', 'echo n=3 >> $CHROOTFILE_OUTPUT; echo list=[1,\\"b\\"] >> $CHROOTFILE_OUTPUT; echo text=3 >> $CHROOTFILE_OUTPUT', outputs);
      const text = `${recipe(made + task('b', 'echo {{ a.n }} {{ a.text }} > /srv/b'))}outputs: {n: "{{ a.n }}", list: "{{ a.list }}", text: "{{ a.text }}"}\n`;
      const first = await succeeding(folder, text, ['--cache']);
      assert.equal(first.outputs, { n: 3, list: [1, 'b'], text: '3' });
      const second = await succeeding(folder, text, ['--cache']);
      assert.equal([ranOf(second, ['a', 'b']), second.outputs], [[], first.outputs]);
    }));

  test('where disks are copied, keeps short work only if it is repeated', () =>
    withBase(async (folder) => {
      const short = recipe('  a: {in: jail, run: "dd if=/dev/urandom of=/srv/a bs=1M count=64; sleep 2"}\n');
      const cost = join(folder, 'state/layers/cost');
      mkdirSync(join(folder, 'state/layers'), { recursive: true });
      // As on a slow disk: 64 MiB and a little more take 1.6 s and a little more.
      const slow = JSON.stringify({ fixedMs: 0, msPerMiB: 25 });
      writeFileSync(cost, slow);
      await succeeding(folder, short, ['--cache']);
      assert.equal([layersOf(folder).size, readFileSync(cost, 'utf8')], [0, slow]);
      assert.equal(ranOf(await succeeding(folder, short, ['--cache']), ['a']), ['a']);
      assert.is(layersOf(folder).size, 1);
      const { fixedMs, msPerMiB } = JSON.parse(readFileSync(cost, 'utf8')) as LayerCost;
      assert.ok(fixedMs > 0 && msPerMiB < 25, 'it was measured');
      assert.equal(ranOf(await succeeding(folder, short, ['--cache']), ['a']), []);
      const { stdout } = await run(['doctor'], { folder, env: noAccount });
      assert.match(stdout, /^✔ copies of disks: instant, on the file system of "local init"; a layer takes [0-9.]+s/m);
    }));

  test('keeps the layers of the tasks before one that fails', () =>
    withBase(async (folder) => {
      const failed = await runRecipe(folder, recipe(task('a') + task('b') + task('c', 'exit 1')), ['--cache']);
      assert.is(failed.code, 1);
      assert.equal([...layersOf(folder).keys()].sort(), ['a', 'b']);
      assert.equal(ranOf(await succeeding(folder, three, ['--cache']), abc), ['c']);
    }));

  test('goes on from the layer before one that is gone, cut off or not there, and makes it again', () =>
    withBase(async (folder) => {
      await succeeding(folder, three, ['--cache']);
      const snapshots = join(folder, 'state/local/local-1/snapshots');
      const [snapshot = ''] = Object.values(layersOf(folder).get('c')?.layer.snapshots ?? {});
      rmSync(join(snapshots, `${snapshot}.json`));
      assert.equal(ranOf(await succeeding(folder, three, ['--cache']), abc), ['c']);
      rmSync(layersOf(folder).get('c')?.file ?? '');
      assert.equal(ranOf(await succeeding(folder, three, ['--cache']), abc), ['c']);
      const { file = '' } = layersOf(folder).get('c') ?? {};
      writeFileSync(file, readFileSync(file, 'utf8').slice(0, 200));
      assert.equal(ranOf(await succeeding(folder, three, ['--cache']), abc), ['c']);
      assert.equal(ranOf(await succeeding(folder, three, ['--cache']), abc), []);
    }));

  test('that cannot make a layer warns and goes on', () =>
    withBase(async (folder) => {
      const ran = await succeeding(folder, three, ['--cache'], misbehaving(folder, [{ action: 'CreateSnapshot', fault: 'denied' }]));
      assert.equal(ranOf(ran, abc), abc);
      assert.is(ran.warnings.length, 1, 'the same reason is reported once');
      assert.match(ran.warnings[0] ?? '', /^no layer after "a": .*CreateSnapshot/);
      assert.equal(ranOf(await succeeding(folder, three, ['--cache']), abc), abc);
    }));

  test('never puts a secret into a record', () =>
    withBase(async (folder) => {
      const text = `inputs: {token: {type: string, secret: true}}\n${recipe(task('a', 'echo {{ inputs.token }} > /srv/a', 'outputs: {value: {}}, ') + task('b'))}`;
      const args = ['--cache', '-i', 'token=hunter2 and more'];
      await succeeding(folder, text, args);
      assert.equal(ranOf(await succeeding(folder, text, args), ['a', 'b']), []);
      const telling = text.replace('> /srv/a', '> /srv/a; echo value={{ inputs.token }} >> $CHROOTFILE_OUTPUT');
      await succeeding(folder, telling, args);
      assert.equal(ranOf(await succeeding(folder, telling, args), ['a', 'b']), ['a', 'b'], 'its output is a secret');
      const all = readdirSync(join(folder, 'state/layers'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      assert.ok(all.length > 2);
      for (const { parentPath, name } of all) assert.not.match(readFileSync(join(parentPath, name), 'utf8'), 'hunter2');
    }));
});
