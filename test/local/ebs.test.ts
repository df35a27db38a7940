import { createHash } from 'node:crypto';
import {
  CompleteSnapshotCommand,
  GetSnapshotBlockCommand,
  ListChangedBlocksCommand,
  ListSnapshotBlocksCommand,
  StartSnapshotCommand,
} from '@aws-sdk/client-ebs';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { block, blockBytes, blocksOf, digest, ebsOf, put, refusalOf, uploaded } from '../support/ebs.js';
import { inFolder } from '../support/folder.js';
import { askerOf } from '../support/local_ec2.js';
import { suite } from '../support/suite.js';

suite('EBS direct APIs of the embedded EC2', (test) => {
  test('blocks are written, sealed with their checksum, listed and read back', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const [ebs, ask] = [ebsOf(local), askerOf(local)];
      const started = await ebs.send(new StartSnapshotCommand({ VolumeSize: 2, Description: 'mine', Tags: [{ Key: 'k', Value: 'v' }], ClientToken: 'once' }));
      const { SnapshotId: id = '', StartTime: at, ...rest } = started;
      assert.match(id, /^snap-0[0-9a-f]{16}$/);
      assert.ok(Math.abs(Date.now() - Number(at)) < 600_000);
      assert.equal(
        { ...rest, $metadata: undefined },
        {
          Description: 'mine',
          OwnerId: '000000000000',
          Status: 'pending',
          VolumeSize: 2,
          BlockSize: blockBytes,
          Tags: [{ Key: 'k', Value: 'v' }],
          $metadata: undefined,
        },
      );
      const described = async () => {
        const shown = await ask('DescribeSnapshots', { 'SnapshotId.1': id });
        return ['status', 'volumeSize', 'volumeId', 'description', 'progress'].map(shown.one);
      };
      assert.equal(await described(), ['pending', '2', 'vol-ffffffff', 'mine', '0%']);
      const data = { 4095: block('last'), 7: block('seven'), 0: block('first') };
      for (const [index, bytes] of Object.entries(data)) await put(ebs, id, Number(index), bytes);
      await put(ebs, id, 7, data[7]);
      const linear = createHash('sha256')
        .update(Buffer.concat([0, 7, 4095].map((index) => digest(data[index as 7]))))
        .digest('base64');
      const sum = { Checksum: linear, ChecksumAlgorithm: 'SHA256', ChecksumAggregationMethod: 'LINEAR' } as const;
      const { Status: status } = await ebs.send(new CompleteSnapshotCommand({ SnapshotId: id, ChangedBlocksCount: 3, ...sum }));
      assert.is(status, 'completed');
      assert.equal(await described(), ['completed', '2', 'vol-ffffffff', 'mine', '100%']);
      const found = await blocksOf(ebs, id);
      assert.equal([...found.keys()], [0, 7, 4095]);
      for (const [index, bytes] of found) assert.ok(bytes.equals(data[index as 7]), `block ${index}`);
    }));

  test('on a parent, only what changed is written, and only that is listed as changed', () =>
    inFolder({}, async (folder) => {
      const ebs = ebsOf(localEc2(folder, 'local-1'));
      const parent = await uploaded(ebs, { 0: block('a'), 1: block('b'), 2: block('c'), 300: block('d') });
      const child = await uploaded(
        ebs,
        { 1: block('B'), 2: Buffer.alloc(blockBytes), 5: block('new'), 300: block('d') },
        { ParentSnapshotId: parent, VolumeSize: 2 },
      );
      const { ChangedBlocks: changed, VolumeSize: size } = await ebs.send(new ListChangedBlocksCommand({ FirstSnapshotId: parent, SecondSnapshotId: child }));
      assert.is(size, 2);
      assert.equal(
        changed?.map((one) => [one.BlockIndex, one.FirstBlockToken !== undefined, one.SecondBlockToken !== undefined]),
        [
          [1, true, true],
          [2, true, true],
          [5, false, true],
        ],
      );
      const read = async (SnapshotId: string, BlockIndex: number, BlockToken?: string) => {
        const { BlockData: data } = await ebs.send(new GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken }));
        return Buffer.from((await data?.transformToByteArray()) ?? []);
      };
      assert.ok((await read(parent, 1, changed?.[0]?.FirstBlockToken)).equals(block('b')));
      assert.ok((await read(child, 1, changed?.[0]?.SecondBlockToken)).equals(block('B')));
      assert.ok((await read(child, 2, changed?.[1]?.SecondBlockToken)).equals(Buffer.alloc(blockBytes)));
      const all = await blocksOf(ebs, child);
      assert.ok(all.get(0)?.equals(block('a')) && all.get(300)?.equals(block('d')), 'the parent’s blocks are there');
      const { ChangedBlocks: since } = await ebs.send(new ListChangedBlocksCommand({ SecondSnapshotId: child }));
      assert.equal(
        since?.map((one) => [one.BlockIndex, one.FirstBlockToken]),
        [...all.keys()].map((index) => [index, undefined]),
      );
    }));

  test('a list comes in pages, whose token wins over the starting index', () =>
    inFolder({}, async (folder) => {
      const ebs = ebsOf(localEc2(folder, 'local-1'));
      const indexes = Array.from({ length: 205 }, (_, i) => i * 2);
      const id = await uploaded(ebs, Object.fromEntries(indexes.map((index) => [index, block(`${index}`)])));
      const pages: (readonly (number | undefined)[])[] = [];
      let NextToken: string | undefined;
      do {
        const page = await ebs.send(new ListSnapshotBlocksCommand({ SnapshotId: id, MaxResults: 100, StartingBlockIndex: 3, NextToken }));
        pages.push(page.Blocks?.map((one) => one.BlockIndex) ?? []);
        NextToken = page.NextToken;
      } while (NextToken !== undefined);
      assert.equal(
        pages.map((page) => [page.length, page[0], page.at(-1)]),
        [
          [100, 4, 202],
          [100, 204, 402],
          [3, 404, 408],
        ],
      );
    }));

  test('what is not as AWS has it is refused', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const ebs = ebsOf(local);
      assert.is(
        await refusalOf(ebs.send(new StartSnapshotCommand({ VolumeSize: 0 }))),
        "ValidationException: INVALID_VOLUME_SIZE: 1 validation error detected: Value '0' at 'volumeSize' failed to satisfy constraint: Member must have value greater than or equal to 1",
      );
    }));
});
