import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import * as assert from 'uvu/assert';
import type { FaultRule, Latency } from '../../src/local/fault_injection.js';
import { areEqual, blockBytes, copyIn, embedded, type Handler, snapshotIn, volumeIn, writeAt } from '../support/direct.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

interface Faulty {
  readonly blocks?: number;
  readonly rules: readonly FaultRule[];
  readonly latency?: Partial<Latency>;
  readonly through?: (handler: Handler) => Handler;
}

/** Copies a snapshot between two EC2s with these faults, twice: the second time only what changed. @returns how often each was asked. */
async function copied({ blocks = 12, ...faulty }: Faulty): Promise<(action: string) => number> {
  return inFolder({}, async (folder) => {
    const plain = await embedded(join(folder, 'from'));
    const volume = await volumeIn(plain, 1);
    for (let index = 0; index < blocks; index += 1) writeAt(plain.disk(volume), index * 3 * blockBytes, randomBytes(100));
    const first = await snapshotIn(plain, volume);
    writeAt(plain.disk(volume), 3 * blockBytes, Buffer.alloc(blockBytes));
    writeAt(plain.disk(volume), 2000 * blockBytes, randomBytes(blockBytes));
    const second = await snapshotIn(plain, volume);
    const [from, to] = [await embedded(join(folder, 'from'), faulty), await embedded(join(folder, 'to'), faulty)];
    const { id } = await copyIn(folder, { from: from.ec2, snapshot: first, to: to.ec2 });
    assert.ok(await areEqual(from.disk(first), to.disk(id)), 'the copy differs');
    const next = await copyIn(folder, { from: from.ec2, snapshot: second, to: to.ec2, base: { from: first, to: id } });
    assert.ok(await areEqual(from.disk(second), to.disk(next.id)), 'the second copy differs');
    return (action) => from.asked(action) + to.asked(action);
  });
}

/** Changes the data of some blocks on their way: the first byte, or what is there. */
const damaging =
  (damage: (body: Buffer, time: number) => Buffer | Error) =>
  (handler: Handler): Handler => {
    let times = 0;
    return {
      handle: async (request, options) => {
        const answer = await handler.handle(request, options);
        if (request.method !== 'GET' || !/\/blocks\/\d+$/.test(request.path)) return answer;
        times += 1;
        const time = times;
        const body = damage(await buffer(answer.response.body as Readable), time);
        const stream = body instanceof Error ? new Readable({ read: () => {} }) : Readable.from([body]);
        if (body instanceof Error) setImmediate(() => stream.destroy(body));
        return { response: { ...answer.response, body: stream } };
      },
    };
  };

suite('a copy of a snapshot by EBS direct', (test) => {
  const actions = ['StartSnapshot', 'PutSnapshotBlock', 'CompleteSnapshot', 'ListSnapshotBlocks', 'ListChangedBlocks', 'GetSnapshotBlock', 'DescribeSnapshots'];

  test('survives any request that fails once, before or after its effect', async () => {
    for (const fault of ['unavailable', 'error-before', 'error-after', 'lost-before', 'lost-after'] as const) {
      // An internal error of the embedded EC2 when asked about a snapshot is a failing disk.
      const rules = actions.filter((action) => action !== 'DescribeSnapshots' || !fault.startsWith('error')).map((action) => ({ action, fault, times: 1 }));
      await copied({ blocks: 3, rules });
    }
  });

  test('survives a storm of throttling', async () => {
    const asked = await copied({
      blocks: 200,
      rules: [
        { action: 'GetSnapshotBlock', fault: 'throttled', skip: 20, times: 24 },
        { action: 'PutSnapshotBlock', fault: 'throttled', skip: 40, times: 24 },
        { action: 'ListSnapshotBlocks', fault: 'throttled', times: 2 },
      ],
    });
    assert.ok(asked('GetSnapshotBlock') >= 224);
    assert.ok(asked('PutSnapshotBlock') >= 224);
  });

  test('survives empty pages, and page tokens and block tokens that have expired', async () => {
    const asked = await copied({
      rules: [
        { action: 'ListSnapshotBlocks', fault: 'empty-page', times: 1 },
        { action: 'ListSnapshotBlocks', fault: 'stale-token', skip: 1, times: 1 },
        { action: 'ListChangedBlocks', fault: 'empty-page', times: 2 },
        { action: 'ListChangedBlocks', fault: 'stale-token', skip: 2, times: 1 },
        { action: 'GetSnapshotBlock', fault: 'stale-token', skip: 3, times: 2 },
        { action: 'GetSnapshotBlock', fault: 'stale-token', skip: 14, times: 1 },
      ],
    });
    // Two more for the blocks; and an empty page, a refused one and a full one.
    assert.is(asked('ListSnapshotBlocks'), 5);
    assert.is(asked('ListChangedBlocks'), 5);
  });

  test('waits for a new snapshot to be known', async () => {
    const asked = await copied({ blocks: 3, rules: [{ action: 'PutSnapshotBlock', fault: 'not-found', times: 4 }], latency: { visible: 1 } });
    assert.is(asked('StartSnapshot'), 2);
  });

  test('reads a block again that arrives damaged, cut off, or whose connection is lost', async () => {
    const damages = [
      (body: Buffer) => Buffer.from(body).fill(body.readUInt8(0) ^ 1, 0, 1),
      (body: Buffer) => body.subarray(1),
      (body: Buffer) => Buffer.concat([body, Buffer.from('!')]),
      () => Object.assign(new Error('aborted'), { code: 'ECONNRESET' }),
    ];
    for (const damage of damages) {
      const asked = await copied({ blocks: 3, rules: [], through: damaging((body, time) => (time === 2 ? damage(body) : body)) });
      assert.is(asked('GetSnapshotBlock'), 3 + 2 + 1);
    }
  });

  test('fails if a block is damaged at each attempt, and names it', async () => {
    const through = damaging((body) => Buffer.from(body).fill(body.readUInt8(0) ^ 1, 0, 1));
    const failed = await copied({ blocks: 1, rules: [], through }).catch((error: Error) => error.message);
    assert.match(String(failed), /^GetSnapshotBlock: block 0 of snap-\w+ arrived damaged$/);
  });

  test('ends when it is cancelled', () =>
    inFolder({}, async (folder) => {
      const [from, to] = [await embedded(join(folder, 'from')), await embedded(join(folder, 'to'))];
      const volume = await volumeIn(from, 1);
      for (let index = 0; index < 200; index += 1) writeAt(from.disk(volume), index * blockBytes, randomBytes(100));
      const snapshot = await snapshotIn(from, volume);
      const cancel = new AbortController();
      const progress = () => {};
      const through = damaging((body, time) => {
        if (time === 100) cancel.abort(new Error('enough'));
        return body;
      });
      const slow = await embedded(join(folder, 'from'), { through });
      const failed = await copyIn(folder, { from: slow.ec2, snapshot, to: to.ec2 }, { signal: cancel.signal, progress }).catch((error: Error) => error.message);
      assert.is(failed, 'enough');
      assert.is(to.asked('CompleteSnapshot'), 0);
    }));
});
