import * as assert from 'uvu/assert';
import { diskOfImage, filesOn, sourceImage, succeeding, withPool } from '../support/layers.js';
import { suite } from '../support/suite.js';

/** Tasks of one volume that wait for nothing but what they use. */
const recipe = (tasks: string) => `tasks:
  source: {uses: ec2.source_image, with: {filters: {name: base}, owners: [self]}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  root: {uses: mount, with: {device: "{{ disk.device }}"}}
${tasks}  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "next-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;

const write = (i: number) => `  a${i}: {cache: {layer: true}, run: "echo ${i} > {{ root.path }}/a${i}"}\n`;

/** Writes for a while, and looks whether it can; no file is open meanwhile. */
const writes = (file: string) => `i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo $i > {{ root.path }}/${file}; done`;

suite('while a layer is made', (test) => {
  test('no task that runs in every run writes to the volume', () =>
    withPool({}, async (folder) => {
      await succeeding(folder, sourceImage('base'));
      const tasks = [0, 1, 2, 3, 4, 5].map(write).join('');
      await succeeding(folder, recipe(`${tasks}  always: {cache: false, run: "${writes('always')}"}\n`), ['--cache', '-j', '4']);
    }));

  test('no chroot is made or released: its stand-ins would get into the layer', () =>
    withPool({}, async (folder) => {
      await succeeding(folder, sourceImage('base'));
      const jail = '  jail: {uses: chroot, needs: [a1], with: {root: "{{ root.path }}"}}\n';
      const tasks = [0, 1, 2, 3, 4, 5].map(write).join('') + jail;
      const files = async (...args: string[]) => filesOn(diskOfImage(folder, await succeeding(folder, recipe(tasks), [...args, '-j', '4'])));
      const expected = await files('--no-cache');
      assert.equal(await files('--cache'), expected);
      assert.equal(await files('--cache'), expected);
      assert.equal(await files('--cache', '--from', 'a4'), expected);
    }));
});
