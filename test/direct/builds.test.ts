import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EC2Client, ModifyImageAttributeCommand, ModifySnapshotAttributeCommand } from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import type { KindDeclaration } from '../../src/dsl/recipe/kind.js';
import { lock } from '../../src/linux/lock.js';
import { kinds } from '../../src/tasks/index.js';
import { buildOn, copyRecord, type Direct, mustBeSent, snapshotsIn, until, withTiny } from '../support/direct_runs.js';
import { heldBy, recordsOf } from '../support/ec2.js';
import { run } from '../support/program.js';
import type { RunResult } from '../support/recipe.js';
import { keysOf } from '../support/served.js';
import { suite } from '../support/suite.js';

/** What is left in the state of the runs, without ids. */
function left({ folder }: Direct): string[] {
  return heldBy(folder).map((name) => name.replace(/(snap|vol)-.*/, '$1'));
}

/** The states of snapshots: only those that are complete are ready. */
function unfinished(direct: Direct): number {
  return snapshotsIn(direct).filter(({ ready }) => !ready).length;
}

/** The calls of a run, with their numbers. */
function callsOf({ events }: RunResult): Readonly<Record<string, number>> {
  return (events.at(-1) as { ec2: { calls: Record<string, number> } }).ec2.calls;
}

const copyOnly = ['eu-west-1 snapshots snap'];

suite('direct builds', (test) => {
  test(
    'the image has what the disk had; the second build reads no block, and each sends only what it changed',
    () =>
      withTiny(async (direct) => {
        const first = await direct.run(buildOn('one'));
        mustBeSent(direct, first);
        const [read, sent] = [direct.count('GetSnapshotBlock'), direct.count('PutSnapshotBlock')];
        const second = await direct.run(buildOn('two'));
        mustBeSent(direct, second);
        assert.ok(read > 10 && sent > 0 && sent < read / 2, `${read} ${sent}`);
        assert.equal([direct.count('GetSnapshotBlock'), direct.count('ListSnapshotBlocks')], [read, 1]);
        assert.ok(direct.count('PutSnapshotBlock') < sent + read / 2);
        // Those of the image called tiny.
        assert.equal([direct.count('AttachVolume'), direct.count('CreateSnapshot')], [1, 1]);
        assert.equal(left(direct), copyOnly);
        const made = snapshotsIn(direct).find(({ id }) => id === second.outputs['snapshot_id']) as { description: string; tags: object[] };
        assert.is(made.description, 'direct');
        assert.ok(made.tags.some((tag) => JSON.stringify(tag) === '{"Key":"a","Value":"b"}'));
      }),
    60_000,
  );

  test(
    'a failed run deletes what it has sent, and keeps the copy for the next one',
    () =>
      withTiny(async (direct) => {
        const before = snapshotsIn(direct).length;
        const failed = await direct.run(buildOn('one'), '-i', 'code=3');
        assert.is(failed.code, 1);
        assert.equal([snapshotsIn(direct).length, left(direct)], [before, copyOnly]);
        // What the kinds declare is what the run called.
        const declared = kinds
          .filter(({ name }) => ['ec2.source_image', 'ec2.volume', 'ec2.attachment', 'ec2.snapshot', 'ec2.image'].includes(name))
          .flatMap((kind: KindDeclaration) => kind.directPermissions ?? kind.permissions?.['always'] ?? []);
        const calls = callsOf(failed);
        const may = new Set(declared.map((action) => action.replace(/^e[bc][s2]:/, '')));
        // Tags are set with the call that creates the resource; these variables are those of an image with UEFI.
        for (const action of ['CreateTags', 'DescribeImageAttribute']) may.delete(action);
        assert.equal(Object.keys(calls).sort(), [...may].sort());
      }),
    60_000,
  );

  test(
    'a block of the copy that was damaged is found, read again, and only this one',
    () =>
      withTiny(async (direct) => {
        mustBeSent(direct, await direct.run(buildOn('one')));
        const read = direct.count('GetSnapshotBlock');
        const [copy] = snapshotsIn(direct, 'here');
        const [source] = snapshotsIn(direct).filter(({ volume }) => String(volume) !== 'vol-ffffffff');
        const { block } = JSON.parse(copyRecord(direct, source?.['id'])[2] ?? '') as { block: number };
        const disk = openSync(join(direct.folder, 'state/local/eu-west-1/disks', `${copy?.['id']}.img`), 'r+');
        writeSync(disk, 'damaged', block * 524_288 + 1000);
        closeSync(disk);
        const second = await direct.run(buildOn('one'));
        mustBeSent(direct, second);
        assert.is(direct.count('GetSnapshotBlock'), read + 1);
        assert.equal(second.warnings, [`volume: 1 block of the copy of ${source?.['id']} on this machine is damaged; it is read again`]);
        mustBeSent(direct, await direct.run(buildOn('one')));
        assert.is(direct.count('GetSnapshotBlock'), read + 1);
      }),
    60_000,
  );

  test(
    'of two runs, one copies the base and the other waits for it',
    () =>
      withTiny(async (direct) => {
        const [source] = snapshotsIn(direct);
        const release = await lock(join(direct.folder, 'state/locks', `copy-eu-west-1-${source?.['id']}`), 'run other');
        const started = direct.start(buildOn('one'));
        await started.saw(`waiting for run other, which copies ${source?.['id']} to this machine`);
        await release();
        assert.is((await started.ended).code, 0);
      }),
    60_000,
  );

  test(
    'killed while it reads the base, the next run goes on where it stopped',
    () =>
      withTiny(
        async (direct) => {
          const [source] = snapshotsIn(direct);
          const started = direct.start(buildOn('one'));
          await until(() => copyRecord(direct, source?.['id']).length > 4);
          started.child.kill('SIGKILL');
          await started.ended;
          await direct.undo();
          const known = copyRecord(direct, source?.['id']).length - 1;
          const next = await direct.run(buildOn('one'));
          mustBeSent(direct, next);
          // The served EC2 may still be answering the first run.
          const calls = callsOf(next);
          assert.is(calls['GetSnapshotBlock'], copyRecord(direct, source?.['id']).length - 1 - known);
          assert.equal(left(direct), copyOnly);
        },
        [{ action: 'GetSnapshotBlock', fault: 'slow', skip: 8, times: 30 }],
      ),
    60_000,
  );

  test(
    'killed while it sends, undo leaves no snapshot there, and no disk here',
    () =>
      withTiny(
        async (direct) => {
          const [source] = snapshotsIn(direct);
          const before = snapshotsIn(direct).length;
          const started = direct.start(buildOn('one'));
          await until(() => direct.count('PutSnapshotBlock') > 0);
          started.child.kill('SIGKILL');
          await started.ended;
          await direct.undo();
          assert.equal([snapshotsIn(direct).length, unfinished(direct), left(direct)], [before, 0, copyOnly]);
          assert.is(copyRecord(direct, source?.['id']).length > 1 && readdirSync(join(direct.folder, 'state/direct')).length, 1);
        },
        [{ action: 'PutSnapshotBlock', fault: 'slow', skip: 2 }],
      ),
    60_000,
  );

  test(
    '--resume goes on sending, and sends no block twice',
    () =>
      withTiny(
        async (direct) => {
          const failed = await direct.run(buildOn('one'), '--on-failure', 'keep');
          assert.is(failed.code, 1, failed.ended.stdout);
          const [sent, id] = [direct.count('PutSnapshotBlock'), String(failed.events.at(-1)?.['run'])];
          assert.equal([sent > 0, unfinished(direct)], [true, 1]);
          const resumed = await run(['run', '--resume', id], { folder: direct.folder, env: direct.env });
          assert.is(resumed.code, 0, resumed.stdout + resumed.stderr);
          assert.equal([direct.count('PutSnapshotBlock'), direct.count('StartSnapshot'), unfinished(direct)], [sent, 1, 0]);
          assert.equal(left(direct), copyOnly);
        },
        [{ action: 'CompleteSnapshot', fault: 'denied', times: 1 }],
      ),
    60_000,
  );

  test(
    'a retry goes on as well; what is given up is deleted',
    () =>
      withTiny(
        async (direct) => {
          const before = snapshotsIn(direct).length;
          const retried = await direct.run(buildOn('one').replace('{uses: ec2.snapshot,', '{uses: ec2.snapshot, retries: {limit: 1, delay: 0s},'));
          mustBeSent(direct, retried);
          assert.is(direct.count('StartSnapshot'), 1);
          const given = await direct.run(buildOn('two').replace('{uses: ec2.snapshot,', '{uses: ec2.snapshot, continue_on_error: true,'));
          assert.is(given.code, 1, given.ended.stdout);
          assert.equal([snapshotsIn(direct).length, left(direct)], [before + 1, copyOnly]);
        },
        [
          { action: 'CompleteSnapshot', fault: 'denied', times: 1 },
          { action: 'CompleteSnapshot', fault: 'denied', skip: 2 },
        ],
      ),
    60_000,
  );

  test(
    'with encryption that the base does not have, everything is sent, encrypted',
    () =>
      withTiny(async (direct) => {
        const plain = await direct.run(buildOn('one'));
        mustBeSent(direct, plain);
        const [read, sent] = [direct.count('GetSnapshotBlock'), direct.count('PutSnapshotBlock')];
        const encrypted = await direct.run(buildOn('two', ', encrypted: true'));
        mustBeSent(direct, encrypted);
        assert.ok(direct.count('PutSnapshotBlock') - sent >= read);
        const key = 'arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555';
        const keyed = await direct.run(buildOn('three', ', kms_key_id: 11111111-2222-3333-4444-555555555555'));
        mustBeSent(direct, keyed);
        const made = (run: typeof plain) => snapshotsIn(direct).find(({ id }) => id === run.outputs['snapshot_id']);
        assert.equal(
          [plain, encrypted, keyed].map((run) => [made(run)?.['encrypted'], made(run)?.['kmsKey']]),
          [
            [false, undefined],
            [true, undefined],
            [true, key],
          ],
        );
        const alias = await direct.run(buildOn('four', ', kms_key_id: alias/images'));
        assert.match(
          alias.errors['volume'] ?? '',
          /EBS direct takes no alias of a key, such as alias\/images\n {2}help: set kms_key_id to the ARN that this prints: aws kms/,
        );
        // An encrypted base is a parent, which hands on its key.
        const base = buildOn('five', '', `{snapshot_id: ${keyed.outputs['snapshot_id']}`);
        const before = direct.count('PutSnapshotBlock');
        const inherited = await direct.run(base);
        mustBeSent(direct, inherited);
        assert.equal([made(inherited)?.['encrypted'], made(inherited)?.['kmsKey']], [true, key]);
        assert.ok(direct.count('PutSnapshotBlock') - before < read / 2);
      }),
    120_000,
  );

  test(
    'a base of another account is read and not a parent; a public one is refused before any work',
    () =>
      withTiny(async (direct) => {
        const { endpoint } = direct.server;
        const ec2 = new EC2Client({ endpoint, region: 'eu-west-1', credentials: keysOf(direct.server) });
        const [source] = snapshotsIn(direct);
        const SnapshotId = String(source?.['id']);
        const ImageId = String(recordsOf(direct.server.folder, 'eu-west-1', 'images')[0]?.['id']);
        const account = '111111111111';
        // The access key id names the account of the runs.
        const run = (text: string) => direct.as(account).run(text);
        await ec2.send(new ModifyImageAttributeCommand({ ImageId, LaunchPermission: { Add: [{ UserId: account }] } }));
        await ec2.send(new ModifySnapshotAttributeCommand({ SnapshotId, CreateVolumePermission: { Add: [{ Group: 'all' }] } }));
        const refused = await run(buildOn('one'));
        assert.match(
          refused.errors['volume'] ?? '',
          new RegExp(
            `EBS direct cannot read ${SnapshotId}: it is public and belongs to another account\\n {2}help: copy its image into this account once: aws ec2 copy-image `,
          ),
        );
        assert.equal([direct.count('ListSnapshotBlocks'), left(direct)], [0, []]);
        const checked = buildOn('one').replace(
          '  volume:',
          '  check: {uses: ec2.preflight, before: [volume], with: {name: next, source: "{{ source.id }}"}}\n  volume:',
        );
        assert.match((await run(checked)).errors['check'] ?? '', `EBS direct cannot read ${SnapshotId}: it is public and belongs to another account`);
        await ec2.send(new ModifySnapshotAttributeCommand({ SnapshotId, CreateVolumePermission: { Add: [{ UserId: account }], Remove: [{ Group: 'all' }] } }));
        mustBeSent(direct, await run(checked));
        assert.ok(direct.count('PutSnapshotBlock') >= direct.count('GetSnapshotBlock'));
        assert.is(direct.count('AttachVolume'), 1);
      }),
    60_000,
  );
});
