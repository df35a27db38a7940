import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { RunsJson } from '../../src/cli/schemas/runs.js';
import { hostPolicy } from '../../src/linux/policy.js';
import { policy } from '../../src/runtime/engine/policy.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost, settledDifferences } from '../support/host.js';
import { finished, repository, run, start } from '../support/program.js';
import { suite } from '../support/suite.js';

const tiny = join(repository, 'test/fixtures/tiny.yml');
const minute = 60_000;

/** What the embedded EC2 of a folder holds. */
function resources(folder: string): string[] {
  const local = join(folder, 'state/local/local-1');
  try {
    return readdirSync(local, { recursive: true, encoding: 'utf8' })
      .filter((name) => /-0[0-9a-f]{16}\.(json|img)$/.test(name))
      .sort();
  } catch {
    return [];
  }
}

suite('a run', (test) => {
  test(
    'that goes well leaves an image, its snapshot, and nothing else',
    () =>
      inFolder({}, async (folder) => {
        const before = await lookAtHost();
        const ended = await run(['run', tiny, '--format', 'json'], { folder });
        assert.is(ended.code, 0, ended.stderr + ended.stdout);
        const { image_id, snapshot_id } = finished(ended)['outputs'] as Record<string, string>;
        assert.equal(resources(folder), [`disks/${snapshot_id}.img`, `images/${image_id}.json`, `snapshots/${snapshot_id}.json`]);
        assert.equal(differences(before, await lookAtHost()), []);
        const [id = ''] = readdirSync(join(folder, 'state/runs'));
        assert.equal(readdirSync(join(folder, 'state/runs', id)).sort(), [
          'events.jsonl',
          'inputs.json',
          'journal.jsonl',
          'logs',
          'outputs.json',
          'plan.json',
          'recipe.yml',
          'run.json',
        ]);
        assert.equal(JSON.parse(readFileSync(join(folder, 'state/runs', id, 'outputs.json'), 'utf8')), { image_id, snapshot_id });
        const undone = await run(['undo', id], { folder });
        assert.is(undone.code, 2);
        assert.is(
          undone.stderr,
          `error: run ${id} succeeded, and keeps what it created\n  help: to delete it: chrootfile destroy ${id} --state ${folder}/state\n`,
        );
      }),
    minute,
  );

  test(
    'whose provisioner exits 1 says the command, its last lines and its place, exits 1 and leaves nothing',
    () =>
      inFolder({}, async (folder) => {
        const before = await lookAtHost();
        const ended = await run(['run', tiny, '-i', 'script=echo first\necho last >&2\nexit 1', '-q'], { folder });
        assert.is(ended.code, 1);
        const id = readdirSync(join(folder, 'state/runs'))[0];
        assert.is(
          ended.stderr.replace(/\d+\.\ds/g, 'N.Ns'),
          `\n✖ work failed after N.Ns\n${tiny}:25:19: exit code 1\n  $ echo first\n  $ echo last >&2\n  $ exit 1\n  | first\n  | last\n  log: chrootfile logs ${id} work --state ${folder}/state\n\nrun ${id} failed after N.Ns; everything it created was rolled back\n  next: fix the recipe and run it again, or with --on-failure shell\n`,
        );
        assert.is(ended.stdout, '');
        assert.equal(resources(folder), []);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    minute,
  );

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    test(
      `that gets ${signal} in the middle undoes everything and exits ${code}`,
      () =>
        inFolder({}, async (folder) => {
          const before = await lookAtHost();
          const started = start(['run', tiny, '-i', 'script=echo ready; sleep 60'], { folder });
          await started.saw('work | ready');
          started.child.kill(signal);
          const ended = await started.ended;
          assert.is(ended.code, code, ended.stdout + ended.stderr);
          assert.match(
            ended.stderr,
            new RegExp(
              `! interrupted by ${signal}: cancelling 1 task…; again to kill it\\n(.*\\n)*run \\S+ failed after \\S+: interrupted by ${signal}; everything it created was rolled back\\n$`,
            ),
          );
          assert.equal(resources(folder), []);
          assert.equal(differences(before, await lookAtHost()), []);
        }),
      minute,
    );
  }

  test(
    'a script that ignores TERM is killed when the signal comes a second time',
    () =>
      inFolder({}, async (folder) => {
        const before = await lookAtHost();
        const started = start(['run', tiny, '-i', 'script=trap "" TERM; echo ready; while :; do sleep 1; done'], { folder });
        await started.saw('work | ready');
        started.child.kill('SIGINT');
        // Sooner it would be taken for the same one.
        await sleep(policy.sameSignalMs + 100);
        started.child.kill('SIGINT');
        const asked = performance.now();
        await started.saw('rolling back');
        assert.ok(performance.now() - asked < hostPolicy.termToKillMs - policy.sameSignalMs - 100);
        const ended = await started.ended;
        assert.is(ended.code, 130, ended.stdout + ended.stderr);
        assert.equal(resources(folder), []);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    minute,
  );

  test(
    'killed with -9 at 20 random moments leaves no mount and no process at once, and after undo nothing at all',
    () =>
      inFolder({}, async (folder) => {
        const whole = await run(['run', tiny, '--format', 'json'], { folder });
        assert.is(whole.code, 0);
        const steps = whole.stdout.split('\n').length - 1;
        const kept = resources(folder);
        const before = await lookAtHost();
        let interrupted = 0;
        for (let i = 0; i < 20; i += 1) {
          const killed = start(['run', tiny, '-i', 'script=sleep 0.2', '--format', 'json'], { folder });
          const step = Math.floor(Math.random() * steps);
          const moment = `step ${step} of ${steps}`;
          // Where the line is not reached any more, it has ended.
          await killed.saw('\n', step).catch(() => {});
          await sleep(Math.random() * 100);
          killed.child.kill('SIGKILL');
          if ((await killed.ended).signal === 'SIGKILL') interrupted += 1;
          // A process that is dying is gone within moments; loop devices and their links wait for the undo.
          const atOnce = (await settledDifferences(before, 10_000)).filter((line) => /mounts:|processes:/.test(line));
          assert.equal(atOnce, [], `killed after ${moment}`);
          const undone = await run(['undo', '--all'], { folder });
          assert.is(undone.code, 0, `killed after ${moment}: ${undone.stdout}${undone.stderr}`);
          assert.equal(differences(before, await lookAtHost()), [], `killed after ${moment}`);
          const { runs } = JSON.parse((await run(['runs', '--json'], { folder })).stdout) as RunsJson;
          assert.equal(
            runs.filter(({ open, state }) => open > 0 || !['succeeded', 'interrupted'].includes(state)),
            [],
          );
        }
        const more = resources(folder).filter((name) => !kept.includes(name));
        const images = more.filter((name) => name.startsWith('images/')).length;
        // A run that was over before the signal came keeps its image, with a snapshot and its disk.
        assert.is(more.length, 3 * images, more.join('\n'));
        assert.ok(interrupted >= 10, `only ${interrupted} were killed in time`);
      }),
    5 * minute,
  );

  test(
    'that prints a million lines, and has secrets, keeps every one in the log, within 150 MB',
    () =>
      inFolder({}, async (folder) => {
        const recipe = `version: 1\nname: lines\ninputs: {a: {type: string, secret: true}, b: {type: string, secret: true}}\ntasks:\n  many: {run: "seq 1000000; echo end; sleep 0.3"}\n`;
        await inFolder({ 'lines.yml': recipe }, async (other) => {
          const started = start(['run', join(other, 'lines.yml'), '--format', 'plain', '-i', 'a=hunter2 two', '-i', `b=${'p@$$"w\'ord'.repeat(40)}`], {
            folder,
          });
          let peak = 0;
          const watch = setInterval(() => {
            try {
              peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${started.child.pid}/status`, 'utf8'))?.[1] ?? 0));
            } catch {
              // It has ended.
            }
          }, 20);
          const ended = await started.ended;
          clearInterval(watch);
          assert.is(ended.code, 0, ended.stderr);
          const id = readdirSync(join(folder, 'state/runs'))[0] ?? '';
          const lines = readFileSync(join(folder, 'state/runs', id, 'logs/many.log'), 'utf8')
            .trimEnd()
            .split('\n');
          assert.is(lines.length, 1_000_001);
          assert.ok(
            lines.every((line, i) => line === (i < 1_000_000 ? String(i + 1) : 'end')),
            'in order',
          );
          assert.is(ended.stdout.split('\n').filter((line) => line.startsWith('many | ')).length, 1_000_001);
          console.log(`peak of the main process: ${Math.round(peak / 1024)} MB`);
          assert.ok(peak > 0 && peak < 150 * 1024, `${peak} kB`);
        });
      }),
    2 * minute,
  );
});
