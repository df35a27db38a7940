import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

const library = `version: 1
inputs: {root: {type: path, required: true}}
tasks:
  image-root: {uses: chroot, with: {root: "{{ inputs.root }}"}}
  this-log: {run: 'echo "line=from the library" >> "$CHROOTFILE_OUTPUT"', outputs: {line: {}}}
outputs: {chroot: "{{ image-root.path }}"}
`;

const recipe = (root: string) => `includes:
  base-image: {recipe: base.yml, with: {root: ${root}}}
tasks:
  build-image:
    strategy: {matrix: {os: [debian-13, fedora-43]}}
    run: echo "name=image-{{ matrix.os }}" >> "$CHROOTFILE_OUTPUT"
    outputs: {name: {}}
  build-lock: {before: [base-image.image-root], run: "true", undo: {run: 'echo released "{{ run.dir }}" >> undo.log', when: always}}
  in-chroot: {in: base-image.image-root, run: "test -e /bin/sh"}
  in-chroot-too: {in: base-image.chroot, needs: [in-chroot], run: "true"}
  only-one: {needs: ["build-image[os=debian-13]", build-lock.released], run: "echo '{{ build-image.[os=debian-13].name }}'"}
  all-of-them: {if: "{{ eq base-image.this-log.line 'from the library' }}", run: "echo '{{ json build-image.name }} {{ default base-image.this-log.line 1 }}'"}
goals: [only-one, all-of-them, in-chroot-too]
outputs: {names: "{{ build-image.name }}", line: "{{ base-image.this-log.line }}"}
`;

suite('names with hyphens', (test) => {
  test('tasks and includes may have them wherever a task is named', () =>
    inFolder({ 'base.yml': library }, async (folder) => {
      const result = await runRecipe(folder, recipe(makeRoot(folder)));
      assert.is(result.code, 0, result.ended.stderr);
      assert.equal(result.outputs, { names: ['image-debian-13', 'image-fedora-43'], line: 'from the library' });
      assert.is(result.log('only-one'), 'image-debian-13\n');
      assert.is(result.log('all-of-them'), '["image-debian-13","image-fedora-43"] from the library\n');
      const id = String(result.events[0]?.['run']);
      assert.is((await run(['logs', id, 'only-one'], { folder })).stdout, 'image-debian-13\n');
    }));

  test('a goal on the command line, the graph in all formats and the schema for editors take them', () =>
    inFolder({ 'base.yml': library }, async (folder) => {
      await runRecipe(folder, recipe(makeRoot(folder)), ['build-image[os=debian-13]']);
      const graph = async (format: string) => (await run(['graph', 'r.yml', '--format', format], { folder })).stdout;
      assert.match(await graph('text'), /^only-one +<- build-image\[os=debian-13\], build-lock\.released$/m);
      assert.match(await graph('mermaid'), '  subgraph library_base_image["base-image"]\n');
      assert.match(await graph('dot'), '  subgraph "cluster_base-image" {\n');
      assert.is((await run(['schema', '--write', 'r.yml'], { folder })).code, 0);
      const schema = readFileSync(join(folder, '.chrootfile/r.schema.json'), 'utf8');
      for (const name of ['"build-lock.released"', '"build-image[os=debian-13]"', '"base-image.image-root"', '{{ base-image.this-log.line }}'])
        assert.ok(schema.includes(name), name);
      assert.match((await run(['complete', '--', 'run', 'r.yml', ''], { folder })).stdout, /^build-lock\t/m);
    }));
});
