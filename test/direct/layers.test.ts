import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { buildOn, mustBeSent, snapshotsIn, withDirect, withTiny } from '../support/direct_runs.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

suite('direct layers', (test) => {
  test(
    'a build starts from the layer of an earlier one, and still sends only the difference to the base',
    () =>
      withTiny(async (direct) => {
        const cached = (last: string) =>
          `cache: {}\n${buildOn('one').replace('  keep:\n', `  more: {needs: [write], cache: {layer: true}, run: "date +%N > {{ root.path }}/more"}\n  last: {needs: [more], run: "echo ${last} > {{ root.path }}/last"}\n  keep:\n`).replace('needs: [write, root', 'needs: [last, root')}`;
        const first = await direct.run(cached('one'));
        mustBeSent(direct, first);
        const [read, sent] = [direct.count('GetSnapshotBlock'), direct.count('PutSnapshotBlock')];
        const second = await direct.run(cached('two'));
        mustBeSent(direct, second);
        assert.equal(
          second.nodes.filter((node) => /^(write|more|last) /.test(node)),
          ['write cached', 'more cached', 'last succeeded'],
        );
        assert.is(direct.count('GetSnapshotBlock'), read);
        assert.ok(direct.count('PutSnapshotBlock') - sent < read / 2);
      }),
    60_000,
  );

  test(
    'layers lists and prunes copies of snapshots, except those that a run uses',
    () =>
      withTiny(async (direct) => {
        const { folder, env } = direct;
        const [source] = snapshotsIn(direct);
        const started = direct.start(buildOn('one').replace("{run: 'echo", "{run: 'until [ -e go ]; do sleep 0.02; done; echo"));
        await started.saw('"type":"task.started","task":"write"');
        const [copy] = snapshotsIn(direct, 'here');
        const prune = (...more: readonly string[]) => run(['layers', 'prune', '--keep', '1K', ...more], { folder, env });
        const used = await prune();
        const [id] = readdirSync(join(folder, 'state/runs'));
        const warning = `warning: the copy of eu-west-1/${source?.['id']} is not deleted: run ${id} uses it\n  help: try again when it has ended\n`;
        assert.equal([used.code, used.stdout, used.stderr], [0, 'deleted 0 of 0 layers and 0 of 1 copied snapshot\n', warning]);
        writeFileSync(join(folder, 'go'), '');
        assert.is((await started.ended).code, 0);

        const listed = await run(['layers'], { folder, env });
        assert.match(listed.stdout, new RegExp(`^${copy?.['id']} .* copy of eu-west-1/${source?.['id']} `, 'm'));
        assert.match(listed.stdout, /^0 layers and 1 copied snapshot in [0-9.]+ MiB, /m);
        const json = JSON.parse((await run(['layers', '--json'], { folder, env })).stdout) as { copies: { of: string; bytes: number }[] };
        assert.equal([json.copies.length, json.copies[0]?.of, Number(json.copies[0]?.bytes) > 100_000], [1, `eu-west-1/${source?.['id']}`, true]);
        assert.match((await prune('--dry-run')).stdout, 'would delete 0 of 0 layers and 1 of 1 copied snapshot');
        const pruned = await prune();
        assert.equal([pruned.code, pruned.stdout.includes('deleted 0 of 0 layers and 1 of 1 copied snapshot'), pruned.stderr], [0, true, '']);
        assert.equal([snapshotsIn(direct, 'here'), readdirSync(join(folder, 'state/direct'))], [[], []]);
        assert.is((await run(['layers'], { folder, env })).stdout, 'no layers\n');
      }),
    60_000,
  );

  test(
    'an empty volume becomes an image without a parent',
    () =>
      withDirect(async (direct) => {
        const scratch = buildOn('one', '', '{size: 1')
          .replace(/ {2}source: .*\n/, '')
          .replace('{uses: disk.root, with: {device: "{{ disk.device }}"}}', '{uses: disk.filesystem, with: {device: "{{ disk.device }}", type: ext4}}');
        mustBeSent(direct, await direct.run(scratch));
        assert.equal([direct.count('GetSnapshotBlock'), direct.count('ListSnapshotBlocks')], [0, 0]);
      }),
    60_000,
  );
});
