import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { formatDiagnostic, RecipeError } from '../../src/dsl/diagnostics/diagnostic.js';
import { makePlan, type Plan } from '../../src/dsl/plan/plan.js';
import { linked, plan } from '../support/plan.js';
import { repository } from '../support/program.js';
import { suite } from '../support/suite.js';

const order = (made: Plan) => made.nodes.map((node) => node.id).join(' ');
const edges = (made: Plan) => made.nodes.flatMap((node) => node.after.map((edge) => `${node.id} after ${edge.from}: ${edge.because}`));

/** A library that starts from an image, as the chroot method does. */
const library = `inputs: {size: {type: integer, default: 1}, label: {type: string, default: none}}
tasks:
  volume: {uses: ec2.volume, with: {size: "{{ inputs.size }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}, internal: true}
  root: {uses: mount, with: {device: "{{ disk.device }}"}, internal: true}
  sys: {uses: chroot, with: {root: "{{ root.path }}"}}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}", description: "{{ inputs.label }}"}}
  image: {uses: ec2.image, with: {name: web, snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;

suite('plan', (test) => {
  test('recipes/base.yml: the whole order', () => {
    const { module, tasks } = linked(join(repository, 'recipes/base.yml'));
    const made = makePlan(module, tasks, []);
    assert.is(
      order(made),
      'volume disk parts rootfs root bootstrap sys grub version sys.released root.released rootfs.released parts.released disk.released snapshot image volume.released',
    );
    const why = edges(made);
    for (const edge of [
      'disk after volume: refers to volume.id',
      'grub after sys: runs in sys',
      'grub after disk: refers to disk.device',
      'version after grub: needs grub',
      'sys.released after grub: "grub" uses it',
      'root.released after sys.released: "sys" uses it',
      'snapshot after sys.released: freezes "volume" (volume)',
      'snapshot after disk.released: freezes "volume" (volume)',
      'image after version: refers to version.debian',
      'volume.released after snapshot: "snapshot" uses it',
    ]) {
      assert.ok(why.includes(edge), edge);
    }
  });

  test('recipes/web.yml: one goal in the library is the whole image, with what is put on it and cleaned up after', () => {
    const { module, tasks } = linked(join(repository, 'recipes/web.yml'));
    const whole =
      'ami.source ami.volume ami.disk ami.rootfs ami.grow ami.root ami.fstab ami.chroot packages pages smoke cleanup.all ' +
      'ami.chroot.released ami.fstab.released ami.root.released ami.rootfs.released ami.disk.released ami.snapshot ami.image ami.volume.released';
    assert.is(order(makePlan(module, tasks, ['ami.image'])), whole);
    assert.is(order(makePlan(module, tasks, [])), whole);
    assert.is(makePlan(module, tasks, ['ami.image']).reasons.get('cleanup.all'), '"ami.snapshot" freezes "ami.volume"');
    assert.is(
      order(makePlan(module, tasks, ['packages'])),
      'ami.source ami.volume ami.disk ami.rootfs ami.grow ami.root ami.fstab ami.chroot packages ' +
        'ami.chroot.released ami.fstab.released ami.root.released ami.rootfs.released ami.disk.released ami.volume.released',
    );
  });

  test('a library runs tasks in the chroot whose path it is given, through other libraries and their outputs too', () => {
    const made = plan({
      'r.yml': `includes:
  ami: {recipe: lib.yml}
  outer: {recipe: outer.yml, with: {root: "{{ ami.path }}"}}
tasks:
  last: {in: ami.sys, needs: [outer.inner.packages], run: "true"}
`,
      'lib.yml': `${library}  path: "{{ sys.path }}"\n`.replace('outputs: {image_id: "{{ image.id }}"}\n', 'outputs:\n  image_id: "{{ image.id }}"\n'),
      'outer.yml': `inputs: {root: {type: string}}\nincludes: {inner: {recipe: inner.yml, with: {chroot: "{{ inputs.root }}"}}}\ntasks: {}\n`,
      'inner.yml': `inputs: {chroot: {type: string, required: true}}\ntasks:\n  packages: {in: inputs.chroot, run: "true"}\n`,
    });
    assert.is(made.tasks.get('outer.inner.packages')?.in, 'ami.sys');
    assert.ok(order(made).includes('ami.sys outer.inner.packages last ami.sys.released'), order(made));
  });

  test('a library by itself, with libraries of its own, leaves open which chroot is meant; one that is given back to itself is told', () => {
    const inner = `inputs: {chroot: {type: string, required: true}}\ntasks:\n  packages: {in: inputs.chroot, run: "true"}\noutputs: {root: "{{ inputs.chroot }}"}\n`;
    const outer = `inputs: {chroot: {type: string, required: true}}
includes: {inner: {recipe: inner.yml, with: {chroot: "{{ inputs.chroot }}"}}}
tasks: {all: {needs: [inner.packages]}}
`;
    assert.is(plan({ 'r.yml': outer, 'inner.yml': inner }).tasks.get('inner.packages')?.in, undefined);
    const circle = `includes: {inner: {recipe: inner.yml, with: {chroot: "{{ inner.root }}"}}}\ntasks: {all: {needs: [inner.packages]}}\n`;
    assert.throws(() => plan({ 'r.yml': circle, 'inner.yml': inner }), /refers to itself/);
  });

  test('a frozen parameter pulls in what uses the resources, and what that needs; nothing else pulls', () => {
    const recipe = `includes: {ami: {recipe: lib.yml, with: {label: "{{ name.value }}"}}}
tasks:
  fetch: {run: "true"}
  packages: {in: ami.sys, needs: [fetch], run: "true"}
  notify: {needs: [ami.image], run: "true"}
  name: {run: "true", outputs: {value: }}
  aside: {run: "true"}
`;
    const made = plan({ 'r.yml': recipe, 'lib.yml': library }, ['ami.image']);
    assert.is(
      order(made),
      'ami.volume ami.disk ami.root ami.sys fetch packages name ami.sys.released ami.root.released ami.disk.released ami.snapshot ami.image ami.volume.released',
    );
    const because = '"ami.snapshot" freezes "ami.volume"';
    assert.equal(Object.fromEntries(made.reasons), {
      'ami.image': 'it is a goal',
      'ami.snapshot': '"ami.image" needs it',
      'ami.volume': '"ami.snapshot" needs it',
      name: '"ami.snapshot" needs it',
      'ami.root': because,
      'ami.disk': '"ami.root" needs it',
      'ami.sys': because,
      packages: because,
      fetch: '"packages" needs it',
    });
    assert.equal(made.leftOut, ['notify', 'aside']);
    assert.ok(edges(made).includes('ami.snapshot after name: refers to inputs.label'), 'through the input of the library');
    assert.is(order(plan({ 'r.yml': recipe, 'lib.yml': library }, ['fetch'])), 'fetch');
  });

  test('without goals: all tasks that are not internal, and what the outputs refer to; libraries only as far as needed', () => {
    const made = plan({
      'r.yml': `includes: {ami: {recipe: lib.yml}}\ntasks:\n  own: {run: "true"}\n  hidden: {internal: true, run: "true"}\noutputs: {id: "{{ ami.image_id }}"}\n`,
      'lib.yml': library,
    });
    assert.ok(order(made).startsWith('ami.volume ami.disk ami.root ami.sys own'), order(made));
    assert.not.match(order(made), 'hidden');
    assert.is(order(plan({ 'r.yml': `includes: {ami: {recipe: lib.yml}}\ntasks:\n  own: {run: "true"}\n`, 'lib.yml': library })), 'own');
    assert.is(order(plan({ 'r.yml': `goals: [a]\ntasks:\n  b: {run: "true"}\n  a: {run: "true"}\n` })), 'a');
  });

  test('nothing passes through a step; H.released waits for a release and does not stand on it; before is needs reversed', () => {
    const made = plan({
      'r.yml': `tasks:
  vol: {uses: ec2.volume, with: {size: 1}}
  fact: {run: "echo {{ vol.id }}", outputs: {x: }}
  late: {run: "echo {{ fact.x }}"}
  gone: {needs: [vol.released], run: "true"}
  first: {before: [vol], run: "true"}
`,
    });
    assert.is(order(made), 'first vol fact late vol.released gone');
    assert.equal(
      edges(made).filter((edge) => edge.startsWith('vol.released')),
      ['vol.released after vol: releases "vol"', 'vol.released after fact: "fact" uses it'],
    );
  });

  test('tasks in one chroot run one at a time, in written order where edges leave it open', () => {
    const made = plan({
      'r.yml': `tasks:
  sys: {uses: chroot, with: {root: /}}
  c: {in: sys, needs: [a], run: "true"}
  b: {in: sys, run: "true"}
  a: {in: sys, run: "true"}
`,
    });
    assert.is(order(made), 'sys a c b sys.released');
    assert.ok(edges(made).includes('b after c: runs in the same chroot, "sys"'));
  });

  test('a chroot of a library that is worked in while nothing asks for its image is a warning, with what to add', () => {
    const recipe = (more = '', including = '{recipe: lib.yml}') => `includes: {ami: ${including}}
tasks:
  packages: {in: ami.sys, run: "true"}
  more: {in: ami.sys, run: "true"}
${more}`;
    const warned = (text: string, goals: readonly string[] = []) =>
      plan({ 'r.yml': text, 'lib.yml': library, 'outer.yml': outer }, goals).warnings.map((warning) => formatDiagnostic(warning));
    const outer = `includes: {build: {recipe: lib.yml}}
tasks:
  copy: {uses: ec2.copy, with: {image: "{{ build.image.id }}", name: web, regions: []}}
outputs: {root: "{{ build.sys.path }}", images: "{{ copy.images }}"}
`;
    const text = (help: string, chroot = 'ami.sys') => [
      `/r.yml:4:18: warning: no image is created from what "packages" changes in "${chroot}": no planned task needs "${chroot.replace('sys', 'snapshot')}" [no-image]
  |
4 |   packages: {in: ${chroot}, run: "true"}
  |                  ${'^'.repeat(chroot.length)}
  help: ${help}
`,
    ];
    assert.equal(warned(recipe()), text('outputs: {image_id: "{{ ami.image_id }}"}'));
    assert.equal(warned(recipe('outputs: {a: "{{ ami.volume.id }}"}\n')), text('add to the outputs: image_id: "{{ ami.image_id }}"'));
    assert.equal(warned(recipe('goals: [packages]\noutputs: {a: "{{ ami.image_id }}"}\n')), text('goals: [packages, ami.image]'));
    assert.equal(warned(recipe('outputs: {a: "{{ ami.image_id }}"}\n'), ['packages']), text('chrootfile run /r.yml packages ami.image'));
    // The output that comes from the image, not the first one; through a library of the library.
    const nested = recipe('', '{recipe: outer.yml}').replaceAll('ami.sys', 'ami.build.sys');
    assert.equal(warned(nested), text('outputs: {images: "{{ ami.images }}"}', 'ami.build.sys'));

    const made = [
      recipe('outputs: {a: "{{ ami.image_id }}"}\n'),
      recipe('  keep: {uses: ec2.snapshot, with: {volume: "{{ ami.volume.id }}"}}\n'),
      recipe('goals: [ami.snapshot]\n'),
      'includes: {ami: {recipe: lib.yml}}\ntasks:\n  look: {run: "ls {{ ami.sys.path }}"}\n',
      // The library by itself: whoever names its chroot as a goal wants no more.
      `${library}goals: [sys]\n`,
    ];
    for (const each of made) assert.equal(warned(each), [], each);
    assert.equal(warned(recipe('outputs: {a: "{{ ami.image_id }}"}\n'), ['ami.image']), []);
  });

  test('unknown goals are told with what was probably meant', () => {
    try {
      plan({ 'r.yml': 'tasks:\n  image: {run: "true"}\n' }, ['imgae']);
      assert.unreachable();
    } catch (error) {
      assert.ok(error instanceof RecipeError);
      assert.is(error.message, 'error: there is no task "imgae" [goal]\n  help: did you mean "image"?\n');
    }
  });

  test('a chain of 20,000 tasks is planned without running out of stack', () => {
    const tasks = Array.from({ length: 20_000 }, (_, i) => `  t${i}: {${i > 0 ? `needs: [t${i - 1}]` : 'run: "true"'}}`).join('\n');
    assert.is(plan({ 'r.yml': `tasks:\n${tasks}\n` }).nodes.length, 20_000);
  }, 60_000);
});
