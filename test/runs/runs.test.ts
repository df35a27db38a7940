import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { RunsJson } from '../../src/cli/schemas/runs.js';
import { inFolder } from '../support/folder.js';
import { finished, run, start } from '../support/program.js';
import { suite } from '../support/suite.js';

const recipe = `version: 1
name: r
inputs: {end: {type: string, default: "true"}}
tasks:
  a: {run: "true", undo: {run: "true"}}
  b: {needs: [a], run: "{{ inputs.end }}"}
`;

/** Runs the recipe once for each end of its last task. @returns the ids of the runs. */
async function ran(folder: string, ...ends: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const end of ends)
    ids.push(
      String(
        finished(await run(['run', 'r.yml', '-i', `end=${end}`, '--format', 'json', '--on-failure', end === 'exit 9' ? 'keep' : 'undo'], { folder }))['run'],
      ),
    );
  return ids;
}

suite('runs', (test) => {
  test('lists time, state, open changes and the failed task; --failed and --limit choose', () =>
    inFolder({ 'r.yml': recipe }, async (folder) => {
      const [good = '', bad = '', paused = ''] = await ran(folder, 'true', 'exit 3', 'exit 9');
      const killed = start(['run', 'r.yml', '-i', 'end=echo ready; sleep 60'], { folder });
      await killed.saw('b | ready');
      killed.child.kill('SIGKILL');
      await killed.ended;
      const rows = async (...args: string[]) =>
        (await run(['runs', ...args], { folder })).stdout
          .trimEnd()
          .split('\n')
          .map((line) =>
            line
              .replace(/\d{4}-\d\d-\d\d \d\d:\d\d/, 'WHEN')
              .replace(/\d+\.\ds/, 'TIME')
              .split(/ {2,}/),
          );
      const stopped = start(['run', 'r.yml', '-i', 'end=echo ready; sleep 60'], { folder });
      await stopped.saw('b | ready');
      stopped.child.kill('SIGINT');
      await stopped.ended;
      const late = await run(['run', 'r.yml', '-i', 'end=sleep 60', '--timeout', '1s'], { folder });
      assert.is(late.code, 124);
      const all = await rows();
      const dead = all[4]?.[0] ?? '';
      assert.equal(all, [
        ['RUN', 'STARTED (UTC)', 'TIME', 'STATE', 'OPEN', 'FAILED TASK', 'RECIPE'],
        [good, 'WHEN', 'TIME', 'succeeded', '0', '-', 'r.yml'],
        [bad, 'WHEN', 'TIME', 'failed', '0', 'b', 'r.yml'],
        [paused, 'WHEN', 'TIME', 'paused', '1', 'b', 'r.yml'],
        [dead, 'WHEN', '-', 'interrupted', '1', '-', 'r.yml'],
        [all[5]?.[0], 'WHEN', 'TIME', 'interrupted', '0', '-', 'r.yml'],
        [all[6]?.[0], 'WHEN', 'TIME', 'interrupted', '0', '-', 'r.yml'],
      ]);
      assert.equal(
        (await rows('--failed')).map(([id]) => id),
        ['RUN', bad, paused, dead, all[5]?.[0], all[6]?.[0]],
      );
      assert.equal(
        (await rows('--failed', '--limit', '1')).map(([id]) => id),
        ['RUN', all[6]?.[0]],
      );
      const { version, runs } = JSON.parse((await run(['runs', '--json', '--limit', '5'], { folder })).stdout) as RunsJson;
      assert.equal(
        [version, ...runs.map(({ run: id, failed_tasks }) => [id, ...failed_tasks])],
        [1, [bad, 'b'], [paused, 'b'], [dead], [all[5]?.[0]], [all[6]?.[0]]],
      );
      assert.is((await run(['undo', '--all'], { folder })).code, 0);
      assert.equal(
        (await rows()).slice(1).map(([, , , state]) => state),
        ['succeeded', 'failed', 'failed', 'interrupted', 'interrupted', 'interrupted'],
      );
    }));

  test('a run that could not undo everything is listed as such, until undo has', () =>
    inFolder(
      { 'r.yml': 'version: 1\nname: r\ntasks:\n  a: {run: "true", undo: {run: "test -e fixed"}}\n  b: {needs: [a], run: "false"}\n' },
      async (folder) => {
        assert.is((await run(['run', 'r.yml'], { folder })).code, 5);
        const states = async () => (JSON.parse((await run(['runs', '--json'], { folder })).stdout) as RunsJson).runs.map(({ state, open }) => [state, open]);
        assert.equal(await states(), [['left_behind', 1]]);
        writeFileSync(join(folder, 'fixed'), '');
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
        assert.equal(await states(), [['failed', 0]]);
      },
    ));

  test('prune deletes old runs of which nothing is open, and no other', () =>
    inFolder({ 'r.yml': recipe }, async (folder) => {
      const [good = '', bad = '', paused = '', last = ''] = await ran(folder, 'true', 'exit 3', 'exit 9', 'true');
      const prune = (...args: string[]) => run(['runs', 'prune', ...args], { folder });
      const left = () => readdirSync(join(folder, 'state/runs')).sort();
      assert.equal([(await prune()).code, left().length], [2, 4]);
      assert.match((await prune('--older', '1d')).stdout, 'deleted 0 of 4 runs');
      assert.match((await prune('--older', '0s', '--keep', '4')).stdout, 'deleted 0 of 4 runs');
      assert.is((await prune('--keep', '3', '--dry-run')).stdout, `${good}  succeeded\nwould delete 1 of 4 runs\n`);
      assert.is(left().length, 4);
      execFileSync('mount', ['-t', 'tmpfs', 'none', join(folder, 'state/runs', bad, 'logs')]);
      const mounted = await prune('--older', '0s');
      execFileSync('umount', [join(folder, 'state/runs', bad, 'logs')]);
      assert.match(mounted.stderr, `warning: run ${bad} is not deleted: `);
      assert.match(mounted.stdout, `${good}  succeeded\n${last}  succeeded\ndeleted 2 of 4 runs\n`);
      assert.match(mounted.stdout, 'Their images and snapshots stay; delete those with "chrootfile local rm", or in EC2');
      assert.equal(JSON.parse((await prune('--older', '0s', '--json')).stdout), { version: 1, dry_run: false, pruned: [{ run: bad, state: 'failed' }] });
      assert.equal(left(), [paused]);
      assert.is((await run(['undo', paused], { folder })).code, 0);
    }));
});
