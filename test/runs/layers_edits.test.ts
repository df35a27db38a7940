import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ranOf, sourceImage, succeeding, withPool } from '../support/layers.js';
import { run } from '../support/program.js';
import { random } from '../support/random.js';
import type { RunResult } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const plain = '  plain: {in: jail, run: "echo plain > /srv/plain"}\n';
const last = '  last: {in: jail, run: "echo last > /srv/last"}\n';

/** A recipe in which each task reads something else. */
const recipe = `env: {COLOUR: red}
inputs:
  greeting: {type: string, default: hello}
  unused: {type: string, default: nothing}
  token: {type: string, secret: true, default: none}
vars: {place: here}
includes: {site: {recipe: site.yml, with: {chroot: "{{ jail.path }}", title: a page}}}
tasks:
  source: {uses: ec2.source_image, with: {filters: {name: "base*"}, owners: [self], most_recent: true}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  root: {uses: mount, with: {device: "{{ disk.device }}", options: [nodev]}}
  jail: {uses: chroot, with: {root: "{{ root.path }}", copy_files: [/etc/resolv.conf]}}
  files: {in: jail, uses: chroot.upload, with: {from: files, to: /srv/files}}
  greet: {in: jail, run: "echo {{ inputs.greeting }} > /srv/greet"}
  own: {in: jail, env: {SIZE: small}, run: "echo $SIZE > /srv/own"}
  place: {in: jail, run: "echo {{ vars.place }} > /srv/place"}
  file: {in: jail, run: {file: script.sh}}
  watch: {in: jail, sources: ["watched/*.txt", "!watched/not.txt"], generates: [/srv/watch], run: "echo watched > /srv/watch"}
  secret: {in: jail, env: {TOKEN: "{{ inputs.token }}"}, run: "echo \${#TOKEN} > /srv/secret"}
  sizes: {in: jail, strategy: {matrix: {size: [1, 2]}}, run: "echo {{ matrix.size }} >> /srv/sizes"}
  words: {in: jail, needs: [site.write], run: "echo {{ quote run.arguments }} > /srv/words"}
  home: {in: jail, run: "echo {{ default env.SOME_HOME 'none' }} > /srv/home"}
${plain}${last}`;

const files: Readonly<Record<string, string>> = {
  'site.yml': `version: 1
name: site
inputs: {chroot: {type: string, required: true}, title: {type: string, required: true}}
tasks:
  write: {in: inputs.chroot, cache: {layer: true}, run: "echo {{ inputs.title }} > /srv/page"}
`,
  'files/index.html': 'a file\n',
  'files/same': 'a file\n',
  'files/folder/inner': 'an inner file\n',
  'script.sh': '#!/bin/sh\necho from a file > /srv/file\n',
  'watched/a.txt': 'watched\n',
  'watched/not.txt': 'not watched\n',
};

/** The tasks that leave something on the volume, in order. */
const content = 'site.write files greet own place file watch secret sizes[size=1] sizes[size=2] words home plain last'.split(' ');

/** An edit of the recipe or of a file. */
interface Edit {
  readonly title: string;
  /** The first task that runs again, and with it all that follow; undefined if all come from a layer. */
  readonly from: string | undefined;
  /** What `why` says of that task. */
  readonly why?: string;
  readonly replace?: readonly [text: string, by: string];
  /** Changes files. */
  readonly change?: (folder: string) => unknown;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The tasks, if the edit changes them. */
  readonly order?: readonly string[];
}

/** Files and folders that edits change. */
const changing = ['site.yml', 'files', 'script.sh', 'watched', 'state/layers'];

const write = (name: string, text: string) => (folder: string) => writeFileSync(join(folder, name), text);

const edits: readonly Edit[] = [
  { title: 'nothing', from: undefined },
  { title: 'a script', from: 'plain', why: 'script changed', replace: ['echo plain >', 'echo more than plain >'] },
  { title: 'the last script', from: 'last', why: 'script changed', replace: ['echo last >', 'echo the last >'] },
  { title: 'a comment in a script', from: 'plain', why: 'script changed', replace: ['"echo plain > /srv/plain"', '"echo plain > /srv/plain # a comment"'] },
  { title: 'a comment of the recipe', from: undefined, replace: ['tasks:\n', 'tasks:\n  # a comment\n'] },
  { title: 'a script, written in another way', from: undefined, replace: ['run: "echo plain > /srv/plain"', "run: 'echo plain > /srv/plain'"] },
  { title: 'env of a task', from: 'own', why: 'env SIZE changed', replace: ['SIZE: small', 'SIZE: large'] },
  { title: 'the name of a variable of env', from: 'own', why: 'env SIZES is new; env SIZE is gone', replace: ['SIZE: small', 'SIZES: small'] },
  { title: 'env of the recipe', from: 'greet', why: 'env COLOUR changed', replace: ['COLOUR: red', 'COLOUR: blue'] },
  { title: 'env of the recipe, one more', from: 'greet', why: 'env SHAPE is new', replace: ['COLOUR: red', 'COLOUR: red, SHAPE: round'] },
  { title: 'an input', from: 'greet', why: 'input greeting changed from "hello" to "hi"', args: ['-i', 'greeting=hi'] },
  { title: 'an input, set to its default', from: undefined, args: ['-i', 'greeting=hello'] },
  { title: 'an input that no task reads', from: undefined, args: ['-i', 'unused=something'] },
  { title: 'a variable', from: 'place', why: 'variable place changed', replace: ['place: here', 'place: there'] },
  { title: 'a variable that no task reads', from: undefined, replace: ['{place: here}', '{place: here, other: there}'] },
  { title: 'content of an uploaded file', from: 'files', why: 'files/index.html changed', change: write('files/index.html', 'b file\n') },
  { title: 'mode of an uploaded file', from: 'files', why: 'files/index.html changed', change: (folder) => chmodSync(join(folder, 'files/index.html'), 0o600) },
  {
    title: 'target of an uploaded link',
    from: 'files',
    why: 'files/link changed',
    change: (folder) => {
      rmSync(join(folder, 'files/link'));
      symlinkSync('folder/inner', join(folder, 'files/link'));
    },
  },
  {
    title: 'a hard link in place of an uploaded file',
    from: 'files',
    why: 'files/same changed',
    change: (folder) => {
      rmSync(join(folder, 'files/same'));
      linkSync(join(folder, 'files/index.html'), join(folder, 'files/same'));
    },
  },
  { title: 'a file added to an uploaded folder', from: 'files', why: 'files/folder/new is new', change: write('files/folder/new', '') },
  {
    title: 'a file removed from an uploaded folder',
    from: 'files',
    why: 'files/folder/inner is gone',
    change: (folder) => rmSync(join(folder, 'files/folder/inner')),
  },
  { title: 'time of an uploaded file', from: undefined, change: (folder) => utimesSync(join(folder, 'files/index.html'), 1, 1) },
  {
    title: 'where files are uploaded to',
    from: 'files',
    why: 'with.to changed from "/srv/files" to "/srv/other"',
    replace: ['to: /srv/files', 'to: /srv/other'],
  },
  {
    title: 'content of a script in a file',
    from: 'file',
    why: 'script changed',
    change: write('script.sh', '#!/bin/sh\necho from another file > /srv/file\n'),
  },
  { title: 'content of a source', from: 'watch', why: 'watched/a.txt changed', change: write('watched/a.txt', 'watched again\n') },
  { title: 'a source added', from: 'watch', why: 'watched/b.txt is new', change: write('watched/b.txt', '') },
  { title: 'content of a file that is no source', from: undefined, change: write('watched/not.txt', 'still not watched\n') },
  { title: 'time of a source', from: undefined, change: (folder) => utimesSync(join(folder, 'watched/a.txt'), 1, 1) },
  { title: 'a secret', from: 'secret', why: 'input token changed', args: ['-i', 'token=hunter2 and more'] },
  { title: 'the same secret', from: undefined, args: ['-i', 'token=none'] },
  {
    title: 'a value of a matrix',
    from: 'sizes[size=3]',
    why: 'it never succeeded',
    replace: ['[1, 2]', '[1, 3]'],
    order: content.with(content.indexOf('sizes[size=2]'), 'sizes[size=3]'),
  },
  {
    title: 'a script of a library',
    from: 'site.write',
    why: 'script changed',
    change: write('site.yml', (files['site.yml'] ?? '').replace('echo', 'echo This is')),
  },
  { title: 'a comment of a library', from: undefined, change: write('site.yml', `${files['site.yml']}# a comment\n`) },
  {
    title: 'an input of a library',
    from: 'site.write',
    why: 'inputs.title changed from "a page" to "the page"',
    replace: ['title: a page', 'title: the page'],
  },
  { title: 'an argument', from: 'words', why: 'run.arguments changed', args: ['--', 'one', 'two'] },
  { title: 'a variable of the environment', from: 'home', why: 'environment variable SOME_HOME changed', env: { SOME_HOME: '/elsewhere' } },
  { title: 'a variable of the environment that no task reads', from: undefined, env: { SOME_OTHER: '/elsewhere' } },
  {
    title: 'the order of tasks',
    from: 'last',
    why: 'other tasks are before it',
    replace: [plain + last, last + plain],
    order: content.with(-2, 'last').with(-1, 'plain'),
  },
  {
    title: 'a task inserted',
    from: 'new',
    why: 'it never succeeded',
    replace: [last, `  new: {in: jail, run: "true"}\n${last}`],
    order: content.toSpliced(-1, 0, 'new'),
  },
  { title: 'a task removed', from: 'last', why: 'other tasks are before it', replace: [plain, ''], order: content.toSpliced(-2, 1) },
  { title: 'the shell', from: 'plain', why: 'shell changed', replace: ['plain: {', 'plain: {shell: [/bin/sh, -eu], '] },
  { title: 'the working folder', from: 'plain', why: 'dir is new', replace: ['plain: {', 'plain: {dir: /srv, '] },
  { title: 'a condition that holds', from: 'plain', why: 'if is new', replace: ['plain: {', 'plain: {if: true, '] },
  { title: 'timeout', from: undefined, replace: ['plain: {', 'plain: {timeout: 1m, '] },
  { title: 'retries', from: undefined, replace: ['plain: {', 'plain: {retries: 2, '] },
  { title: 'description', from: undefined, replace: ['plain: {', 'plain: {description: Nothing special, '] },
  { title: 'a lock', from: undefined, replace: ['plain: {', 'plain: {locks: [some], '] },
  { title: 'options of a mount', from: 'site.write', why: '"jail" changed', replace: ['[nodev]', '[nodev, noatime]'] },
  { title: 'the files a chroot copies', from: 'site.write', why: '"jail" changed', replace: ['[/etc/resolv.conf]', '[]'] },
  {
    title: 'tags of the volume',
    from: undefined,
    replace: ['snapshot_id: "{{ source.snapshot_id }}"', 'snapshot_id: "{{ source.snapshot_id }}", tags: {a: b}'],
  },
  { title: 'the name of a task', from: undefined, replace: ['plain: {', 'simple: {'], order: content.with(-2, 'simple') },
  {
    title: 'the size of the volume',
    from: 'site.write',
    why: '"volume" runs',
    replace: ['snapshot_id: "{{ source.snapshot_id }}"', 'snapshot_id: "{{ source.snapshot_id }}", size: 2'],
  },
  {
    title: 'the format of layers',
    from: 'site.write',
    why: 'its layer is gone',
    change: (folder) => inRecords(folder, (text) => text.replace(/"format":\d+/, '"format":0')),
  },
  {
    title: 'a record that was cut off',
    from: 'last',
    why: 'its layer is gone',
    change: (folder) => inRecords(folder, (text) => (text.includes('"last"') ? text.slice(0, 99) : text)),
  },
  // Nothing comes from a layer after this.
  { title: 'the source image, replaced by one with such a name', from: 'site.write', change: (folder) => succeeding(folder, sourceImage('base-2')) },
];

function inRecords(folder: string, edit: (text: string) => string): void {
  const records = join(folder, 'state/layers');
  for (const name of readdirSync(records).filter((each) => each.endsWith('.json'))) {
    writeFileSync(join(records, name), edit(readFileSync(join(records, name), 'utf8')));
  }
}

/** A random third of the edits, because each takes seconds; all of them with CHROOTFILE_LAYER_EDITS=all. */
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const chance = random(seed);
const chosen = edits.filter(() => process.env['CHROOTFILE_LAYER_EDITS'] === 'all' || chance() < 1 / 3);

suite(`edits between two runs (SEED=${seed})`, (test) => {
  test('decide which tasks come from a layer', () =>
    withPool(files, async (folder) => {
      symlinkSync('index.html', join(folder, 'files/link'));
      await succeeding(folder, sourceImage('base'));
      const first = await succeeding(folder, withLayers(recipe), ['--cache']);
      assert.equal(ranOf(first, content), content);
      const found: Record<string, [first: string, why: string]> = {};
      // Those without an effect have none together either.
      const idle = chosen.filter(({ from }) => from === undefined);
      const together = await after(folder, idle);
      for (const edit of chosen) found[edit.title] = together[0] === 'none' && idle.includes(edit) ? together : await after(folder, [edit]);
      assert.equal(found, Object.fromEntries(chosen.map(({ title, from = 'none', why = '' }) => [title, [from, why]])));
    }));
});

/** Runs the recipe with some edits; gives the first task that ran, and what `why` says of it before. What was edited is as before then. */
async function after(folder: string, made: readonly Edit[]): Promise<[first: string, why: string]> {
  const before = mkdtempSync(`${folder}.before`);
  const copy = (from: string, to: string) => execFileSync('cp', ['-a', '--parents', '-t', to, '--', ...changing], { cwd: from });
  copy(folder, before);
  try {
    for (const { change } of made) await change?.(folder);
    const text = made.reduce((edited, { replace }) => (replace === undefined ? edited : replaced(edited, replace)), recipe);
    const args = made.flatMap((edit) => edit.args ?? []);
    const env = Object.assign({}, ...made.map((edit) => edit.env));
    writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\n${withLayers(text)}`);
    const why = await run(['why', join(folder, 'r.yml'), '--json', ...args], { folder, env });
    assert.is(why.code, 0, why.stdout + why.stderr);
    const { tasks } = JSON.parse(why.stdout) as { tasks: { task: string; reason: string }[] };
    const ran = await succeeding(folder, withLayers(text), ['--cache', ...args], env);
    const first = firstOf(ran, made.findLast(({ order }) => order !== undefined)?.order ?? content);
    return [first, tasks.find(({ task }) => task === first)?.reason.replaceAll(`${folder}/`, '') ?? ''];
  } finally {
    for (const name of changing) rmSync(join(folder, name), { recursive: true });
    copy(before, folder);
    rmSync(before, { recursive: true });
  }
}

/** However little time a task takes, a layer is made after it. */
function withLayers(text: string): string {
  return text.replaceAll('{in: jail,', '{in: jail, cache: {layer: true},');
}

/** The first task that ran; all after it must have run too. */
function firstOf(ended: RunResult, order: readonly string[]): string {
  const ran = ranOf(ended, order);
  const [first = 'none'] = ran;
  const rest = first === 'none' ? [] : order.slice(order.indexOf(first));
  return rest.join() === ran.join() ? first : `not only the last ones: ${ran.join(', ')}`;
}

function replaced(text: string, [find, by]: readonly [text: string, by: string]): string {
  assert.is(text.split(find).length, 2, `"${find}" does not occur once`);
  return text.replace(find, () => by);
}
