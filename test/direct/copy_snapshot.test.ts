import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeSnapshotsCommand } from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import { areEqual, blockBytes, contextOf, copyIn, type Embedded, embedded, snapshotIn, stateIn, volumeIn, writeAt } from '../support/direct.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

/** A snapshot with these blocks of random data, at these indexes. */
async function withBlocks(at: Embedded, indexes: readonly number[]): Promise<string> {
  const volume = await volumeIn(at, 1);
  for (const index of indexes) writeAt(at.disk(volume), index * blockBytes, randomBytes(blockBytes));
  return snapshotIn(at, volume);
}

suite('a copy of a snapshot by EBS direct', (test) => {
  test('equals it, byte for byte, and reads only blocks in use', () =>
    inFolder({}, async (folder) => {
      const [from, to] = [await embedded(join(folder, 'from')), await embedded(join(folder, 'to'))];
      const snapshot = await withBlocks(from, [0, 7, 2047]);
      const { id, notes } = await copyIn(folder, { from: from.ec2, snapshot, to: to.ec2, description: 'mine', tags: [{ Key: 'a', Value: 'b' }] });
      assert.ok(await areEqual(from.disk(snapshot), to.disk(id)));
      assert.equal([from.asked('GetSnapshotBlock'), to.asked('PutSnapshotBlock')], [3, 3]);
      const { Snapshots: [found] = [] } = await to.ec2.client.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] }));
      assert.equal([found?.State, found?.VolumeSize, found?.Description, found?.Tags], ['completed', 1, 'mine', [{ Key: 'a', Value: 'b' }]]);
      const { asked_at: _, ...note } = notes[0] as Record<string, unknown>;
      assert.equal([note, notes.length], [{ run: 'run', task: 'task', region: 'local-1', id }, 1]);
    }));

  test('on a base takes only what changed, and writes zeros where there was something', () =>
    inFolder({}, async (folder) => {
      const [from, to] = [await embedded(join(folder, 'from')), await embedded(join(folder, 'to'))];
      const old = await withBlocks(from, [0, 7, 2047]);
      const base = { from: old, to: (await copyIn(folder, { from: from.ec2, snapshot: old, to: to.ec2 })).id };
      const volume = await volumeIn(from, 2, old);
      writeAt(from.disk(volume), 7 * blockBytes, Buffer.alloc(blockBytes));
      writeAt(from.disk(volume), 4095 * blockBytes, randomBytes(10));
      const snapshot = await snapshotIn(from, volume);
      const before = to.asked('PutSnapshotBlock');
      const { id } = await copyIn(folder, { from: from.ec2, snapshot, to: to.ec2, base });
      assert.ok(await areEqual(from.disk(snapshot), to.disk(id)));
      assert.is(to.asked('PutSnapshotBlock') - before, 2);
    }));

  test('of nothing is empty', () =>
    inFolder({}, async (folder) => {
      const [from, to] = [await embedded(join(folder, 'from')), await embedded(join(folder, 'to'))];
      const snapshot = await withBlocks(from, []);
      const { id } = await copyIn(folder, { from: from.ec2, snapshot, to: to.ec2 });
      assert.ok(await areEqual(from.disk(snapshot), to.disk(id)));
      assert.is(to.asked('PutSnapshotBlock'), 0);
    }));

  test('writes no blocks of zeros', () =>
    inFolder({}, async (folder) => {
      const [from, to] = [await embedded(join(folder, 'from')), await embedded(join(folder, 'to'))];
      const volume = await volumeIn(from, 1);
      writeAt(from.disk(volume), 5 * blockBytes, Buffer.alloc(blockBytes));
      writeAt(from.disk(volume), 6 * blockBytes, randomBytes(blockBytes));
      const snapshot = await snapshotIn(from, volume);
      const { id } = await copyIn(folder, { from: from.ec2, snapshot, to: to.ec2 });
      assert.ok(await areEqual(from.disk(snapshot), to.disk(id)));
      assert.is(to.asked('PutSnapshotBlock'), 1);
    }));

  test('that is complete is not made again', () =>
    inFolder({}, async (folder) => {
      const [from, to] = [await embedded(join(folder, 'from')), await embedded(join(folder, 'to'))];
      const copy = { from: from.ec2, snapshot: await withBlocks(from, [1, 2]), to: to.ec2 };
      const { id } = await copyIn(folder, copy);
      assert.equal(await copyIn(folder, copy), { id, notes: [] });
      assert.is(from.asked('GetSnapshotBlock'), 2);
    }));
});

suite('a copy by EBS direct that was interrupted', (test) => {
  /** Copies blocks 0 to 9, until a fault rule of the target has ended it. */
  const interrupted = async (folder: string) => {
    const from = await embedded(join(folder, 'from'));
    const snapshot = await withBlocks(from, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const denied = await embedded(join(folder, 'to'), { rules: [{ action: 'PutSnapshotBlock', fault: 'denied', skip: 6 }] });
    const notes: object[] = [];
    const failed = await copyIn(folder, { from: from.ec2, snapshot, to: denied.ec2 }, contextOf(notes)).then(
      () => 'no error',
      (error: Error) => error.message,
    );
    const [note] = notes as { readonly id: string }[];
    return { from, snapshot, failed, id: note?.id ?? '', record: join(folder, `${snapshot}.ndjson`) };
  };

  test('says what is missing, stays pending, and continues with what was not written', () =>
    inFolder({}, async (folder) => {
      const { from, snapshot, failed, id, record } = await interrupted(folder);
      assert.is(
        failed,
        'PutSnapshotBlock: AccessDeniedException: You are not authorized to perform ebs:PutSnapshotBlock.\n  help: the permission ebs:PutSnapshotBlock is missing, or the snapshot is not shared with this account',
      );
      const to = await embedded(join(folder, 'to'));
      assert.is(await stateIn(to, id), 'pending');
      // A line that was cut off by a full disk or a power cut counts as never written.
      writeFileSync(record, readFileSync(record, 'utf8').slice(0, -5));
      const { id: same, notes } = await copyIn(folder, { from: from.ec2, snapshot, to: to.ec2 });
      assert.equal([same, notes.length, to.asked('PutSnapshotBlock'), to.asked('StartSnapshot')], [id, 1, 5, 0]);
      assert.ok(await areEqual(from.disk(snapshot), to.disk(id)));
      const lines = readFileSync(record, 'utf8').trimEnd().split('\n');
      assert.is(lines.length, 11);
      for (const line of lines) JSON.parse(line);
    }));

  test('begins again if its snapshot is gone, or the record is of another copy', () =>
    inFolder({}, async (folder) => {
      const { from, snapshot, id, record } = await interrupted(folder);
      appendFileSync(record, 'no JSON\n');
      const elsewhere = await embedded(join(folder, 'elsewhere'));
      const { id: other } = await copyIn(folder, { from: from.ec2, snapshot, to: elsewhere.ec2 });
      assert.is.not(other, id);
      assert.is(elsewhere.asked('PutSnapshotBlock'), 10);
      assert.ok(await areEqual(from.disk(snapshot), elsewhere.disk(other)));
      const second = await withBlocks(from, [3]);
      const { id: third } = await copyIn(folder, { from: from.ec2, snapshot: second, to: elsewhere.ec2, record });
      assert.ok(await areEqual(from.disk(second), elsewhere.disk(third)));
    }));
});
