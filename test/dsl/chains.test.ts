import * as assert from 'uvu/assert';
import type { Plan } from '../../src/dsl/plan/plan.js';
import { plan } from '../support/plan.js';
import { suite } from '../support/suite.js';

/** The tasks up to a chroot; of a volume with a number. */
const jail = (n = '') => `  volume${n}: {uses: ec2.volume, with: {size: 1}}
  disk${n}: {uses: ec2.attachment, with: {volume: "{{ volume${n}.id }}"}}
  rootfs${n}: {uses: disk.filesystem, with: {device: "{{ disk${n}.device }}", type: ext4}}
  root${n}: {uses: mount, with: {device: "{{ rootfs${n}.device }}"}}
  jail${n}: {uses: chroot, with: {root: "{{ root${n}.path }}"}}
`;

/** The chains of a recipe: their members, and why they end. */
function chains(tasks: string, files: Readonly<Record<string, string>> = {}): string[] {
  return chainsIn(plan({ 'r.yml': `cache: true\ntasks:\n${tasks}`, ...files }));
}

function chainsIn({ chains: found }: Plan): string[] {
  return found.map(({ members, end }) => [members.map(({ id }) => id).join(' '), ...(end === undefined ? [] : [`${end.task}: ${end.reason}`])].join(', then '));
}

const order = (made: Plan) => made.nodes.flatMap((node) => (node.type === 'task' ? [node.id] : [])).join(' ');
const because = (made: Plan, words: string) =>
  made.nodes.flatMap((node) => node.after.filter((edge) => edge.because === words).map((edge) => `${node.id} after ${edge.from}`));

/** What a task is in its chain: its text, and why the chain ends before it; undefined if it is a member. */
const ends: readonly (readonly [task: string, reason: string | undefined])[] = [
  ['{in: jail, run: "true"}', undefined],
  ['{run: "touch {{ root.path }}/file"}', undefined],
  ['{run: "dd if=/dev/zero of={{ disk.device }} count=1"}', undefined],
  ['{in: jail, uses: chroot.upload, with: {from: files, to: /srv}}', undefined],
  ['{uses: disk.grow, with: {device: "{{ disk.device }}"}}', undefined],
  ['{in: jail, run: "true", cache: {max_age: 1h}}', undefined],
  ['{in: jail, run: "true", continue_on_error: true}', undefined],
  ['{in: jail, run: "true", undo: {run: "true"}}', undefined],
  ['{in: jail, run: "true", reopen: "true", undo: {run: "true", when: always}}', undefined],
  ['{in: jail, run: "true", outputs: {value: {}}}', undefined],
  ['{in: jail, run: "true", cache: false}', 'it has cache: false'],
  ['{in: jail, uses: chroot.upload, cache: false, with: {from: files, to: /srv}}', 'it has cache: false'],
  ['{in: jail, run: "true", interactive: true}', 'it is interactive'],
  ['{in: jail, uses: chroot.download, with: {from: /etc/passwd, to: passwd}}', 'chroot.download runs in every run'],
  ['{in: jail, run: "true", undo: {run: "true", when: always}}', 'it is a resource without "reopen"'],
  ['{in: jail, run: "true", outputs: {value: {secret: true}}}', 'it has a secret output'],
];

suite('chains', (test) => {
  test('without "cache" there are none, and tasks wait for nothing more', () => {
    const tasks = `${jail()}  a: {run: "touch {{ root.path }}/a"}\n  b: {run: "touch {{ root.path }}/b"}\n`;
    assert.equal(chainsIn(plan({ 'r.yml': `tasks:\n${tasks}` })), []);
    assert.equal(chainsIn(plan({ 'r.yml': `cache: false\ntasks:\n${tasks}` })), []);
    const words = 'changes the same volume';
    assert.equal(because(plan({ 'r.yml': `tasks:\n${tasks}` }), words), []);
    const ordered = because(plan({ 'r.yml': `cache: {max_age: 24h}\ntasks:\n${tasks}` }), words);
    assert.equal(ordered, ['a after jail', 'b after a', 'jail.released after b']);
  });

  test('hold content in the order of the plan, and no handles', () => {
    const tasks = `  parts: {uses: disk.partition, with: {device: "{{ disk.device }}", partitions: [{name: root}]}}
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.root }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  jail: {uses: chroot, needs: [unpack], with: {root: "{{ root.path }}"}}
  unpack: {run: "tar xf base.tar -C {{ root.path }}"}
  packages: {in: jail, run: "true"}
  elsewhere: {run: "true"}
  all: {needs: [packages, elsewhere]}
`;
    assert.equal(chains(tasks), ['volume parts rootfs unpack packages']);
  });

  for (const [task, reason] of ends) {
    test(`${task} ${reason === undefined ? 'is a member' : `ends one: ${reason}`}`, () => {
      const before = 'volume rootfs before';
      const tasks = `${jail()}  before: {in: jail, run: "true"}\n  it: ${task}\n  behind: {in: jail, needs: [it], run: "true"}\n`;
      const text = tasks.replace('  it: {uses', '  it: {needs: [before], uses').replace('  it: {run', '  it: {needs: [before], run');
      assert.equal(chains(text), [reason === undefined ? `${before} it behind` : `${before}, then it: ${reason}`]);
    });
  }

  test('one that ends early holds back no tasks of other volumes', () => {
    const tasks = `${jail('1')}${jail('2')}  a: {in: jail1, cache: false, run: "true"}\n  b: {in: jail1, run: "true"}\n  c: {in: jail2, run: "true"}\n`;
    assert.equal(chains(tasks), ['volume1 rootfs1, then a: it has cache: false', 'volume2 rootfs2 c']);
  });

  test('of two volumes that a task uses both are one', () => {
    const both = '  copy: {run: "cp -a {{ root1.path }}/. {{ root2.path }}"}\n';
    const tasks = `${jail('1')}${jail('2')}  a: {in: jail1, run: "true"}\n  b: {in: jail2, run: "true"}\n`;
    assert.equal(chains(tasks), ['volume1 rootfs1 a', 'volume2 rootfs2 b']);
    const [one = '', ...others] = chains(tasks + both);
    assert.equal([one.split(' ').sort(), others], [['a', 'b', 'copy', 'rootfs1', 'rootfs2', 'volume1', 'volume2'], []]);
    // What ends one ends both: a layer of one without the other would not fit.
    const ended = chains(tasks.replace('a: {', 'a: {cache: false, ') + both);
    assert.equal([ended.length, ended[0]?.split(', then ')[1]], [1, 'a: it has cache: false']);
  });

  test('of three volumes, of which two pairs share a task, are one', () => {
    const tasks = [1, 2, 3].map((n) => jail(String(n))).join('');
    const pair = (a: number, b: number) => `  copy${a}${b}: {run: "cp -a {{ root${a}.path }}/. {{ root${b}.path }}"}\n`;
    assert.equal(chains(tasks).length, 3);
    assert.equal(chains(tasks + pair(1, 2)).length, 2);
    assert.equal(chains(tasks + pair(1, 2) + pair(3, 2)).length, 1);
    assert.equal(chains(tasks + pair(3, 1) + pair(2, 3)).length, 1);
  });

  test('of a library that is included twice are two', () => {
    const library = `inputs: {text: {type: string}}\ntasks:\n${jail()}  write: {in: jail, run: "echo {{ inputs.text }}"}\n`;
    const includes = `includes: {one: {recipe: lib.yml, with: {text: a}}, two: {recipe: lib.yml, with: {text: b}}}\n`;
    const made = plan({ 'r.yml': `cache: true\n${includes}tasks: {all: {needs: [one.write, two.write]}}\n`, 'lib.yml': library });
    assert.equal(chainsIn(made), ['one.volume one.rootfs one.write', 'two.volume two.rootfs two.write']);
  });

  test('need the values that decide their content before their first volume', () => {
    const version = '  version: {run: "echo value=1 >> $CHROOTFILE_OUTPUT", outputs: {value: {}}}\n';
    const reading = (what: string) => plan({ 'r.yml': `cache: true\ntasks:\n${jail()}${version}${what}` });
    const words = 'decides what is on the volume';
    for (const what of [
      'a: {in: jail, run: "echo {{ version.value }}"}',
      'a: {in: jail, env: {V: "{{ version.value }}"}, run: "true"}',
      'a: {in: jail, dir: "/{{ version.value }}", run: "true"}',
      `a: {in: jail, if: "{{ eq version.value '1' }}", run: "true"}`,
      'a: {in: jail, uses: chroot.upload, with: {from: "{{ version.value }}", to: /srv}}',
    ]) {
      const made = reading(`  ${what}\n`);
      assert.equal(because(made, words), ['volume after version'], what);
      assert.match(order(made), /^version volume /, what);
    }
    // Of a task that runs in every run, the values are not needed early.
    const late = reading('  a: {in: jail, cache: false, run: "echo {{ version.value }}"}\n');
    assert.equal(because(late, words), []);
  });

  test('do not need what is read from the volume itself, nor what a task reads that uses no volume', () => {
    const made = plan({
      'r.yml': `cache: true
tasks:
${jail()}  version: {in: jail, run: "cat /etc/version >> $CHROOTFILE_OUTPUT", outputs: {value: {}}}
  write: {in: jail, run: "echo {{ version.value }}"}
  other: {run: "true", outputs: {value: {}}}
  elsewhere: {run: "echo {{ other.value }} {{ version.value }}"}
`,
    });
    assert.equal(because(made, 'decides what is on the volume'), []);
    assert.equal(chainsIn(made), ['volume rootfs version write']);
  });

  test('have the volume for themselves: nothing else is done with it at the same time', () => {
    const made = plan({
      'r.yml': `cache: true
tasks:
${jail()}  other: {uses: chroot, with: {root: "{{ root.path }}/other"}}
  unpack: {run: "mkdir {{ root.path }}/other"}
  always: {cache: false, run: "touch {{ root.path }}/always"}
  before: {run: "touch {{ root.path }}/before"}
  elsewhere: {run: "true"}
`,
    });
    assert.equal(chainsIn(made), ['volume rootfs unpack, then always: it has cache: false']);
    const found = because(made, 'changes the same volume');
    for (const edge of ['unpack after jail', 'unpack after other', 'always after unpack', 'before after unpack']) assert.ok(found.includes(edge), edge);
    assert.equal(
      found.filter((edge) => edge.includes('elsewhere')),
      [],
    );
  });

  test('are in the order that "needs" and "before" ask for', () => {
    const tasks = `${jail()}  c: {in: jail, needs: [b], run: "true"}\n  b: {in: jail, run: "true"}\n  a: {run: "touch {{ root.path }}/a", before: [b]}\n`;
    assert.equal(chains(tasks), ['volume rootfs a b c']);
  });
});
