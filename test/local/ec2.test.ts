import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AttachVolumeCommand,
  CreateSnapshotCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  EC2Client,
  RegisterImageCommand,
} from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { hostShell } from '../../src/linux/command.js';
import type { LocalEc2 } from '../../src/local/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { suite } from '../support/suite.js';

function open(folder: string): { ec2: EC2Client; local: LocalEc2 } {
  const local = localEc2(folder, 'local-1');
  const ec2 = new EC2Client({
    region: 'local-1',
    endpoint: 'http://ec2.invalid',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    requestHandler: local.requestHandler as never,
    maxAttempts: 1,
  });
  return { ec2, local };
}

/** EC2's code and words of a refusal. */
async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no refusal',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

suite('the embedded EC2', (test) => {
  test('takes a volume through its life, with the states and refusals of EC2', () =>
    inFolder({}, async (folder) => {
      const before = await lookAtHost();
      const { ec2, local } = open(folder);
      const instance = (await ec2.send(new DescribeInstancesCommand({}))).Reservations?.[0]?.Instances?.[0];
      assert.match(instance?.InstanceId ?? '', /^i-0[0-9a-f]{16}$/);
      assert.is(instance?.Placement?.AvailabilityZone, 'local-1a');
      const want = {
        AvailabilityZone: 'local-1a',
        Size: 1,
        VolumeType: 'gp3' as const,
        ClientToken: 'once',
        TagSpecifications: [{ ResourceType: 'volume' as const, Tags: [{ Key: 'Name', Value: 'a & <b>' }] }],
      };
      const created = await ec2.send(new CreateVolumeCommand(want));
      assert.is(created.State, 'available');
      const id = created.VolumeId ?? '';
      assert.is((await ec2.send(new CreateVolumeCommand(want))).VolumeId, id, 'a token makes one volume');
      assert.match(await refusal(ec2.send(new CreateVolumeCommand({ ...want, Size: 2 }))), /^IdempotentParameterMismatch/);
      const describe = async () => (await ec2.send(new DescribeVolumesCommand({ VolumeIds: [id] }))).Volumes?.[0];
      assert.equal((await describe())?.Tags, [{ Key: 'Name', Value: 'a & <b>' }]);
      assert.is((await describe())?.State, 'available');
      assert.match(await refusal(ec2.send(new DetachVolumeCommand({ VolumeId: id }))), /^IncorrectState: Volume 'vol-\w+' is in the 'available' state\.$/);

      const attach = { VolumeId: id, InstanceId: instance?.InstanceId ?? '', Device: '/dev/sdf' };
      assert.match(
        await refusal(ec2.send(new AttachVolumeCommand({ ...attach, Device: 'f' }))),
        /^InvalidParameterValue: Value \(f\) for parameter device is invalid/,
      );
      assert.is((await ec2.send(new AttachVolumeCommand(attach))).State, 'attached');
      assert.is((await describe())?.State, 'in-use');
      assert.match(
        await refusal(ec2.send(new DetachVolumeCommand({ VolumeId: id, Device: '/dev/sdg' }))),
        /^InvalidAttachment.NotFound: The volume 'vol-\w+' is not attached to instance 'i-\w+' as device '\/dev\/sdg'\.$/,
      );
      assert.is((await describe())?.Attachments?.[0]?.Device, '/dev/sdf');
      const mappings = (await ec2.send(new DescribeInstancesCommand({}))).Reservations?.[0]?.Instances?.[0]?.BlockDeviceMappings;
      assert.equal(
        mappings?.map(({ DeviceName: device }) => device),
        ['/dev/sda1', '/dev/sdf'],
      );
      assert.ok(existsSync(`/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${id.replace('-', '')}`));
      const second = (await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 }))).VolumeId ?? '';
      assert.match(
        await refusal(ec2.send(new AttachVolumeCommand({ ...attach, VolumeId: second }))),
        /^InvalidParameterValue: Invalid value '\/dev\/sdf' for unixDevice\. Attachment point \/dev\/sdf is already in use$/,
      );
      assert.match(await refusal(ec2.send(new AttachVolumeCommand(attach))), /^VolumeInUse: vol-\w+ is already attached to an instance$/);
      assert.match(await refusal(ec2.send(new DeleteVolumeCommand({ VolumeId: id }))), /^VolumeInUse: Volume vol-\w+ is currently attached to i-\w+$/);

      const device = (await hostShell.run(['losetup', '-j', local.store.diskOf(id), '-O', 'NAME', '-n'])).trim();
      await hostShell.run(['mkfs.ext4', '-q', device]);
      await hostShell.run(['mount', device, join(folder, 'local')]).catch(() => {});
      await hostShell.run(['umount', join(folder, 'local')]);
      writeFileSync(join(folder, 'held'), '');
      const mountPoint = join(folder, 'mnt');
      await hostShell.run(['mkdir', mountPoint]);
      await hostShell.run(['mount', device, mountPoint]);
      assert.is((await ec2.send(new DetachVolumeCommand({ VolumeId: id }))).State, 'busy', 'what is mounted is not detached');
      assert.is((await describe())?.Attachments?.[0]?.State, 'busy');
      await hostShell.run(['umount', mountPoint]);
      assert.is((await describe())?.State, 'available', 'and is detached once it is unmounted');
      await ec2.send(new DeleteVolumeCommand({ VolumeId: id }));
      await ec2.send(new DeleteVolumeCommand({ VolumeId: second }));
      assert.is(await refusal(ec2.send(new DeleteVolumeCommand({ VolumeId: id }))), `InvalidVolume.NotFound: The volume '${id}' does not exist.`);
      assert.equal(readdirSync(join(folder, 'local/local-1/disks')), []);
      assert.equal(differences(before, await lookAtHost()), []);
    }));

  test(
    'makes snapshots with what is written, images of them, and refuses what EC2 refuses',
    () =>
      inFolder({}, async (folder) => {
        const { ec2, local } = open(folder);
        const volume = (await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 }))).VolumeId ?? '';
        await hostShell.run(['dd', 'if=/dev/urandom', `of=${local.store.diskOf(volume)}`, 'bs=1M', 'count=3', 'seek=5', 'conv=notrunc', 'status=none']);
        const snapshot = (await ec2.send(new CreateSnapshotCommand({ VolumeId: volume, Description: 'd' }))).SnapshotId ?? '';
        await local.settled();
        const described = (await ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshot] }))).Snapshots?.[0];
        assert.equal([described?.State, described?.Progress, described?.VolumeSize], ['completed', '100%', 1]);
        await hostShell.run(['cmp', local.store.diskOf(volume), local.store.diskOf(snapshot)]);
        const larger = (await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', SnapshotId: snapshot, Size: 2 }))).VolumeId ?? '';
        await local.settled();
        await hostShell.run(['cmp', '-n', String(1024 ** 3), local.store.diskOf(larger), local.store.diskOf(snapshot)]);
        assert.match(
          await refusal(ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', SnapshotId: 'snap-00000000000000000' }))),
          /^InvalidSnapshot\.NotFound/,
        );
        assert.match(await refusal(ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1d', Size: 1 }))), /^InvalidZone\.NotFound/);
        const smaller = (await ec2.send(new CreateSnapshotCommand({ VolumeId: larger }))).SnapshotId ?? '';
        await local.settled();
        assert.match(
          await refusal(ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', SnapshotId: smaller, Size: 1 }))),
          /^InvalidParameterValue: The specified volume size '1' is smaller than/,
        );

        const want = {
          Name: 'image (1)',
          RootDeviceName: '/dev/xvda',
          Architecture: 'x86_64' as const,
          VirtualizationType: 'hvm' as const,
          BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: snapshot } }],
        };
        assert.match(await refusal(ec2.send(new RegisterImageCommand({ ...want, DryRun: true }))), /^DryRunOperation/);
        const image = (await ec2.send(new RegisterImageCommand(want))).ImageId ?? '';
        assert.match(await refusal(ec2.send(new RegisterImageCommand(want))), `InvalidAMIName.Duplicate: AMI name image (1) is already in use by AMI ${image}`);
        assert.match(await refusal(ec2.send(new RegisterImageCommand({ ...want, Name: 'a*b' }))), /^InvalidAMIName\.Malformed/);
        assert.match(await refusal(ec2.send(new RegisterImageCommand({ ...want, Name: 'other', RootDeviceName: '/dev/sda1' }))), /^InvalidBlockDeviceMapping/);
        assert.is(
          await refusal(ec2.send(new DeleteSnapshotCommand({ SnapshotId: snapshot }))),
          `InvalidSnapshot.InUse: The snapshot ${snapshot} is currently in use by ${image}`,
        );
        await ec2.send(new CreateTagsCommand({ Resources: [image, snapshot], Tags: [{ Key: 'stage', Value: 'test' }] }));
        assert.equal(
          (await ec2.send(new DescribeTagsCommand({ Filters: [{ Name: 'key', Values: ['stage'] }] }))).Tags?.map((tag) => tag.ResourceType),
          ['image', 'snapshot'],
        );
        const find = async (Name: string, Values: string[]) =>
          (await ec2.send(new DescribeImagesCommand({ Owners: ['self'], Filters: [{ Name, Values }] }))).Images?.length;
        assert.equal(
          [
            await find('name', ['image*']),
            await find('name', ['image ?1)']),
            await find('tag:stage', ['test']),
            await find('tag-key', ['none']),
            await find('state', ['available']),
          ],
          [1, 1, 1, 0, 1],
        );
        assert.is(await refusal(find('colour', ['red'])), "InvalidParameterValue: The filter 'colour' is invalid");
        await ec2.send(new DeregisterImageCommand({ ImageId: image }));
        assert.match(await refusal(ec2.send(new DeregisterImageCommand({ ImageId: image }))), /^InvalidAMIID\.Unavailable/);
        await ec2.send(new DeleteSnapshotCommand({ SnapshotId: snapshot }));
        assert.equal(readdirSync(join(folder, 'local/local-1/snapshots')), [`${smaller}.json`]);
      }),
    60_000,
  );

  test('pages its lists, and refuses unknown actions and parameters', () =>
    inFolder({}, async (folder) => {
      const { ec2, local } = open(folder);
      for (let i = 0; i < 7; i += 1) await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 }));
      const first = await ec2.send(new DescribeVolumesCommand({ MaxResults: 5 }));
      const second = await ec2.send(new DescribeVolumesCommand({ MaxResults: 5, NextToken: first.NextToken }));
      assert.equal([first.Volumes?.length, second.Volumes?.length, second.NextToken], [5, 2, undefined]);
      assert.is(new Set([...(first.Volumes ?? []), ...(second.Volumes ?? [])].map((v) => v.VolumeId)).size, 7);
      assert.match(
        await refusal(ec2.send(new DescribeVolumesCommand({ MaxResults: 2 }))),
        /^InvalidParameterValue: Value \( 2 \) for parameter maxResults is invalid/,
      );
      assert.match(
        (await local.answer('Action=MakeInstances')).body,
        '<Code>InvalidAction</Code><Message>The action MakeInstances is not valid for this web service.</Message>',
      );
      assert.match(
        (await local.answer('Action=DeleteVolume&VolumeId=vol-1&Colour=red')).body,
        '<Code>UnknownParameter</Code><Message>The parameter Colour is not recognized</Message>',
      );
      assert.match((await local.answer('Action=CreateVolume&AvailabilityZone=local-1a&Size=big')).body, '<Code>InvalidParameterValue</Code>');
      assert.match(
        (await local.answer('Action=CreateVolume&Size=1')).body,
        '<Code>MissingParameter</Code><Message>The request must contain the parameter AvailabilityZone</Message>',
      );
    }));

  test('refuses what cannot be an id, a number, a list or a text, in few words', () =>
    inFolder({}, async (folder) => {
      const { local } = open(folder);
      const answered = async (parameters: Readonly<Record<string, string>>) => {
        const { status, body } = await local.answer(new URLSearchParams(parameters).toString());
        assert.ok(body.length < 3_000, `${body.length} characters`);
        return `${status} ${/<Code>(.*)<\/Code><Message>(.*)<\/Message>/.exec(body)?.slice(1).join(': ')}`;
      };
      const long = 'f'.repeat(100_000);
      for (const [action, parameter, code] of [
        ['DescribeVolumes', 'VolumeId.1', 'InvalidVolumeID.Malformed'],
        ['DeleteVolume', 'VolumeId', 'InvalidVolumeID.Malformed'],
        ['DescribeSnapshots', 'SnapshotId.1', 'InvalidSnapshotID.Malformed'],
        ['DescribeImages', 'ImageId.1', 'InvalidAMIID.Malformed'],
        ['DeregisterImage', 'ImageId', 'InvalidAMIID.Malformed'],
        ['DescribeInstances', 'InstanceId.1', 'InvalidInstanceID.Malformed'],
      ] as const) {
        const prefix = { V: 'vol', S: 'snap', I: code.includes('AMI') ? 'ami' : 'i' }[parameter[0] as 'V'];
        for (const id of [`${prefix}-${long}`, `${prefix}-12345`, `${prefix}-../../x`, `x-0123456789abcdef0`, '*']) {
          assert.match(await answered({ Action: action, [parameter]: id }), new RegExp(`^400 ${code}: Invalid id: &quot;`));
        }
        assert.match(await answered({ Action: action, [parameter]: `${prefix}-0123456789abcdef0` }), /^400 Invalid\w+\.(NotFound|Unavailable): /);
      }
      const create = (more: Readonly<Record<string, string>>) => answered({ Action: 'CreateVolume', AvailabilityZone: 'local-1a', ...more });
      for (const size of ['1e3', '4294967297', '9'.repeat(400), '0x10']) assert.match(await create({ Size: size }), /^400 InvalidParameterValue: /);
      assert.match(await create({ 'Size.1': '1' }), /^400 UnknownParameter: /);
      assert.match(
        await answered({ Action: 'DescribeVolumes', VolumeId: 'vol-0123456789abcdef0' }),
        /^400 InvalidParameterValue: .* it must be a structure or list/,
      );
      assert.match(
        await answered({ Action: 'CreateSnapshot', VolumeId: 'vol-0123456789abcdef0', Description: 'x'.repeat(256) }),
        /^400 InvalidParameterValue: .* a text of up to 255/,
      );
      assert.match(await answered({ Action: long }), /^400 InvalidAction: The action fff.*…$/);
    }));

  test('takes no characters that XML has no place for, and writes none that were there before', () =>
    inFolder({}, async (folder) => {
      const { ec2, local } = open(folder);
      const { VolumeId: id = '' } = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 }));
      const tag = (value: string) => ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'text', Value: value }] }));
      for (const odd of ['\u0000', '\u0008', '\u001f', '\ufffe', '\uffff'])
        assert.match(await refusal(tag(`a${odd}b`)), /^InvalidCharacter: .*Tag.1.Value.* U\+/);
      const good = 'a\t\r\n\u007f\u0085\u2028\ud7ff\ue000\ufffd😀]]><!--&amp;';
      await tag(good);
      const read = async () => (await ec2.send(new DescribeVolumesCommand({}))).Volumes?.[0]?.Tags?.[0]?.Value;
      assert.is(await read(), good);
      // As an older version may have kept it.
      local.store.change('volumes', id, (volume) => ({ ...volume, tags: [{ Key: 'text', Value: 'a\ufffe\ud800b' }] }));
      assert.is(await read(), 'ab');
      assert.not.match((await local.answer('Action=%EF%BF%BE')).body, '\ufffe');
    }));

  test('survives a record that a crash left half made', () =>
    inFolder({}, async (folder) => {
      const { ec2, local } = open(folder);
      local.store.put('volumes', {
        id: 'vol-00000000000000001',
        created: '2026-01-01T00:00:00.000Z',
        tags: [],
        size: 1,
        zone: 'local-1a',
        type: 'gp3',
        encrypted: false,
        ready: false,
      });
      assert.is((await ec2.send(new DescribeVolumesCommand({}))).Volumes?.[0]?.State, 'creating');
      await ec2.send(new DeleteVolumeCommand({ VolumeId: 'vol-00000000000000001' }));
      assert.equal((await ec2.send(new DescribeVolumesCommand({}))).Volumes, []);
    }));
});
