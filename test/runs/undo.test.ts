import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { ec2Policy } from '../../src/aws/policy.js';
import { misbehaving } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { repository, run, start } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

suite('undo', (test) => {
  test('the undo of a killed run does not unmount what the host has where a resource had mounted something', () =>
    inFolder({}, async (folder) => {
      // Shared, as most hosts' root is: an unmount in another namespace shows up here.
      const shared = join(folder, 'shared');
      const at = join(shared, 'at');
      mkdirSync(shared);
      execFileSync('mount', ['-t', 'tmpfs', '--make-shared', 'shared', shared]);
      mkdirSync(at);
      execFileSync('mount', ['-t', 'tmpfs', 'of-the-host', at]);
      try {
        writeFileSync(
          join(folder, 'r.yml'),
          `version: 1
tasks:
  hold: {run: "mount -t tmpfs of-the-run ${at}", undo: {when: always, run: if mountpoint -q ${at}; then umount ${at}; fi}}
  wait: {needs: [hold], run: "echo waiting; sleep 100"}
`,
        );
        const killed = start(['run', 'r.yml'], { folder });
        await killed.saw('wait | waiting');
        killed.child.kill('SIGKILL');
        await killed.ended;
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
        assert.match(readFileSync('/proc/self/mountinfo', 'utf8'), `${at} `);
      } finally {
        execFileSync('umount', ['--recursive', shared]);
      }
    }));

  test('of shell tasks: steps when the run fails, holds always and as soon as nothing stands on them; newest first', () =>
    inFolder({}, async (folder) => {
      const recipe = `inputs: {end: {type: string, default: "true"}}
tasks:
  one: {run: "echo 1 >> trace", undo: {run: "echo undo one >> trace"}}
  hold: {needs: [one], run: "echo h >> trace; echo v=1 >> $CHROOTFILE_OUTPUT", outputs: {v: }, undo: {run: "echo undo hold {{ run.id }} >> trace", when: always}}
  inner: {run: "echo i {{ hold.v }} >> trace", undo: {run: "echo undo inner >> trace", when: always}}
  use: {needs: [inner], run: "echo use >> trace"}
  later: {needs: [hold.released], run: "echo later >> trace; {{ inputs.end }}", undo: {run: "echo undo later >> trace"}}
`;
      const good = await runRecipe(folder, recipe);
      const trace = () => readFileSync(join(folder, 'trace'), 'utf8').replace(/ 2\d{7}-\S+/, ' RUN');
      assert.is(trace(), '1\nh\ni 1\nuse\nundo inner\nundo hold RUN\nlater\n');
      assert.equal(good.nodes, [
        'one succeeded',
        'hold succeeded',
        'inner succeeded',
        'use succeeded',
        'inner.released succeeded',
        'hold.released succeeded',
        'later succeeded',
      ]);
      writeFileSync(join(folder, 'trace'), '');
      const bad = await runRecipe(folder, recipe, ['-i', 'end=exit 1']);
      assert.is(trace(), '1\nh\ni 1\nuse\nundo inner\nundo hold RUN\nlater\nundo later\nundo one\n');
      assert.equal(bad.undone, ['later', 'one']);
      assert.is(bad.code, 1);
    }));

  test(
    'that fails leaves what it stands on alone, lists what is left with the commands to type, and exits 5',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(
          folder,
          `tasks:
  below: {run: "true", undo: {run: "echo below >> undone"}}
  beside: {run: "true", undo: {run: "echo beside >> undone"}}
  above: {needs: [below], run: "true", undo: {run: "echo no such luck; [ -e mended ]\\necho above >> undone"}}
  fail: {needs: [above, beside], run: "false"}
`,
        );
        assert.is(ran.code, 5);
        assert.equal(ran.undone, ['above failed', 'beside', 'below failed']);
        assert.equal(
          ran.left.map(({ task, by_hand }) => ({ task, by_hand })),
          [
            { task: 'above', by_hand: [`cd ${folder}`, 'echo no such luck; [ -e mended ]', 'echo above >> undone'] },
            { task: 'below', by_hand: [`cd ${folder}`, 'echo below >> undone'] },
          ],
        );
        assert.is(ran.left[1]?.error, '"above" uses it and could not be undone');
        writeFileSync(join(folder, 'mended'), '');
        const again = await run(['undo', '--all'], { folder });
        assert.is(again.code, 0, again.stdout + again.stderr);
        assert.is(readFileSync(join(folder, 'undone'), 'utf8'), 'beside\nabove\nbelow\n');
        assert.is((await run(['undo', '--all'], { folder })).stdout, 'nothing to undo\n');
      }),
    60_000,
  );

  test('a resource behind a step does not keep another one from its release', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `tasks:
  a: {run: "true", undo: {run: "echo a >> undone", when: always}}
  s: {needs: [a], run: "true"}
  b: {needs: [s], run: "true", undo: {run: "echo b >> undone", when: always}}
  long: {needs: [b], run: "until [ -e undone ]; do sleep 0.02; done"}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.is(readFileSync(join(folder, 'undone'), 'utf8'), 'a\nb\n');
    }));

  test('uses what the run knew: derived secrets too, by environment and by command, which are shown nowhere', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `inputs: {token: {type: string, secret: true}}
vars: {header: "Bearer {{ inputs.token }}", session: {sh: "echo session-of-{{ inputs.token }} | tr a-z A-Z"}}
env: {TOKEN: "{{ upper inputs.token }}"}
tasks:
  a: {run: "echo {{ vars.session }} $TOKEN", undo: {run: "echo {{ vars.header }} {{ vars.session }} {{ env.TOKEN }} $TOKEN > undone", when: always}}
`,
        ['-i', 'token=hunter22'],
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.is(readFileSync(join(folder, 'undone'), 'utf8'), 'Bearer hunter22 SESSION-OF-HUNTER22 HUNTER22 HUNTER22\n');
      assert.is(ran.log('a'), '*** ***\n');
      const journal = readFileSync(join(folder, 'state/runs', String(ran.events[0]?.['run']), 'journal.jsonl'), 'utf8');
      assert.not.match(journal.toLowerCase(), 'hunter22');
    }));

  test(
    'a failed undo of what the recipe puts up with fails the run, and is listed',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(folder, 'tasks:\n  a: {run: "exit 1", continue_on_error: true, undo: {run: "exit 2"}}\n  b: {needs: [a], run: "true"}\n');
        assert.equal([ran.code, ran.nodes, ran.left.map(({ task }) => task)], [5, ['a failed', 'b not_run'], ['a']]);
      }),
    60_000,
  );

  test('does not unmount what the host has mounted at the place since', () =>
    inFolder({ 'm/keep': '' }, async (folder) => {
      const place = join(folder, 'm');
      writeFileSync(
        join(folder, 'r.yml'),
        `version: 1\nname: r\ntasks:\n  t: {uses: mount, with: {device: none, type: tmpfs, path: ${place}}}\n  a: {needs: [t], run: "echo ready; sleep 30"}\n`,
      );
      const started = start(['run', 'r.yml'], { folder });
      await started.saw('a | ready');
      started.child.kill('SIGKILL');
      await started.ended;
      execFileSync('mount', ['-t', 'tmpfs', 'of-the-host', place]);
      try {
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
        assert.match(readFileSync('/proc/self/mountinfo', 'utf8'), 'of-the-host');
      } finally {
        execFileSync('umount', [place]);
      }
      assert.ok(existsSync(join(place, 'keep')));
    }));

  test(
    'does not detach a volume that somebody else has attached',
    () =>
      inFolder({}, async (folder) => {
        writeFileSync(
          join(folder, 'other.yml'),
          `version: 1
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  work: {run: "echo ready {{ disk.device }}; until [ -e go ]; do sleep 0.02; done"}
`,
        );
        const other = start(['run', 'other.yml'], { folder });
        await other.saw('work | ready');
        const [volume] = JSON.parse((await run(['local', 'volumes', '--json'], { folder })).stdout) as { id: string }[];
        const recipe = `tasks:\n  d: {uses: ec2.attachment, with: {volume: ${volume?.id}, device_name: /dev/sdf}}\n`;
        const ran = await runRecipe(folder, recipe);
        assert.is(ran.code, 1);
        assert.match(ran.errors['d'] ?? '', /AttachVolume: VolumeInUse: vol-\w+ is already attached to an instance$/);
        // Nor where the answer to the first try was lost, and it cannot be known what that did: theirs is older.
        await sleep(ec2Policy.clockSkewMs + 500);
        const lost = await runRecipe(folder, recipe, [], misbehaving(folder, [{ action: 'AttachVolume', fault: 'lost-before', times: 1 }]));
        assert.equal([lost.code, lost.undone], [1, ['d']], lost.ended.stdout);
        writeFileSync(join(folder, 'go'), '');
        const ended = await other.ended;
        assert.is(ended.code, 0, ended.stdout + ended.stderr);
      }),
    60_000,
  );

  test(
    'after kill -9 takes secrets as run does; without one the entry is left',
    () =>
      inFolder({}, async (folder) => {
        writeFileSync(
          join(folder, 'r.yml'),
          'version: 1\nname: r\ninputs: {token: {type: string, secret: true}}\nvars: {t: "{{ inputs.token }}"}\ntasks:\n  a: {env: {T: "{{ vars.t }}", N: n}, run: "echo ready; sleep 30", undo: {run: "echo $T $N {{ upper run.id }} > undone"}}\n',
        );
        const started = start(['run', 'r.yml', '-i', 'token=hunter22'], { folder });
        await started.saw('a | ready');
        started.child.kill('SIGKILL');
        await started.ended;
        const id = readdirSync(join(folder, 'state/runs'))[0] ?? '';
        assert.not.match(readFileSync(join(folder, 'state/runs', id, 'journal.jsonl'), 'utf8'), 'hunter22');
        const without = await run(['undo', id], { folder });
        assert.is(without.code, 5);
        assert.match(without.stderr, 'it needs the secret input "token": set it with -i token=…');
        const undone = await run(['undo', id, '-i', 'token=hunter22'], { folder });
        assert.is(undone.code, 0, undone.stderr);
        assert.is(readFileSync(join(folder, 'undone'), 'utf8'), `hunter22 n ${id.toUpperCase()}\n`);
      }),
    60_000,
  );

  test('of a run that goes on is refused with exit 4, who holds it and since when; that run is not disturbed', () =>
    inFolder({}, async (folder) => {
      writeFileSync(join(folder, 'r.yml'), 'version: 1\nname: r\ntasks:\n  a: {run: "echo ready; until [ -e go ]; do sleep 0.02; done"}\n');
      const started = start(['run', 'r.yml'], { folder });
      await started.saw('a | ready');
      const id = readdirSync(join(folder, 'state/runs'))[0] ?? '';
      const refused = await run(['undo', id], { folder });
      assert.is(refused.code, 4);
      assert.match(refused.stderr, new RegExp(`^error: .*/${id}/run is locked by process ${started.child.pid} \\(run of r.yml, since 2\\d{3}-.*Z\\)\n$`));
      assert.match((await run(['runs'], { folder })).stdout, new RegExp(`^${id} .* running `, 'm'));
      writeFileSync(join(folder, 'go'), '');
      assert.is((await started.ended).code, 0);
      assert.match((await run(['runs'], { folder })).stdout, new RegExp(`^${id} .* succeeded `, 'm'));
    }));

  test('a dead run is told of by the next one, whose own work is not disturbed', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const before = await lookAtHost();
      writeFileSync(
        join(folder, 'dies.yml'),
        `version: 1\nname: dies\ntasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  a: {in: sys, run: "echo ready; sleep 30", undo: {run: "touch /undone"}}\n`,
      );
      const started = start(['run', 'dies.yml'], { folder });
      await started.saw('a | ready');
      assert.is(readFileSync(join(root, 'etc/resolv.conf'), 'utf8'), readFileSync('/etc/resolv.conf', 'utf8'));
      started.child.kill('SIGKILL');
      await started.ended;
      const next = await runRecipe(folder, 'tasks:\n  b: {run: "true"}\n');
      assert.is(next.code, 0);
      assert.match(next.warnings[0] ?? '', /^run \S+-dies-\w+ left 2 changes to undo: chrootfile undo \S+ --state \S+$/);
      assert.is((await run(['undo', '--all'], { folder })).code, 0);
      // The chroot was lost with its namespace, and what ran in it is not undone; its files came back all the same.
      assert.not.ok(existsSync(join(root, 'undone')));
      assert.is(readFileSync(join(root, 'etc/resolv.conf'), 'utf8'), 'from the image\n');
      assert.equal(readdirSync(join(root, 'etc')), ['group', 'passwd', 'resolv.conf']);
      assert.equal(differences(before, await lookAtHost()), []);
    }));

  test(
    '--on-failure keep leaves everything, and undo takes it back later',
    () =>
      inFolder({}, async (folder) => {
        const kept = await run(['run', join(repository, 'test/fixtures/tiny.yml'), '-i', 'script=exit 1', '--on-failure', 'keep', '--format', 'json'], {
          folder,
        });
        assert.is(kept.code, 1);
        assert.match((await run(['local', 'volumes'], { folder })).stdout, '/dev/loop');
        assert.is((await run(['local', 'reset', '--yes'], { folder })).code, 2, 'attached volumes are not removed');
        const undone = await run(['undo', '--all'], { folder });
        assert.is(undone.code, 0, undone.stderr);
        assert.is((await run(['local', 'volumes'], { folder })).stdout, 'no volumes\n');
      }),
    60_000,
  );

  test(
    '--no-sandbox mounts in the namespace of the host, and undoes as well',
    () =>
      inFolder({}, async (folder) => {
        const before = await lookAtHost();
        const started = start(['run', join(repository, 'test/fixtures/tiny.yml'), '--no-sandbox', '-i', 'script=echo ready; sleep 60'], { folder });
        await started.saw('work | ready');
        assert.match(readFileSync('/proc/self/mountinfo', 'utf8'), `${folder}/state/runs/`);
        started.child.kill('SIGTERM');
        assert.is((await started.ended).code, 143);
        assert.equal(differences(before, await lookAtHost()), []);
        const killed = start(['run', join(repository, 'test/fixtures/tiny.yml'), '--no-sandbox', '-i', 'script=echo ready; sleep 60'], { folder });
        await killed.saw('work | ready');
        killed.child.kill('SIGKILL');
        await killed.ended;
        const undone = await run(['undo', '--all'], { folder });
        assert.is(undone.code, 0, undone.stdout + undone.stderr);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );
});
