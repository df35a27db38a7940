import * as assert from 'uvu/assert';
import { recordsOf } from '../support/ec2.js';
import { ranOf, sourceImage, succeeding, withPool } from '../support/layers.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

/** A source image, made with a layer after its only script. */
const base = (more = '') => sourceImage('"base-{{ run.id }}"').replace('  work:\n', `${more}  work:\n    cache: {layer: true}\n`);

/** An image from the newest source image. */
const derived = `cache: true
tasks:
  source: {uses: ec2.source_image, with: {filters: {name: "base-*"}, owners: [self], most_recent: true}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  root: {uses: mount, with: {device: "{{ disk.device }}"}}
  a: {cache: {layer: true}, run: "echo > {{ root.path }}/a"}
`;

/** How many snapshots, and with how many different contents. */
function contentsIn(folder: string): [snapshots: number, contents: number] {
  const tagsOf = ({ tags }: Record<string, unknown>) => tags as readonly { readonly Key: string; readonly Value: string }[];
  const found = recordsOf(folder, 'local-1', 'snapshots').flatMap((each) => tagsOf(each).filter(({ Key }) => Key === 'chrootfile:content'));
  return [found.length, new Set(found.map(({ Value }) => Value)).size];
}

suite('an image that is built again', (test) => {
  test('from layers only has the same content, and recipes that start from it stay cached', () =>
    withPool({}, async (folder) => {
      await succeeding(folder, base(), ['--cache']);
      assert.equal(ranOf(await succeeding(folder, derived), ['a']), ['a']);
      const again = await succeeding(folder, base(), ['--cache']);
      assert.equal(ranOf(again, ['rootfs', 'work']), []);
      assert.equal(contentsIn(folder), [2, 1]);
      const { stdout } = await run(['why', 'r.yml'], { folder });
      assert.match(stdout, /^work +cached/m, stdout);
      assert.equal(ranOf(await succeeding(folder, derived), ['a']), []);
      const why = (await run(['why', 'r.yml'], { folder })).stdout;
      assert.match(why, /^volume +cached .* if the content of the snapshot did not change\na +cached/m, why);

      // The same scripts may fetch something newer.
      await succeeding(folder, base(), ['--cache', '--force']);
      assert.equal(contentsIn(folder), [3, 2]);
      assert.equal(ranOf(await succeeding(folder, derived), ['a']), ['a']);
    }));

  test('with a task that runs in every run has another content', () =>
    withPool({}, async (folder) => {
      const text = base('  always: {cache: false, run: "date > {{ root.path }}/date"}\n');
      await succeeding(folder, text, ['--cache']);
      assert.equal(ranOf(await succeeding(folder, derived), ['a']), ['a']);
      await succeeding(folder, text, ['--cache']);
      assert.equal(contentsIn(folder), [0, 0]);
      assert.equal(ranOf(await succeeding(folder, derived), ['a']), ['a']);
      await succeeding(folder, text, ['--no-cache']);
      assert.equal(contentsIn(folder), [0, 0]);
    }));
});
