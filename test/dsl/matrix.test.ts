import * as assert from 'uvu/assert';
import { evaluate, type Facts } from '../../src/dsl/evaluate.js';
import { faultsOf, linkedText, plan } from '../support/plan.js';
import { suite } from '../support/suite.js';

const tasksOf = (text: string, inputs = {}) => [...linkedText({ 'r.yml': text }, inputs).tasks.keys()];
const messages = (text: string, inputs = {}) => faultsOf({ 'r.yml': text }, inputs).map(({ code, message }) => `${code}: ${message}`);
const matrix = (text: string) => `tasks:\n  a:\n    run: "true"\n    strategy:\n      matrix: ${text}\n`;

/** Facts that name what was asked for. */
const facts: Facts = {
  run: { id: 'r', timestamp: '0', started: '', dir: '', isotime: '', arguments: [], uuid: '' },
  inputs: new Map(),
  environment: () => undefined,
  commandOutput: () => '',
  output: (task, name) => `${task}.${name}`,
  secret: () => {},
};

suite('matrix', (test) => {
  test('makes one task of each combination, axes and values in written order', () => {
    assert.equal(tasksOf(matrix('{os: [bookworm, trixie], size: [8, 16]}')), [
      'a[os=bookworm,size=8]',
      'a[os=bookworm,size=16]',
      'a[os=trixie,size=8]',
      'a[os=trixie,size=16]',
    ]);
  });

  test('exclude takes combinations out; include adds to those it fits, or combinations of its own', () => {
    const text = matrix(
      '{os: [bookworm, trixie], arch: [amd64, arm64], exclude: [{os: bookworm, arch: arm64}], include: [{arch: arm64, grub: efi}, {os: sid, arch: riscv64}, {colour: green}, {os: trixie, arch: amd64, colour: red}]}',
    );
    const { tasks } = linkedText({ 'r.yml': text });
    assert.equal(
      [...tasks.values()].map(({ id, module }) => [id, module.instance?.values]),
      [
        ['a[os=bookworm,arch=amd64]', { os: 'bookworm', arch: 'amd64', grub: null, colour: 'green' }],
        ['a[os=trixie,arch=amd64]', { os: 'trixie', arch: 'amd64', grub: null, colour: 'red' }],
        ['a[os=trixie,arch=arm64]', { os: 'trixie', arch: 'arm64', grub: 'efi', colour: 'green' }],
        ['a[os=sid,arch=riscv64]', { os: 'sid', arch: 'riscv64', grub: null, colour: null }],
      ],
    );
    assert.equal(tasksOf(matrix('{include: [{name: small, tags: {a: 1}}, {name: large, tags: [x]}]}')), ['a[name=small]', 'a[name=large]']);
  });

  test('a task with the same axes means the instance of its own values, another one all of them, and one is named by its key', () => {
    const made = plan({
      'r.yml': `tasks:
  build: {strategy: {matrix: {arch: [amd64, arm64], os: [a]}}, run: "true", outputs: {id: {}}}
  same: {strategy: {matrix: {os: [a], arch: [arm64]}}, run: "echo {{ build.id }} {{ matrix.arch }}"}
  all: {run: "echo {{ json build.id }}"}
  one: {needs: ["build[arch=arm64,os=a]"], run: "echo {{ build.[arch=amd64,os=a].id }}"}
  after: {needs: [build], before: [last], run: "true"}
  last: {strategy: {matrix: {n: [1, 2]}}, run: "true"}
`,
    });
    const waits = (id: string) => made.nodes.find((node) => node.id === id)?.after.map((edge) => `${edge.from}: ${edge.because}`);
    assert.equal(waits('same[os=a,arch=arm64]'), ['build[arch=arm64,os=a]: refers to build.id']);
    assert.equal(waits('all'), ['build[arch=amd64,os=a]: refers to build.id', 'build[arch=arm64,os=a]: refers to build.id']);
    assert.equal(waits('one'), ['build[arch=arm64,os=a]: needs build[arch=arm64,os=a]', 'build[arch=amd64,os=a]: refers to build.[arch=amd64,os=a].id']);
    assert.equal(waits('after'), ['build[arch=amd64,os=a]: needs build', 'build[arch=arm64,os=a]: needs build']);
    assert.equal(waits('last[n=2]'), ['after: "after" has before: last']);
    const script = (id: string) => {
      const found = made.tasks.get(id);
      return found?.task.action.type === 'run' ? evaluate(found.task.action.script, found.module, facts) : undefined;
    };
    assert.is(script('same[os=a,arch=arm64]'), 'echo build[arch=arm64,os=a].id arm64');
    assert.is(script('all'), 'echo ["build[arch=amd64,os=a].id","build[arch=arm64,os=a].id"]');
    assert.is(script('one'), 'echo build[arch=amd64,os=a].id');
  });

  test('chains of resources stay apart: each instance uses its own, freezes its own, is released by itself', () => {
    const made = plan({
      'r.yml': `tasks:
  vol: {strategy: {matrix: {os: [a, b]}}, uses: ec2.volume, with: {size: 1}}
  disk: {strategy: {matrix: {os: [a, b]}}, uses: ec2.attachment, with: {volume: "{{ vol.id }}"}}
  root: {strategy: {matrix: {os: [a, b]}}, uses: mount, with: {device: "{{ disk.device }}"}}
  sys: {strategy: {matrix: {os: [a, b]}}, uses: chroot, with: {root: "{{ root.path }}"}}
  packages: {strategy: {matrix: {os: [a, b]}}, in: sys, run: "true"}
  only: {in: "sys[os=a]", run: "true"}
  snap: {strategy: {matrix: {os: [a, b]}}, uses: ec2.snapshot, with: {volume: "{{ vol.id }}"}}
`,
    });
    assert.equal([...(made.tasks.get('packages[os=b]')?.uses ?? [])], ['sys[os=b]', 'root[os=b]', 'disk[os=b]', 'vol[os=b]']);
    assert.is(made.tasks.get('only')?.in, 'sys[os=a]');
    const after = made.nodes.find(({ id }) => id === 'snap[os=a]')?.after.map(({ from }) => from);
    assert.equal(after, ['vol[os=a]', 'disk[os=a].released', 'root[os=a].released', 'sys[os=a].released', 'root[os=a]', 'sys[os=a]', 'packages[os=a]', 'only']);
  });

  test('values come from inputs and variables, also through an include; what is not known yet is told', () => {
    const text = `inputs: {archs: {type: list, required: true}}\nvars: {oses: [a]}\n${matrix('{arch: "{{ inputs.archs }}", os: "{{ vars.oses }}"}')}`;
    assert.equal(tasksOf(text, { archs: ['x', 'y'] }), ['a[arch=x,os=a]', 'a[arch=y,os=a]']);
    assert.equal(messages(text), ['matrix: the matrix needs the value of the input "archs": set it with -i archs=…']);
    const { tasks } = linkedText({
      'r.yml': 'includes: {lib: {recipe: lib.yml, with: {archs: [x, y]}}}\ntasks:\n  z: {needs: [lib.a], run: "echo {{ lib.all }}"}\n',
      'lib.yml': `inputs: {archs: {type: list}}\n${matrix('{arch: "{{ inputs.archs }}"}').replace('run: "true"', 'run: "true"\n    outputs: {id: {}}')}outputs: {all: "{{ json a.id }}"}\n`,
    });
    assert.equal([...tasks.keys()], ['lib.a[arch=x]', 'lib.a[arch=y]', 'z']);
    assert.equal(
      tasks.get('z')?.links.map(({ to }) => to),
      ['lib.a[arch=x]', 'lib.a[arch=y]', 'lib.a[arch=x]', 'lib.a[arch=y]'],
    );
    assert.equal(messages(`vars: {l: {sh: ls}}\n${matrix('{x: "{{ vars.l }}"}')}`), [
      'matrix: a matrix cannot use the output of a command: it must be known before the run',
    ]);
  });

  test('a goal may be a task or one instance of it', () => {
    const text = matrix('{os: [a, b]}');
    assert.equal(
      plan({ 'r.yml': text }, ['a[os=b]']).nodes.map(({ id }) => id),
      ['a[os=b]'],
    );
    assert.is(plan({ 'r.yml': text }, ['a']).nodes.length, 2);
  });

  test('a fault in a matrix is told once, and not again by everything that names the task', () => {
    const text = `tasks:
  a: {strategy: {matrix: {os: [x, x], size: [1]}}, run: "echo {{ matrix.os }}", outputs: {id: {}}}
  b: {needs: ["a[os=x,size=1]"], run: "echo {{ a.[os=x,size=2].id }}"}
  c: {strategy: {matrix: {os: [x], size: [1]}}, run: "echo {{ a.id }}"}
`;
    assert.equal(messages(text), ['matrix: duplicate value "x" in matrix axis "os"']);
  });

  test('a long script with many references, in a thousand instances, is checked in no time to speak of', () => {
    const lines = Array.from({ length: 100 }, (_, i) => `      echo ${i} {{ matrix.n }} {{ inputs.x }}`).join('\n');
    const many = Array.from({ length: 1000 }, (_, i) => i).join(', ');
    const text = `inputs: {x: {type: string, default: y}}\ntasks:\n  a:\n    strategy: {matrix: {n: [${many}]}}\n    run: |\n${lines}\n`;
    assert.is(tasksOf(text, { x: 'y' }).length, 1000);
  }, 10_000);
});
