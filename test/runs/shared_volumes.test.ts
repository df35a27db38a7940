import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { type RunResult, runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

/** A volume with one file system, mounted. */
const mounted = (name: string) => `  v-${name}: {uses: ec2.volume, with: {size: 1}}
  d-${name}: {uses: ec2.attachment, with: {volume: "{{ v-${name}.id }}"}}
  f-${name}: {uses: disk.filesystem, with: {device: "{{ d-${name}.device }}", type: ext4}}
  m-${name}: {uses: mount, with: {device: "{{ f-${name}.device }}"}}
`;

const cachedIn = ({ nodes }: RunResult) => nodes.filter((node) => node.endsWith(' cached')).map((node) => node.split(' ')[0]);

suite('layers of several volumes', (test) => {
  test('a volume that is released before the last task is in later layers as it was; deleting one layer leaves the other whole', () =>
    inFolder({}, async (folder) => {
      const recipe = `tasks:
${mounted('old')}${mounted('new')}  fill: {run: "echo old > {{ m-old.path }}/file"}
  copy: {needs: [fill], run: "cp {{ m-old.path }}/file {{ m-new.path }}/file"}
  more: {needs: [copy, v-old.released], cache: {layer: true}, run: "echo more >> {{ m-new.path }}/file"}
  look: {needs: [more], cache: false, run: "cat {{ m-new.path }}/file"}
`;
      const first = await runRecipe(folder, recipe, ['--cache']);
      assert.equal([first.code, first.warnings], [0, []], first.ended.stdout);
      const layers = JSON.parse((await run(['layers', '--json'], { folder })).stdout) as { layers: { key: string; after: string }[] };
      assert.ok(
        layers.layers.some(({ after }) => after === 'more'),
        'a layer after the release',
      );
      const earlier = layers.layers.filter(({ after }) => after !== 'more').map(({ key }) => key);
      assert.is((await run(['layers', 'rm', ...earlier], { folder })).code, 0);
      const second = await runRecipe(folder, recipe, ['--cache']);
      assert.equal([second.code, second.warnings], [0, []], second.ended.stdout);
      assert.equal(cachedIn(second), ['f-old', 'f-new', 'fill', 'copy', 'more']);
      assert.is(second.log('look'), 'old\nmore\n');
    }));

  test('no layer is made after a volume and a skipped task, which leave nothing', () =>
    inFolder({}, async (folder) => {
      const recipe = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  skip: {if: false, run: "echo > {{ disk.device }}"}
  fill: {needs: [skip], cache: {layer: true}, run: "echo filled > {{ disk.device }}"}
`;
      assert.is((await runRecipe(folder, recipe, ['--cache'])).code, 0);
      const { layers } = JSON.parse((await run(['layers', '--json'], { folder })).stdout) as { layers: { after: string }[] };
      assert.equal(
        layers.map(({ after }) => after),
        ['fill'],
      );
    }));

  test('a beginning of volumes and skipped tasks only is not waited for', () => {
    const library = `version: 1
inputs: {more: {type: boolean, required: true}, text: {type: string, required: true}}
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  skip: {if: "{{ inputs.more }}", cache: {layer: true}, run: "echo > {{ disk.device }}"}
  fill: {needs: [skip], run: "echo {{ inputs.text }} > {{ disk.device }}"}
`;
    return inFolder({ 'library.yml': library }, async (folder) => {
      const include = (text: string) => `{recipe: library.yml, with: {more: "{{ inputs.more }}", text: ${text}}}`;
      const recipe = `inputs: {more: {type: boolean, default: false}}
includes: {one: ${include('one')}, two: ${include('two')}}
tasks: {all: {needs: [one.fill, two.fill]}}
`;
      const waits = ({ events }: RunResult) => events.filter((event) => String(event['text']).startsWith('waiting for the layer after ')).length;
      assert.is(waits(await runRecipe(folder, recipe, ['--cache'])), 0);
      assert.is(waits(await runRecipe(folder, recipe, ['--cache', '-i', 'more=true'])), 1);
    });
  });

  test('a beginning that two volumes share runs once, also if it is forced', () => {
    const library = `version: 1
inputs: {text: {type: string, required: true}}
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  shared: {run: "echo shared > {{ disk.device }}"}
  own: {needs: [shared], run: "echo {{ inputs.text }} > {{ disk.device }}"}
`;
    return inFolder({ 'library.yml': library }, async (folder) => {
      const recipe = `includes: {one: {recipe: library.yml, with: {text: one}}, two: {recipe: library.yml, with: {text: two}}}
tasks: {all: {needs: [one.own, two.own]}}
`;
      const cached = async (...args: string[]) => cachedIn(await runRecipe(folder, recipe, ['--cache', ...args]));
      for (const args of [[], ['--force'], ['--refresh', 'one.shared', '--refresh', 'two.shared']]) {
        const found = (await cached(...args)).filter((task) => task?.endsWith('.shared'));
        assert.is(found.length, 1, args.join(' '));
      }
    });
  });
});
