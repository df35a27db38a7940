import {
  CompleteSnapshotCommand,
  GetSnapshotBlockCommand,
  ListChangedBlocksCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
} from '@aws-sdk/client-ebs';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { Tokens } from '../../src/local/ebs/tokens.js';
import { block, blockBytes, digest, ebsOf, put, refusalOf, uploaded } from '../support/ebs.js';
import { inFolder } from '../support/folder.js';
import { askerOf } from '../support/local_ec2.js';
import { suite } from '../support/suite.js';

const none = 'snap-0123456789abcdef0';
const limit = (value: unknown, name: string, rule: string) =>
  `1 validation error detected: Value '${value}' at '${name}' failed to satisfy constraint: Member must ${rule}`;

suite('what EBS refuses', (test) => {
  test('to start a snapshot', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const [ebs, other, ask] = [ebsOf(local), ebsOf(local, '111111111111'), askerOf(local)];
      const start = (more: object, client = ebs) => refusalOf(client.send(new StartSnapshotCommand({ VolumeSize: 1, ...more })));
      const parent = await uploaded(ebs, { 0: block('a') }, { VolumeSize: 2 });
      const { SnapshotId: pending = '' } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1, ClientToken: 'mine' }));
      const key = 'arn:aws:kms:local-1:000000000000:key/1';
      const refused: readonly [object, string][] = [
        [{ VolumeSize: 0 }, `INVALID_VOLUME_SIZE: ${limit(0, 'volumeSize', 'have value greater than or equal to 1')}`],
        [{ VolumeSize: 65_537 }, `INVALID_VOLUME_SIZE: ${limit(65_537, 'volumeSize', 'have value less than or equal to 65536')}`],
        [
          { VolumeSize: undefined },
          "INVALID_PARAMETER_VALUE: 1 validation error detected: Value null at 'volumeSize' failed to satisfy constraint: Member must not be null",
        ],
        [{ Timeout: 9 }, `INVALID_PARAMETER_VALUE: ${limit(9, 'timeout', 'have value greater than or equal to 10')}`],
        [{ Timeout: 4321 }, `INVALID_PARAMETER_VALUE: ${limit(4321, 'timeout', 'have value less than or equal to 4320')}`],
        [{ ParentSnapshotId: parent, Encrypted: false }, 'INVALID_PARAMETER_VALUE: ParentSnapshotId cannot be specified together with Encrypted or KmsKeyArn.'],
        [{ ParentSnapshotId: parent, KmsKeyArn: key }, 'INVALID_PARAMETER_VALUE: ParentSnapshotId cannot be specified together with Encrypted or KmsKeyArn.'],
        [{ ParentSnapshotId: parent }, `INVALID_VOLUME_SIZE: The volume size 1 is smaller than that of the parent snapshot '${parent}', 2.`],
        [{ ParentSnapshotId: pending }, `INVALID_SNAPSHOT_ID: The snapshot '${pending}' is not in the 'completed' state.`],
        [{ ParentSnapshotId: 'vol-1' }, `INVALID_SNAPSHOT_ID: ${limit('vol-1', 'parentSnapshotId', 'satisfy regular expression pattern: ^snap-[0-9a-f]+$')}`],
        [{ KmsKeyArn: key }, 'INVALID_PARAMETER_VALUE: KmsKeyArn requires Encrypted to be true.'],
        [{ Tags: [{ Key: 'aws:x', Value: '' }] }, "INVALID_TAG: The tag key 'aws:x' is reserved."],
        [{ Tags: [{ Key: 'x' }, { Key: 'x' }] }, "INVALID_TAG: The tag key 'x' is there twice."],
        [{ Description: 'x'.repeat(256) }, `INVALID_PARAMETER_VALUE: ${`${limit('x'.repeat(256), 'description', '')}`.slice(0, 255)}…`],
      ];
      for (const [more, expected] of refused) assert.is(await start(more), `ValidationException: ${expected}`);
      assert.is(await start({ ParentSnapshotId: none }), `ResourceNotFoundException: SNAPSHOT_NOT_FOUND: The snapshot '${none}' does not exist.`);
      assert.is(
        await start({ ParentSnapshotId: parent, VolumeSize: 2 }, other),
        `ResourceNotFoundException: SNAPSHOT_NOT_FOUND: The snapshot '${parent}' does not exist.`,
      );
      assert.is(await start({ ClientToken: 'mine', Timeout: 10 }), 'ConflictException: The client token was used with other parameters.');
      const { SnapshotId: again } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1, ClientToken: 'mine' }));
      assert.is(again, pending, 'the same parameters give the same snapshot');
      const { SnapshotId: others } = await other.send(new StartSnapshotCommand({ VolumeSize: 1, ClientToken: 'mine' }));
      assert.not.equal(others, pending, 'tokens belong to an account');
      await ask('EnableEbsEncryptionByDefault');
      assert.is(
        await start({ ParentSnapshotId: parent, VolumeSize: 2 }),
        `ValidationException: INVALID_PARAMETER_VALUE: Encryption by default is enabled: the unencrypted snapshot '${parent}' cannot be a parent.`,
      );
      assert.is(
        await start({ Encrypted: false }),
        'ValidationException: INVALID_PARAMETER_VALUE: Encryption by default is enabled: the snapshot cannot be unencrypted.',
      );
      const { KmsKeyArn: byDefault } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1 }));
      assert.match(byDefault ?? '', /^arn:aws:kms:local-1:000000000000:key\//);
    }));

  test('to write a block, and to complete a snapshot', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const [ebs, other] = [ebsOf(local), ebsOf(local, '111111111111')];
      const { SnapshotId: id = '' } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1 }));
      const data = block('a');
      const sum = digest(data).toString('base64');
      const write = (more: object, client = ebs) => {
        const usual = { SnapshotId: id, BlockIndex: 0, BlockData: data, DataLength: blockBytes, Checksum: sum, ChecksumAlgorithm: 'SHA256' as const };
        return refusalOf(client.send(new PutSnapshotBlockCommand({ ...usual, ...more })));
      };
      const notFound = (which: string) => `ResourceNotFoundException: SNAPSHOT_NOT_FOUND: The snapshot '${which}' does not exist.`;
      const short = Buffer.from('short');
      const refused: readonly [object, string][] = [
        [{ DataLength: 5 }, 'INVALID_PARAMETER_VALUE: DataLength must be 524288, not 5.'],
        [{ BlockData: short, Checksum: digest(short).toString('base64') }, 'INVALID_PARAMETER_VALUE: Failed to read block data'],
        [{ BlockData: block('b') }, 'INVALID_BLOCK: The checksum of the block data is not the value of Checksum.'],
        [{ ChecksumAlgorithm: 'MD5' }, `INVALID_PARAMETER_VALUE: ${limit('MD5', 'checksumAlgorithm', 'satisfy enum value set: [SHA256]')}`],
        [{ Progress: 101 }, `INVALID_PARAMETER_VALUE: ${limit(101, 'progress', 'have value less than or equal to 100')}`],
        [{ BlockIndex: 2048 }, 'INVALID_BLOCK: The block index 2048 is behind the end of the volume.'],
        [{ BlockIndex: -1 }, `INVALID_BLOCK: ${limit(-1, 'blockIndex', 'have value greater than or equal to 0')}`],
      ];
      for (const [more, expected] of refused) assert.is(await write(more), `ValidationException: ${expected}`);
      assert.is(await write({ SnapshotId: none }), notFound(none));
      assert.is(await write({}, other), notFound(id));
      assert.is(await write({ Progress: 100 }), 'no refusal');

      const finish = (more: object, client = ebs) => refusalOf(client.send(new CompleteSnapshotCommand({ SnapshotId: id, ChangedBlocksCount: 1, ...more })));
      assert.is(await finish({}, other), notFound(id));
      assert.is(await finish({ ChangedBlocksCount: 2 }), 'ValidationException: INVALID_PARAMETER_VALUE: ChangedBlocksCount is 2, but 1 blocks were written.');
      const together = 'ValidationException: INVALID_PARAMETER_VALUE: Checksum, ChecksumAlgorithm and ChecksumAggregationMethod must be specified together.';
      assert.is(await finish({ Checksum: sum }), together);
      const linear = { ChecksumAlgorithm: 'SHA256', ChecksumAggregationMethod: 'LINEAR' };
      assert.is(await finish({ Checksum: sum, ...linear }), 'ValidationException: INVALID_PARAMETER_VALUE: Checksum is not that of the written blocks.');
      assert.is(await finish({ Checksum: digest(digest(data)).toString('base64'), ...linear }), 'no refusal');
      const notPending = `ValidationException: INVALID_SNAPSHOT_ID: The snapshot '${id}' is not in the 'pending' state, or was not started by StartSnapshot.`;
      assert.is(await write({}), notPending);
      assert.is(await finish({}), notPending);
    }));

  test('to read what is not completed, another account’s, or public, and with tokens of something else', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const [ebs, other, ask] = [ebsOf(local), ebsOf(local, '111111111111'), askerOf(local)];
      const [one, two] = [await uploaded(ebs, { 0: block('a'), 1: block('b') }), await uploaded(ebs, { 0: block('a') })];
      const { SnapshotId: pending = '' } = await ebs.send(new StartSnapshotCommand({ VolumeSize: 1 }));
      const list = (id: string, more: object = {}, client = ebs) => refusalOf(client.send(new ListSnapshotBlocksCommand({ SnapshotId: id, ...more })));
      const notFound = `ResourceNotFoundException: SNAPSHOT_NOT_FOUND: The snapshot '${one}' does not exist.`;
      assert.is(await list(pending), `ValidationException: INVALID_SNAPSHOT_ID: The snapshot '${pending}' is not in the 'completed' state.`);
      assert.is(
        await list(one, { MaxResults: 99 }),
        `ValidationException: INVALID_PARAMETER_VALUE: ${limit(99, 'maxResults', 'have value greater than or equal to 100')}`,
      );
      assert.is(
        await list(one, { MaxResults: 10_001 }),
        `ValidationException: INVALID_PARAMETER_VALUE: ${limit(10_001, 'maxResults', 'have value less than or equal to 10000')}`,
      );
      assert.is(await list(one, {}, other), notFound);
      await ask('ModifySnapshotAttribute', { SnapshotId: one, 'CreateVolumePermission.Add.1.Group': 'all' });
      assert.is(await list(one, {}, other), `ValidationException: INVALID_SNAPSHOT_ID: The snapshot '${one}' is public: public snapshots are not supported.`);
      await ask('ModifySnapshotAttribute', { SnapshotId: one, 'CreateVolumePermission.Add.1.UserId': '111111111111' });
      assert.is(await list(one, {}, other), 'no refusal');
      assert.is(
        await refusalOf(ebs.send(new ListChangedBlocksCommand({ FirstSnapshotId: one, SecondSnapshotId: two }))),
        `ValidationException: UNRELATED_SNAPSHOTS: The snapshots '${one}' and '${two}' are not of the same lineage.`,
      );

      const get = (id: string, index: number, token: string, client = ebs) =>
        refusalOf(client.send(new GetSnapshotBlockCommand({ SnapshotId: id, BlockIndex: index, BlockToken: token })));
      const { Blocks: blocks } = await ebs.send(new ListSnapshotBlocksCommand({ SnapshotId: one }));
      const token = blocks?.[1]?.BlockToken ?? '';
      const stale = 'ValidationException: INVALID_BLOCK_TOKEN: The block token is invalid or has expired.';
      assert.is(await get(one, 1, token), 'no refusal');
      assert.is(await get(one, 0, token), stale, 'of another block');
      assert.is(await get(two, 1, token), stale, 'of another snapshot');
      assert.is(await get(one, 1, token, other), stale, 'of another account');
      assert.is(await get(one, 1, `${token.slice(0, -4)}AAA=`), stale, 'changed');
      assert.is(
        await get(one, 1, 'x y'),
        `ValidationException: INVALID_BLOCK_TOKEN: ${limit('x y', 'blockToken', 'satisfy regular expression pattern: ^[A-Za-z0-9+/=]+$')}`,
      );

      const key = await local.store.tokenKey();
      const made = (ago: number) => new Tokens(key, '000000000000', Date.now() - ago);
      const day = 86_400_000;
      assert.is(await get(one, 1, made(6.9 * day).block(one, 1)), 'no refusal');
      assert.is(await get(one, 1, made(7.1 * day).block(one, 1)), stale, 'after seven days');
      const stalePage = 'ValidationException: INVALID_PAGE_TOKEN: The page token is invalid or has expired.';
      assert.is(await list(one, { NextToken: made((0.9 * day) / 24).page(one, 1) }), 'no refusal');
      assert.is(await list(one, { NextToken: made((1.1 * day) / 24).page(one, 1) }), stalePage, 'after an hour');
      assert.is(await list(two, { NextToken: made(0).page(one, 1) }), stalePage, 'of another list');
      await put(ebs, pending, 0, block('x'));
    }));
});
