import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Editor, openEditor, type Position } from '../support/editor.js';
import { repository } from '../support/program.js';
import { suite } from '../support/suite.js';

const path = join(repository, 'recipes/case.yml');
const first = '# yaml-language-server: $schema=../schemas/recipe.schema.json\n';

/** A text with `|` where the cursor is. */
function cursor(marked: string): { text: string; at: Position } {
  const whole = first + marked;
  const before = whole.slice(0, whole.indexOf('|')).split('\n');
  return { text: whole.replace('|', ''), at: { line: before.length - 1, character: (before.at(-1) ?? '').length } };
}

interface Case {
  /** What a person is doing there. */
  readonly sort: string;
  readonly marked: string;
  /** What must be offered or said; for completion some of the labels, for hover a piece of the text. */
  readonly expect: readonly string[];
  /** What must not be. */
  readonly without?: readonly string[];
}

const completions: readonly Case[] = [
  { sort: 'a key of the recipe', marked: 'version: 1\n|', expect: ['inputs', 'includes', 'tasks', 'outputs', 'cloud'], without: ['version'] },
  { sort: 'a key of a task', marked: 'version: 1\ntasks:\n  a:\n    |', expect: ['uses', 'run', 'in', 'needs', 'retries', 'undo'] },
  { sort: 'a key of a task', marked: 'version: 1\ntasks:\n  a:\n    run: "true"\n    |', expect: ['shell', 'env', 'timeout', 'outputs'], without: ['run'] },
  { sort: 'a kind', marked: 'version: 1\ntasks:\n  a:\n    uses: |', expect: ['ec2.volume', 'disk.root', 'mount', 'chroot', 'chroot.upload'] },
  {
    sort: 'a parameter of a kind',
    marked: 'version: 1\ntasks:\n  a:\n    uses: mount\n    with:\n      |',
    expect: ['device', 'path', 'options'],
    without: ['volume'],
  },
  {
    sort: 'a parameter of a kind',
    marked: 'version: 1\ntasks:\n  a:\n    uses: chroot\n    with:\n      root: /srv\n      |',
    expect: ['copy_files', 'services'],
    without: ['root'],
  },
  {
    sort: 'a parameter before its kind',
    marked: 'version: 1\ntasks:\n  a:\n    with:\n      |\n    uses: ec2.image\n',
    expect: ['name', 'snapshot', 'boot_mode'],
  },
  {
    sort: 'a value of a parameter',
    marked: 'version: 1\ntasks:\n  a:\n    uses: disk.filesystem\n    with:\n      type: |',
    expect: ['ext4', 'xfs', 'btrfs', 'vfat'],
  },
  { sort: 'a value of a parameter', marked: 'version: 1\ntasks:\n  a:\n    uses: ec2.image\n    with:\n      boot_mode: |', expect: ['legacy-bios', 'uefi'] },
  { sort: 'a key of an input', marked: 'version: 1\ninputs:\n  a:\n    type: string\n    |', expect: ['default', 'required', 'pattern', 'secret'] },
  { sort: 'a value of a key', marked: 'version: 1\ninputs:\n  a:\n    type: |', expect: ['string', 'path', 'integer', 'list'] },
  { sort: 'a value of a key', marked: 'version: 1\ncloud:\n  provider: |', expect: ['local', 'aws'] },
  { sort: 'a key of an include', marked: 'version: 1\nincludes:\n  ami:\n    |', expect: ['recipe', 'with'] },
  { sort: 'a key of a script file', marked: 'version: 1\ntasks:\n  a:\n    run:\n      |', expect: ['file'] },
  {
    sort: 'a key inside a list',
    marked: 'version: 1\ntasks:\n  a:\n    uses: disk.partition\n    with:\n      device: /dev/x\n      partitions:\n        - |',
    expect: ['name', 'size', 'type'],
  },
  { sort: 'a value of a key', marked: 'version: 1\ntasks:\n  a:\n    run: "true"\n    undo:\n      when: |', expect: ['failure', 'always'] },
];

const hovers: readonly Case[] = [
  { sort: 'what a key of the recipe is', marked: 'version: 1\ninc|ludes: {}\n', expect: ['Libraries: other recipes'] },
  { sort: 'what a key of a task is', marked: 'version: 1\ntasks:\n  a:\n    nee|ds: []\n', expect: ['Tasks that must have ended well', 'needs: [packages]'] },
  {
    sort: 'what a kind does',
    marked: 'version: 1\ntasks:\n  a:\n    uses: ec2.atta|chment\n    with: {volume: vol-0}\n',
    expect: ['Attaches a volume to this machine'],
  },
  {
    sort: 'what a parameter means',
    marked: 'version: 1\ntasks:\n  a:\n    uses: ec2.volume\n    with: {ty|pe: gp3}\n',
    expect: ['Volume type', '`gp3`'],
  },
  {
    sort: 'what a parameter means',
    marked: 'version: 1\ntasks:\n  a:\n    uses: disk.root\n    with: {device: /dev/x, parti|tion: 1}\n',
    expect: ['Number of the partition, where you know better'],
  },
];

const faults: readonly Case[] = [
  { sort: 'an unknown key', marked: 'version: 1\ntasks:\n  a:\n    run: "true"\n    |dependencies: [b]\n', expect: ['Property dependencies is not allowed.'] },
  { sort: 'an unknown kind', marked: 'version: 1\ntasks:\n  a:\n    uses: |ec2.volumes\n', expect: ['Value is not accepted. Valid values:'] },
  {
    sort: 'an unknown parameter',
    marked: 'version: 1\ntasks:\n  a:\n    uses: mount\n    with: {device: /dev/x, |devise: /dev/y}\n',
    expect: ['Property devise is not allowed.'],
  },
  { sort: 'a missing parameter', marked: 'version: 1\ntasks:\n  a:\n    uses: mount\n    |with: {path: /srv}\n', expect: ['Missing property "device".'] },
  { sort: 'a wrong type', marked: 'version: 1\ntasks:\n  a:\n    run: "true"\n    needs: |b\n', expect: ['Incorrect type. Expected "array".'] },
  { sort: 'a missing key', marked: '|version: 1\n', expect: ['Missing property "tasks".'] },
];

/** Runs something with a language server of its own. */
async function withEditor(body: (editor: Editor) => Promise<void>): Promise<void> {
  const editor = await openEditor(repository);
  try {
    await body(editor);
  } finally {
    await editor.close();
  }
}

suite('yaml-language-server', (test) => {
  test(
    'has nothing to say about any shipped recipe',
    () =>
      withEditor(async (editor) => {
        const files = readdirSync(join(repository, 'recipes'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yml'));
        for (const file of files) {
          const recipe = join(repository, 'recipes', file);
          assert.equal(await editor.diagnostics(recipe, readFileSync(recipe, 'utf8')), [], file);
        }
        assert.ok(files.length >= 7);
      }),
    60_000,
  );

  test(
    `offers what fits at ${completions.length} places`,
    () =>
      withEditor(async (editor) => {
        for (const { sort, marked, expect, without = [] } of completions) {
          const { text, at } = cursor(marked);
          const labels = await editor.completion(path, text, at);
          for (const label of expect) assert.ok(labels.includes(label), `${sort}: no ${label} among ${labels.join(', ')}\n${marked}`);
          for (const label of without) assert.not.ok(labels.includes(label), `${sort}: ${label} in ${labels.join(', ')}\n${marked}`);
        }
      }),
    60_000,
  );

  test(
    `tells what is under the cursor at ${hovers.length} places`,
    () =>
      withEditor(async (editor) => {
        for (const { sort, marked, expect } of hovers) {
          const { text, at } = cursor(marked);
          const said = await editor.hover(path, text, at);
          for (const piece of expect) assert.ok(said.includes(piece), `${sort}: "${said}"`);
          assert.not.ok(said.includes(' || '), `${sort}: one text, not those of all branches: "${said}"`);
        }
      }),
    60_000,
  );

  test(
    `points at ${faults.length} sorts of faults`,
    () =>
      withEditor(async (editor) => {
        for (const { sort, marked, expect } of faults) {
          const { text, at } = cursor(marked);
          const said = await editor.diagnostics(path, text);
          for (const piece of expect) {
            const found = said.find((diagnostic) => diagnostic.message.startsWith(piece));
            assert.ok(found, `${sort}: ${JSON.stringify(said.map((diagnostic) => diagnostic.message))}`);
            assert.equal(found?.range.start, at, `${sort}: the place`);
          }
        }
        assert.ok(new Set([...completions, ...hovers, ...faults].map((each) => each.sort)).size >= 8);
        assert.ok(completions.length + hovers.length + faults.length >= 20);
      }),
    60_000,
  );
});
