import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { repository, run } from '../support/program.js';
import { suite } from '../support/suite.js';

/** The errors of a recipe `r.yml`, each without the lines shown, the notes and the help. */
async function errorsOf(text: string, files: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<string[]> {
  return inFolder({ ...files, 'r.yml': `version: 1\n${text}` }, async (folder) => {
    const { stderr } = await run(['check', 'r.yml', ...args], { folder });
    return stderr.split('\n').filter((line) => / \[[a-z-]+\]$/.test(line));
  });
}

const library = `version: 1
inputs:
  type: {type: string}
  mounts: {type: list}
  size: {type: integer}
  made: {type: boolean, default: true}
tasks:
  volume: {if: "{{ inputs.made }}", uses: ec2.volume, with: {size: "{{ default inputs.size 8 }}", type: "{{ default inputs.type 'gp3' }}"}}
  system: {uses: chroot, with: {root: /srv, mounts: "{{ inputs.mounts }}"}}
`;
const including = (values: string) => `includes:\n  lib:\n    recipe: lib.yml\n    with: ${values}\ntasks:\n  a: {needs: [lib.volume], run: "true"}\n`;

suite('values that reach a kind', (test) => {
  test("Packer's nested source_ami_filter is an error at the line of the user, before the run", async () => {
    const filter = '{filters: {name: "debian-13-*", virtualization-type: hvm}, owners: ["136693071363"], most_recent: true}';
    const include = `includes:\n  ami:\n    recipe: ${join(repository, 'recipes/lib/amazon_chroot.yml')}\n    with:\n      ami_name: web\n`;
    assert.equal(await errorsOf(`${include}      source_ami_filter: ${filter}\ntasks:\n  a: {in: ami.chroot, run: "true"}\n`), [
      'r.yml:7:36: input "source_ami_filter.filters" must be a string or a list [input]',
    ]);
  });

  test('an input of a library must fit the kind that gets it, at every depth', async () => {
    const files = { 'lib.yml': library };
    assert.equal(await errorsOf(including('{type: gp5}'), files), ['r.yml:5:18: input "type" must be one of gp2, gp3, io1, io2, st1, sc1, standard [input]']);
    assert.equal(await errorsOf(including('{size: 0}'), files), ['r.yml:5:18: input "size" must be at least 1 [input]']);
    assert.equal(await errorsOf(including('{mounts: [{source: /srv, traget: /srv}]}'), files), ['r.yml:5:21: input "mounts[0]": unknown key "traget" [input]']);
    // A task that is skipped for certain gets no values.
    assert.equal(await errorsOf(including('{type: gp5, made: false}'), files), []);
    // An output is known in the run alone.
    assert.equal(await errorsOf(including('{type: "{{ t.x }}"}').replace('\n  a:', '\n  t: {run: "true", outputs: {x: }}\n  a:'), files), []);
  });

  test('so must a variable, the default of an input and a value from the command line', async () => {
    const task = 'tasks:\n  v: {uses: ec2.volume, with: {size: 8, type: "{{ TYPE }}"}}\n';
    const types = 'must be one of gp2, gp3, io1, io2, st1, sc1, standard [input]';
    assert.equal(await errorsOf(`vars: {type: gp5}\n${task.replace('TYPE', 'vars.type')}`), [`r.yml:2:14: the value ${types}`]);
    const inputs = `inputs: {type: {type: string, default: gp5}}\n${task.replace('TYPE', 'inputs.type')}`;
    assert.equal(await errorsOf(inputs), [`r.yml:2:40: input "type" ${types}`]);
    assert.equal(await errorsOf(inputs, {}, ['-i', 'type=gp6']), [`error: input "type" ${types}`]);
    assert.equal(await errorsOf(inputs, {}, ['-i', 'type=gp3']), []);
  });
});
