import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CompleteSnapshotCommand, ListChangedBlocksCommand, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { hostShell } from '../../src/linux/command.js';
import { findingsIn } from '../../src/local/check.js';
import { readBlock, withDisk } from '../../src/local/ebs/blocks.js';
import type { LocalEc2 } from '../../src/local/ec2.js';
import { FaultInjection, type FaultRule, type Latency, latencyFrom } from '../../src/local/fault_injection.js';
import { block, blockBytes, blocksOf, ebsOf, put, refusalOf, uploaded } from '../support/ebs.js';
import { inFolder } from '../support/folder.js';
import { askerOf } from '../support/local_ec2.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

function filesIn(local: LocalEc2): string[] {
  const folder = dirname(local.store.diskOf('x'));
  return existsSync(folder) ? readdirSync(folder) : [];
}

function misbehaving(folder: string, latency: Partial<Latency>, rules: readonly FaultRule[] = []): LocalEc2 {
  return localEc2(folder, 'local-1', { injection: new FaultInjection(latencyFrom(latency), rules) });
}

suite('a snapshot that EBS direct writes', (test) => {
  test('becomes volumes, whose snapshots are of its lineage; a copy is not', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const [ebs, ask] = [ebsOf(local), askerOf(local)];
      const first = await uploaded(ebs, { 3: block('three') });
      const volume = (await ask('CreateVolume', { AvailabilityZone: 'local-1a', SnapshotId: first })).one('volumeId');
      await local.settled();
      const disk = local.store.diskOf(volume);
      assert.ok(withDisk(disk, 'r', (fd) => readBlock(fd, 3)).equals(block('three')));
      writeFileSync(disk, block('changed'), { flag: 'r+' });
      const snapshot = (await ask('CreateSnapshot', { VolumeId: volume })).one('snapshotId');
      await local.settled();
      const changed = async (FirstSnapshotId: string, SecondSnapshotId: string) => {
        const { ChangedBlocks: all } = await ebs.send(new ListChangedBlocksCommand({ FirstSnapshotId, SecondSnapshotId }));
        return all?.map((one) => one.BlockIndex);
      };
      assert.equal(await changed(first, snapshot), [0]);
      const child = await uploaded(ebs, { 9: block('nine') }, { ParentSnapshotId: snapshot });
      assert.equal(await changed(first, child), [0, 9]);
      const copy = (await ask('CopySnapshot', { SourceRegion: 'local-1', SourceSnapshotId: child })).one('snapshotId');
      await local.settled();
      assert.match(await refusalOf(changed(first, copy)), 'UNRELATED_SNAPSHOTS');
      assert.equal([...(await blocksOf(ebs, copy)).keys()], [0, 3, 9]);
    }));

  test('can be written by other programs, also when the one that started it has ended', () =>
    inFolder({}, async (folder) => {
      const [one, two] = [localEc2(folder, 'local-1'), localEc2(folder, 'local-1')];
      const { SnapshotId: id = '' } = await ebsOf(one).send(new StartSnapshotCommand({ VolumeSize: 1 }));
      const indexes = Array.from({ length: 60 }, (_, i) => i);
      await Promise.all(indexes.map((index) => put(ebsOf(index % 2 === 0 ? one : two), id, index, block(`${index}`))));
      // As if the program had been killed.
      one.store.change('snapshots', id, (snapshot) => ({ ...snapshot, maker: `${snapshot.maker?.replace(/[0-9]+ [0-9]+$/, '')}999999999 1` }));
      assert.is((await askerOf(two)('DescribeSnapshots', { 'SnapshotId.1': id })).one('status'), 'pending');
      assert.equal(findingsIn(two.store), []);
      await put(ebsOf(two), id, 60, block('60'));
      await ebsOf(two).send(new CompleteSnapshotCommand({ SnapshotId: id, ChangedBlocksCount: 61 }));
      const found = await blocksOf(ebsOf(one), id);
      assert.is(found.size, 61);
      for (const [index, data] of found) assert.ok(data.equals(block(`${index}`)), `block ${index}`);
    }));

  test('fails after its timeout and after a reboot, and can be deleted at any time', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const [ebs, ask] = [ebsOf(local), askerOf(local)];
      const start = async () => (await ebs.send(new StartSnapshotCommand({ VolumeSize: 1, Timeout: 10 }))).SnapshotId ?? '';
      const stateOf = async (id: string) => {
        const shown = await ask('DescribeSnapshots', { 'SnapshotId.1': id });
        return [shown.one('status'), shown.one('statusMessage')];
      };
      const [slow, rebooted] = [await start(), await start()];
      const written = (minutesAgo: number) => {
        const time = Date.now() / 1000 - minutesAgo * 60;
        utimesSync(local.store.digestsOf(slow), time, time);
      };
      written(9);
      assert.equal(await stateOf(slow), ['pending', '']);
      await put(ebs, slow, 0, block('a'));
      written(11);
      assert.equal(await stateOf(slow), ['error', 'no block was written for 10 minutes']);
      assert.is(
        await refusalOf(put(ebs, slow, 1, block('b'))),
        `ValidationException: WRITE_REQUEST_TIMEOUT: The snapshot '${slow}' is in the 'error' state: no block was written for 10 minutes.`,
      );
      local.store.change('snapshots', rebooted, (snapshot) => ({ ...snapshot, maker: `before ${snapshot.maker}` }));
      assert.equal(await stateOf(rebooted), ['error', 'this machine was rebooted before the snapshot was completed']);
      assert.equal(
        findingsIn(local.store).map(({ type, id }) => [type, id]),
        [slow, rebooted].sort().map((id) => ['unfinished', id]),
      );
      const pending = await start();
      for (const id of [slow, rebooted, pending]) assert.is((await ask('DeleteSnapshot', { SnapshotId: id })).refusal, 'none');
      assert.equal(filesIn(local), []);
      assert.match(await refusalOf(put(ebs, pending, 0, block('a'))), 'SNAPSHOT_NOT_FOUND');
    }));

  test('blocks wait until the parent’s disk is copied, even if the parent is deleted; the answer does not', () =>
    inFolder({}, async (folder) => {
      let copy = () => {};
      const told = new Promise<void>((done) => {
        copy = done;
      });
      const local = localEc2(folder, 'local-1', {
        run: async (command, options) => (command[0] === 'cp' ? told : Promise.resolve()).then(() => hostShell.run(command, options)),
      });
      const [ebs, ask] = [ebsOf(local), askerOf(local)];
      const parent = await uploaded(ebs, { 0: block('a'), 1: block('b') });
      const { SnapshotId: id = '' } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1, ParentSnapshotId: parent }));
      let isWritten = false;
      const writing = put(ebs, id, 1, block('B')).then(() => {
        isWritten = true;
      });
      assert.is((await ask('DeleteSnapshot', { SnapshotId: parent })).refusal, 'none');
      assert.not(isWritten);
      copy();
      await writing;
      await ebs.send(new CompleteSnapshotCommand({ SnapshotId: id, ChangedBlocksCount: 1 }));
      const found = await blocksOf(ebs, id);
      assert.ok(found.get(0)?.equals(block('a')) && found.get(1)?.equals(block('B')));
      assert.equal(filesIn(local).sort(), [`${id}.digests`, `${id}.img`]);
    }));

  test('zeros take no space, unless they replace something', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const ebs = ebsOf(local);
      const id = await uploaded(ebs, { 0: Buffer.alloc(blockBytes), 1: block('b') });
      assert.equal([...(await blocksOf(ebs, id)).keys()], [1]);
      assert.ok(statSync(local.store.diskOf(id)).blocks * 512 < 2 * blockBytes);
      const child = await uploaded(ebs, { 1: Buffer.alloc(blockBytes) }, { ParentSnapshotId: id });
      assert.ok(withDisk(local.store.diskOf(child), 'r', (fd) => readBlock(fd, 1)).equals(Buffer.alloc(blockBytes)));
    }));

  test('local check finds digests that belong to nothing, and --repair removes them', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(`${folder}/state`, 'local-1');
      const id = await uploaded(ebsOf(local), { 0: block('a') });
      const lost = local.store.digestsOf('snap-0123456789abcdef0');
      writeFileSync(lost, '');
      assert.equal(
        findingsIn(local.store).map(({ type, path }) => [type, path]),
        [['draft', lost]],
      );
      assert.is((await run(['local', 'check', '--repair'], { folder })).code, 0);
      assert.equal(filesIn(local).sort(), [`${id}.digests`, `${id}.img`]);
    }));
});

suite('latency and faults of EBS', (test) => {
  test('a new snapshot is not visible for some time, and completing takes its time', () =>
    inFolder({}, async (folder) => {
      const ebs = ebsOf(misbehaving(folder, { visible: 3_600_000 }));
      const { SnapshotId: id = '' } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1 }));
      assert.match(await refusalOf(put(ebs, id, 0, block('a'))), 'SNAPSHOT_NOT_FOUND');
      const slow = misbehaving(folder, { snapshot: 3_600_000 });
      await put(ebsOf(slow), id, 0, block('a'));
      const { Status: status } = await ebsOf(slow).send(new CompleteSnapshotCommand({ SnapshotId: id, ChangedBlocksCount: 1 }));
      assert.is(status, 'pending');
      assert.match(await refusalOf(blocksOf(ebsOf(slow), id)), "is not in the 'completed' state");
      assert.is((await blocksOf(ebsOf(misbehaving(folder, {})), id)).size, 1);
    }));

  test('blocks of one snapshot are throttled beyond a rate', () =>
    inFolder({}, async (folder) => {
      const local = misbehaving(folder, { block: 400 });
      const ebs = ebsOf(local);
      const { SnapshotId: id = '' } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1 }));
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => refusalOf(put(ebs, id, i, block('a')))));
      const throttled = answers.filter((answer) => answer.startsWith('RequestThrottledException: RESOURCE_LEVEL_THROTTLE: '));
      assert.ok(throttled.length > 0 && throttled.length <= 18, `${throttled.length} throttled`);
      assert.is(answers.filter((answer) => answer === 'no refusal').length, 20 - throttled.length);
      await sleep(400);
      assert.is(await refusalOf(put(ebs, id, 30, block('a'))), 'no refusal');
    }));

  test('by rule: each fault has EBS’s own error, before or after the effect', () =>
    inFolder({}, async (folder) => {
      const faulty = async (action: string, fault: FaultRule['fault'], call: (ebs: ReturnType<typeof ebsOf>) => Promise<unknown>) =>
        refusalOf(call(ebsOf(misbehaving(folder, {}, [{ action, fault }]))));
      const start = (ebs: ReturnType<typeof ebsOf>) => ebs.send(new StartSnapshotCommand({ VolumeSize: 1, ClientToken: 'once' }));
      const expected: readonly [FaultRule['fault'], string][] = [
        ['denied', 'AccessDeniedException: UNAUTHORIZED_ACCOUNT: You are not authorized to perform ebs:StartSnapshot.'],
        ['throttled', 'RequestThrottledException: ACCOUNT_THROTTLED: The request was throttled.'],
        ['limit', 'ConcurrentLimitExceededException: You have reached the limit of pending snapshots.'],
        ['unavailable', 'ServiceUnavailableException: The service is temporarily unavailable.'],
        ['error-before', 'InternalServerException: An internal error has occurred.'],
        ['not-found', "ResourceNotFoundException: SNAPSHOT_NOT_FOUND: The snapshot 'snap-ffffffff' does not exist."],
        ['lost-before', 'Error: socket hang up'],
        ['expired', 'ExpiredTokenException: The security token included in the request is expired'],
      ];
      for (const [fault, text] of expected) assert.is(await faulty('StartSnapshot', fault, start), text);
      const local = localEc2(folder, 'local-1');
      assert.equal(local.store.list('snapshots'), []);
      for (const fault of ['error-after', 'lost-after'] as const) await faulty('StartSnapshot', fault, start);
      const [made, ...more] = local.store.list('snapshots');
      assert.equal(more, [], 'the client token made it once');
      const id = made?.id ?? '';
      assert.match(await faulty('PutSnapshotBlock', 'lost-after', (ebs) => put(ebs, id, 0, block('a'))), 'socket hang up');
      await ebsOf(local).send(new CompleteSnapshotCommand({ SnapshotId: id, ChangedBlocksCount: 1 }));
      assert.match(await faulty('GetSnapshotBlock', 'stale-token', (ebs) => blocksOf(ebs, id)), 'INVALID_BLOCK_TOKEN');
      const empty = misbehaving(folder, {}, [{ action: 'ListSnapshotBlocks', fault: 'empty-page', times: 2 }]);
      assert.is((await blocksOf(ebsOf(empty), id)).size, 1, 'pages may be empty');
    }));
});
