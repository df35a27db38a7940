import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ranOf, succeeding, withPool } from '../support/layers.js';
import { run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

/** A recipe with a mounted volume. Each task writes to a log on it, which `show` prints. */
const recipe = (tasks: string) => `cache: true
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ disk.device }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
${tasks}`;

/** A task that leaves a line in the log, and a layer. */
const task = (name: string, more = '', text = name) =>
  `  ${name}: {${more}cache: {layer: true}, env: {ROOT: "{{ root.path }}"}, run: 'echo "${text}" >> "$ROOT/log"'}\n`;
const show = (after: string) => `  show: {needs: [${after}], cache: false, env: {ROOT: "{{ root.path }}"}, run: 'cat "$ROOT/log"'}\n`;

suite('a layer is used only if a clean build would give the same:', (test) => {
  test('a run that is resumed on a restored volume runs nothing twice', () =>
    withPool({}, async (folder) => {
      const text = recipe(
        `${task('one')}  gate: {needs: [one], run: "test -e ${folder}/open"}\n${task('two', 'needs: [gate], ')}${task('three', 'needs: [two], ')}${show('three')}`,
      );
      writeFileSync(join(folder, 'open'), '');
      await succeeding(folder, text);
      execFileSync('rm', [join(folder, 'open')]);
      const kept = await runRecipe(folder, text, ['--on-failure', 'keep']);
      assert.is(kept.code, 1);
      writeFileSync(join(folder, 'open'), '');
      const id = String(kept.events.findLast(({ type }) => type === 'run.finished')?.['run']);
      const resumed = await run(['run', '--resume', id], { folder });
      assert.is(resumed.code, 0, resumed.stderr);
      assert.equal(resumed.stdout.match(/(?<=show \| ).*/g), ['one', 'two', 'three']);
    }));

  test('a file that a needed task makes is read after that task', () =>
    withPool({ source: 'first' }, async (folder) => {
      const text = recipe(
        `  compile: {run: "cp ${folder}/source ${folder}/app"}\n  put: {needs: [compile], sources: [app], generates: [/none], cache: {layer: true}, env: {ROOT: "{{ root.path }}"}, run: 'cat ${folder}/app > "$ROOT/log"'}\n${show('put')}`,
      );
      assert.is((await succeeding(folder, text)).log('show').trim(), 'first');
      assert.equal(ranOf(await succeeding(folder, text), ['put']), []);
      writeFileSync(join(folder, 'source'), 'second');
      assert.is((await succeeding(folder, text)).log('show').trim(), 'second');
    }));

  test('an output of a resource that does not use the volume counts by its value', () =>
    withPool({ version: '1' }, async (folder) => {
      const text = recipe(
        `  latest: {run: 'echo "v=$(cat ${folder}/version)" >> "$CHROOTFILE_OUTPUT"', outputs: {v: }, undo: {run: "true", when: always}}\n${task('install', '', 'version {{ latest.v }}')}${show('install')}`,
      );
      assert.is((await succeeding(folder, text)).log('show').trim(), 'version 1');
      assert.equal(ranOf(await succeeding(folder, text), ['install']), []);
      writeFileSync(join(folder, 'version'), '2');
      assert.is((await succeeding(folder, text)).log('show').trim(), 'version 2');
    }));

  test('a script that leaves files in the folder of the run, which a later task reads, is not kept', () =>
    withPool({}, async (folder) => {
      const left = `  left: {cache: {layer: true}, env: {ROOT: "{{ root.path }}"}, run: 'echo note > "{{ run.dir }}/note"; echo left >> "$ROOT/log"'}\n`;
      const text = recipe(`${task('one')}${left}${show('left')}  read: {needs: [show], run: 'cat "{{ run.dir }}/note"'}\n`);
      for (const ran of [['one', 'left'], ['left']]) {
        const result = await succeeding(folder, text);
        assert.equal(ranOf(result, ['one', 'left']), ran);
        assert.equal([result.log('show'), result.log('read')], ['one\nleft\n', 'note\n']);
      }
    }));

  test('a mount that a task only needs counts', () =>
    withPool({}, async (folder) => {
      const text = `inputs: {sub: {type: boolean, required: true}}\n${recipe(`  make: {env: {ROOT: "{{ root.path }}"}, run: 'mkdir "$ROOT/sub"'}
  sub: {uses: mount, if: "{{ inputs.sub }}", needs: [make], with: {device: "{{ rootfs.device }}", path: "{{ root.path }}/sub"}}
  put: {needs: [sub], cache: {layer: true}, env: {ROOT: "{{ root.path }}"}, run: 'echo put > "$ROOT/sub/log"'}
  list: {needs: [put], cache: false, env: {ROOT: "{{ root.path }}"}, run: 'cd "$ROOT"; for at in log sub/log; do [ ! -e $at ] || echo $at; done'}
`)}`;
      for (const [sub, ran, at] of [
        [true, ['put'], 'log\n'],
        [true, [], 'log\n'],
        [false, ['put'], 'sub/log\n'],
        [false, [], 'sub/log\n'],
      ] as const) {
        const result = await succeeding(folder, text, ['-i', `sub=${sub}`]);
        assert.equal([ranOf(result, ['put']), result.log('list')], [ran, at], String(sub));
      }
    }));

  test('a script whose output is a path of the run is not kept', () =>
    withPool({}, async (folder) => {
      const text = recipe(`  where: {cache: {layer: true}, env: {ROOT: "{{ root.path }}"}, run: 'echo "at=$ROOT" >> "$CHROOTFILE_OUTPUT"', outputs: {at: }}\n`);
      await succeeding(folder, text);
      assert.equal(ranOf(await succeeding(folder, text), ['where']), ['where']);
    }));

  test('neither a task that masks a value nor one after it is kept: a later run would show the value', () =>
    withPool({ 'program.sh': 'echo ::add-mask::hunter2-value\n' }, async (folder) => {
      const tasks = ['one', 'telling', 'after'];
      const telling = `  telling: {cache: {layer: true}, env: {ROOT: "{{ root.path }}"}, run: 'sh ${folder}/program.sh; echo telling >> "$ROOT/log"'}\n`;
      const text = recipe(`${task('one')}${telling}${task('after')}${show('after')}  print: {needs: [show], run: "echo hunter2-value"}\n`);
      for (const ran of [tasks, tasks.slice(1), tasks.slice(1)]) {
        const result = await succeeding(folder, text);
        assert.equal(ranOf(result, tasks), ran);
        assert.equal([result.log('show'), result.log('print')], ['one\ntelling\nafter\n', '***\n']);
      }
      const why = await run(['why', join(folder, 'r.yml'), '--json'], { folder });
      const { tasks: verdicts } = JSON.parse(why.stdout) as { tasks: { task: string; reason: string }[] };
      const missing = 'no layer could be made after it:';
      assert.equal(
        verdicts.filter(({ task: name }) => tasks.includes(name)).map(({ reason }) => reason),
        ['', `${missing} it printed ::add-mask::`, `${missing} what "telling" left is not kept`],
      );
    }));

  test('neither a task that was up to date nor one after it is kept', () =>
    withPool({}, async (folder) => {
      const work = (status: string) => recipe(`${task('work', `status: ["${status}"], `)}${task('last', 'needs: [work], ')}`);
      await succeeding(folder, work('true'));
      assert.equal(ranOf(await succeeding(folder, work('true')), ['work', 'last']), ['work', 'last']);
      assert.match((await succeeding(folder, work('false'))).nodes.join(), /work succeeded/);
    }));

  test('a library with cache: false is not cached', () =>
    withPool(
      {
        'lib.yml': `version: 1\nname: lib\ncache: false\ninputs: {root: {type: string, required: true}}\ntasks:\n  fresh: {run: 'date +%N > {{ inputs.root }}/fresh'}\n`,
      },
      async (folder) => {
        const text = `includes: {lib: {recipe: lib.yml, with: {root: "{{ root.path }}"}}}\n${recipe(`${task('one', 'before: [lib.fresh], ')}${show('lib.fresh')}`)}`;
        await succeeding(folder, text);
        assert.equal(ranOf(await succeeding(folder, text), ['one', 'lib.fresh']), ['lib.fresh']);
      },
    ));

  test('an extended attribute of an uploaded file counts', () =>
    withPool({ tool: 'a tool' }, async (folder) => {
      const text = recipe(
        `  tree: {env: {ROOT: "{{ root.path }}"}, run: 'mkdir -p "$ROOT/etc" "$ROOT/dev" "$ROOT/sys" "$ROOT/run"'}\n  sys: {needs: [tree], uses: chroot, with: {root: "{{ root.path }}", copy_files: [], services: true}}\n  put: {in: sys, cache: {layer: true}, uses: chroot.upload, with: {from: tool, to: /tool}}\n`,
      );
      await succeeding(folder, text);
      assert.equal(ranOf(await succeeding(folder, text), ['put']), []);
      execFileSync('setcap', ['cap_net_raw+ep', join(folder, 'tool')]);
      assert.equal(ranOf(await succeeding(folder, text), ['put']), ['put']);
    }));

  test('with --keep-going, nobody waits for a layer that is not made any more', () =>
    withPool(
      {
        'lib.yml': `version: 1\nname: lib\ninputs: {ok: {type: string, required: true}}\n${recipe(
          `  gate: {needs: [root], run: "sleep 0.3; {{ inputs.ok }}"}\n${task('work', 'needs: [gate], ')}`,
        ).replace('cache: true\n', '')}`,
      },
      async (folder) => {
        const include = (name: string, ok: string) => `  ${name}: {recipe: lib.yml, with: {ok: "${ok}"}}\n`;
        const text = `cache: true\nincludes:\n${include('a', 'false')}${include('b', 'true')}tasks:\n  all: {needs: [a.work, b.work]}\n`;
        const ran = await runRecipe(folder, text, ['--keep-going']);
        assert.is(ran.code, 1);
        assert.ok(ran.nodes.includes('b.work succeeded'), ran.nodes.join());
      },
    ));
});
