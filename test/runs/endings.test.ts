import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { policy } from '../../src/runtime/engine/policy.js';
import { heldBy, misbehaving } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { finished, run, start } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const image = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "made-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
`;

const attached = `version: 1
name: r
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  use: {run: "test -b {{ disk.device }}"}
`;

suite('the end of a run', (test) => {
  test('a manifest that is a folder, or in none, is told before anything is made', () =>
    inFolder({ 'm/x': '', 'r.yml': `version: 1\nname: r\n${image}` }, async (folder) => {
      for (const [manifest, why] of [
        ['m', 'it is a folder'],
        ['none/m.json', 'there is no folder none'],
      ] as const) {
        const refused = await run(['run', 'r.yml', '--manifest', manifest], { folder });
        assert.equal([refused.code, refused.stderr], [2, `error: --manifest ${manifest}: ${why}\n`]);
      }
      assert.equal(heldBy(folder), []);
    }));

  test('what is run cannot be written down: nothing is begun, and no folder of the run stays', () =>
    inFolder({ 'r.yml': `version: 1\nname: r\n# ${'long '.repeat(2_000)}\ntasks: {a: {run: "true"}}\n` }, async (folder) => {
      const ran = await run(['run', 'r.yml'], { folder, limit: 8_000 });
      assert.equal([ran.code, ran.stdout, ran.stderr], [3, '', 'error: EFBIG: file too large, write\n']);
      assert.equal(readdirSync(join(folder, 'state/runs')), []);
    }));

  test('what cannot be written once the run has succeeded is a warning: the outputs are printed, the image is there', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `${image}  meddle: {needs: [image], run: "mkdir m.json {{ run.dir }}/outputs.json"}\noutputs: {id: "{{ image.id }}"}\n`,
        ['--manifest', 'm.json'],
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.match(String(ran.outputs['id']), /^ami-/);
      assert.match(ran.ended.stderr, /^warning: .*\/outputs\.json cannot be written: EISDIR.*\nwarning: .*\/m\.json cannot be written: EISDIR.*\n$/s);
      assert.is(heldBy(folder).filter((line) => line.includes(' images ')).length, 1);
      assert.match((await run(['runs'], { folder })).stdout, '  succeeded  ');
    }));

  test('an output that cannot be computed keeps the image: exit 6, with its id', () =>
    inFolder({}, async (folder) => {
      const recipe = `inputs: {m: {type: map, default: {a: 1}}}\n${image}  late: {run: "echo j=[1] >> $CHROOTFILE_OUTPUT", outputs: {j: }}\noutputs: {good: "{{ image.id }}", bad: "{{ inputs.m.b }}"}\n`;
      const ran = await runRecipe(folder, recipe);
      assert.is(ran.code, 6, ran.ended.stdout);
      const last = finished(ran.ended);
      assert.equal([last['ok'], last['exit'], last['left']], [true, 6, []]);
      assert.match(String(last['outputs_error']), /^output "bad": .*r\.yml:\d+:\d+: "inputs\.m\.b": unknown key "b"$/);
      assert.match(String(ran.outputs['good']), /^ami-/);
      assert.match((await run(['runs'], { folder })).stdout, '  succeeded  ');
      const plain = await run(['run', 'r.yml'], { folder });
      assert.is(plain.code, 6);
      assert.match(plain.stdout, /^good = ami-\w+$/m);
      assert.match(
        plain.stderr,
        /The run succeeded and what it created is kept, but output "bad": .*\n {2}local-1 {2}snapshot {2}snap-\w+\n {2}local-1 {2}image {2}ami-\w+\n/,
      );
      // A retried attempt finds what helpers take before the run.
      const wrong = await run(['check', 'r.yml'], { folder: folder });
      assert.is(wrong.code, 0);
    }));

  test(
    'the state folder moved away during the run: exit 5 and what is left, not "undone"',
    () =>
      inFolder({}, async (folder) => {
        const before = await lookAtHost();
        writeFileSync(join(folder, 'r.yml'), attached.replace('"test -b', '"echo ready; until [ -e moved ]; do sleep 0.02; done; test -b'));
        const started = start(['run', 'r.yml', '--format', 'json'], { folder });
        await started.saw('ready');
        renameSync(join(folder, 'state'), join(folder, 'moved'));
        const ended = await started.ended;
        assert.is(ended.code, 5, ended.stdout + ended.stderr);
        const left = finished(ended)['left'] as { task: string; error: string }[];
        assert.ok(
          left.some(({ error }) => error.includes('was removed or moved')),
          JSON.stringify(left),
        );
        renameSync(join(folder, 'moved'), join(folder, 'state'));
        const undone = await run(['undo', '--all'], { folder });
        assert.is(undone.code, 0, undone.stdout + undone.stderr);
        assert.equal(heldBy(folder), []);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  test('its seconds are those of a clock that cannot be set back', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(folder, 'tasks:\n  a: {run: sleep 0.3}\n');
      assert.ok(Number(finished(ran.ended)['seconds']) > 0.3);
    }));

  test('tasks with names longer than those of files have logs and mounts, and tags', () =>
    inFolder({}, async (folder) => {
      const name = `a${'b'.repeat(300)}`;
      const ran = await runRecipe(
        folder,
        `tasks:\n  ${name}: {run: "echo hello"}\n  ${name}v: {uses: ec2.volume, with: {size: 1}}\n  ${name}m: {uses: mount, with: {device: none, type: tmpfs}}\n  use: {needs: [${name}], locks: [${'l'.repeat(300)}], run: "test -d {{ ${name}m.path }}; echo {{ ${name}v.id }}"}\n`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.is((await run(['logs', String(ran.events[0]?.['run']), name], { folder })).stdout, 'hello\n');
    }));
});

suite('signals during an undo', (test) => {
  test(
    'while a volume is being detached: says at once what is waited for; a second ends the wait, and leaves it to undo',
    () =>
      inFolder({ 'r.yml': attached }, async (folder) => {
        const before = await lookAtHost();
        const log = join(folder, 'wire.ndjson');
        const started = start(['run', 'r.yml'], { folder, env: { ...misbehaving(folder, [], { detach: 120_000 }), CHROOTFILE_LOCAL_LOG: log } });
        // It has been asked whether it is detached.
        while (!existsSync(log) || !/DetachVolume.*DescribeVolumes/s.test(readFileSync(log, 'utf8'))) await sleep(20);
        started.child.kill('SIGINT');
        await started.saw('! interrupted by SIGINT: waiting for volume vol-');
        // Sooner it would be taken for the same one.
        await sleep(policy.sameSignalMs + 100);
        started.child.kill('SIGINT');
        const ended = await started.ended;
        // Who waits until it is detached leaves nothing.
        assert.is(ended.code, 5, ended.stdout + ended.stderr);
        assert.match(ended.stderr, 'a second signal ends the wait and leaves the rest to "chrootfile undo"');
        const undone = await run(['undo', '--all'], { folder });
        assert.is(undone.code, 0, undone.stdout + undone.stderr);
        assert.equal(heldBy(folder), []);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`${signal} to undo itself: the entry in hand is finished, what is left is said, exit 5; the rest goes on later`, () =>
      inFolder({}, async (folder) => {
        writeFileSync(
          join(folder, 'r.yml'),
          'version: 1\nname: r\ntasks:\n  below: {run: "true", undo: {run: "echo below >> undone"}}\n  above: {needs: [below], run: "true", undo: {run: "echo undoing > hand; until [ -e go ]; do sleep 0.02; done; echo above >> undone"}}\n  wait: {needs: [above], run: "echo ready; sleep 100"}\n',
        );
        const killed = start(['run', 'r.yml'], { folder });
        await killed.saw('wait | ready');
        killed.child.kill('SIGKILL');
        await killed.ended;
        const undo = start(['undo', '--all'], { folder });
        while (!readdirSync(folder).includes('hand')) await sleep(10);
        undo.child.kill(signal);
        await undo.saw(`interrupted by ${signal}: `);
        writeFileSync(join(folder, 'go'), '');
        const ended = await undo.ended;
        assert.is(ended.code, 5, ended.stdout + ended.stderr);
        assert.is(readFileSync(join(folder, 'undone'), 'utf8'), 'above\n');
        assert.match(ended.stderr, `below (script): not tried: interrupted by ${signal}`);
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
        assert.is(readFileSync(join(folder, 'undone'), 'utf8'), 'above\nbelow\n');
      }));
  }

  test('two undo --all at once: one does it, the other exits 4 and names it', () =>
    inFolder({}, async (folder) => {
      writeFileSync(
        join(folder, 'r.yml'),
        'version: 1\nname: r\ntasks:\n  a: {run: "true", undo: {run: "echo in > hand; until [ -e go ]; do sleep 0.02; done; echo a >> undone"}}\n  wait: {needs: [a], run: "echo ready; sleep 100"}\n',
      );
      const killed = start(['run', 'r.yml'], { folder });
      await killed.saw('wait | ready');
      killed.child.kill('SIGKILL');
      await killed.ended;
      const [id = ''] = readdirSync(join(folder, 'state/runs'));
      const first = start(['undo', id], { folder });
      while (!readdirSync(folder).includes('hand')) await sleep(10);
      const second = await run(['undo', id], { folder });
      assert.is(second.code, 4);
      assert.match(second.stderr, new RegExp(`${id}/run is locked by process ${first.child.pid} \\(undo, since`));
      writeFileSync(join(folder, 'go'), '');
      assert.is((await first.ended).code, 0);
      assert.is(readFileSync(join(folder, 'undone'), 'utf8'), 'a\n');
      mkdirSync(join(folder, 'more'));
    }));

  test(
    'a clock that was set back since does not make undo wait for the day it was',
    () =>
      inFolder({}, async (folder) => {
        writeFileSync(
          join(folder, 'r.yml'),
          'version: 1\nname: r\ntasks:\n  a: {uses: ec2.volume, with: {size: 1}}\n  wait: {needs: [a], run: "echo ready {{ a.id }}; sleep 100"}\n',
        );
        const killed = start(['run', 'r.yml'], { folder });
        await killed.saw('wait | ready');
        killed.child.kill('SIGKILL');
        await killed.ended;
        const [id = ''] = readdirSync(join(folder, 'state/runs'));
        const journal = join(folder, 'state/runs', id, 'journal.jsonl');
        // As it was when the answer had not come yet, and written a day ahead of now.
        const ahead = new Date(Date.now() + 86_400_000).toISOString();
        const text = readFileSync(journal, 'utf8').replace(/"asked_at":"[^"]*"(,"id":"[^"]*")?/g, `"asked_at":"${ahead}"`);
        writeFileSync(journal, text);
        const undone = await run(['undo', '--all'], { folder, env: misbehaving(folder, [], { visible: 1 }) });
        assert.is(undone.code, 0, undone.stdout + undone.stderr);
        assert.equal(heldBy(folder), []);
      }),
    90_000,
  );
});
