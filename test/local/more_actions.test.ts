import { statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hostShell } from '../../src/linux/command.js';
import { machine } from '../../src/local/instance_identity.js';
import { inFolder } from '../support/folder.js';
import { type Ask, asker } from '../support/local_ec2.js';
import { suite } from '../support/suite.js';

const size1 = { AvailabilityZone: 'local-1a', Size: '1' };

async function imageOf(ask: Ask, name: string, snapshot: string): Promise<string> {
  const mapping = { 'BlockDeviceMapping.1.DeviceName': '/dev/xvda', 'BlockDeviceMapping.1.Ebs.SnapshotId': snapshot };
  return (await ask('RegisterImage', { Name: name, RootDeviceName: '/dev/xvda', ...mapping })).one('imageId');
}

async function snapshotIn(ask: Ask): Promise<string> {
  return (await ask('CreateSnapshot', { VolumeId: (await ask('CreateVolume', size1)).one('volumeId') })).one('snapshotId');
}

/** Attaches new volumes, and detaches them whatever happens. */
async function withAttached(ask: Ask, devices: readonly string[], body: (instance: string, volumes: readonly string[]) => Promise<void>): Promise<void> {
  const instance = (await ask('DescribeInstances')).one('instanceId');
  const volumes: string[] = [];
  try {
    for (const device of devices) {
      const volume = (await ask('CreateVolume', size1)).one('volumeId');
      assert.is((await ask('AttachVolume', { VolumeId: volume, InstanceId: instance, Device: device })).refusal, 'none');
      volumes.push(volume);
    }
    await body(instance, volumes);
  } finally {
    for (const volume of volumes) await ask('DetachVolume', { VolumeId: volume });
  }
}

suite('actions that clients reach for', (test) => {
  test('a volume grows and changes its type, attached or not, and says what it was', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      await withAttached(ask, ['/dev/sdf'], async (_, [volume = '']) => {
        const disk = join(folder, 'local/local-1/disks', `${volume}.img`);
        const device = (await hostShell.run(['losetup', '-j', disk, '-O', 'NAME', '-n'])).trim();
        assert.is((await ask('DescribeVolumesModifications', { 'VolumeId.1': volume })).code, 'InvalidVolumeModification.NotFound');
        const dry = { VolumeId: volume, Size: '10', DryRun: 'true' };
        assert.equal([(await ask('ModifyVolume', dry)).code, statSync(disk).size], ['DryRunOperation', 2 ** 30]);
        const changed = await ask('ModifyVolume', {
          VolumeId: volume,
          Size: '10',
          VolumeType: 'gp3',
          Iops: '4000',
          Throughput: '250',
          MultiAttachEnabled: 'false',
        });
        const told = [
          'modificationState',
          'originalSize',
          'originalVolumeType',
          'originalIops',
          'targetSize',
          'targetVolumeType',
          'targetIops',
          'targetThroughput',
        ];
        assert.equal(
          told.map((name) => changed.one(name)),
          ['completed', '1', 'gp2', '100', '10', 'gp3', '4000', '250'],
        );
        assert.is((await hostShell.run(['blockdev', '--getsize64', device])).trim(), String(10 * 2 ** 30), 'its device has the new size');
        const described = await ask('DescribeVolumes', { 'VolumeId.1': volume });
        assert.equal([described.one('size'), described.one('volumeType'), described.one('iops'), described.one('throughput')], ['10', 'gp3', '4000', '250']);
        const found = async (name: string, value: string) =>
          (await ask('DescribeVolumesModifications', { 'Filter.1.Name': name, 'Filter.1.Value.1': value })).all('volumeId');
        assert.equal(
          [await found('target-size', '10'), await found('original-size', '10'), await found('modification-state', 'completed')],
          [[volume], [], [volume]],
        );
        const refusal = async (more: Readonly<Record<string, string>>) => (await ask('ModifyVolume', { VolumeId: volume, ...more })).refusal;
        assert.is(await refusal({ Size: '2' }), 'InvalidParameterValue: New size cannot be smaller than existing size');
        assert.match(await refusal({ VolumeType: 'st1' }), /^InvalidParameterValue: Volume of 10GiB is too small for volume type st1/);
        assert.match(await refusal({ Iops: '100000' }), /^InvalidParameterValue: Volume iops of 100000 is too high/);
        assert.match(await refusal({ MultiAttachEnabled: 'true' }), /^UnsupportedOperation: /);
        assert.match(await refusal({}), /^InvalidParameterValue: You must specify at least one/);
      });
    }));

  test('this machine has tags as other resources have them', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const instance = (await ask('DescribeInstances')).one('instanceId');
      const tag = { 'ResourceId.1': instance, 'Tag.1.Key': 'role', 'Tag.1.Value': 'builder' };
      await ask('EnableEbsEncryptionByDefault');
      assert.is((await ask('CreateTags', tag)).refusal, 'none');
      const find = async (value: string) => (await ask('DescribeInstances', { 'Filter.1.Name': 'tag:role', 'Filter.1.Value.1': value })).all('key');
      assert.equal([await find('builder'), await find('other')], [['role'], []]);
      const listed = await ask('DescribeTags', { 'Filter.1.Name': 'resource-type', 'Filter.1.Value.1': 'instance' });
      assert.equal([listed.all('resourceId'), listed.all('value')], [[instance], ['builder']]);
      await ask('DisableEbsEncryptionByDefault');
      assert.equal(await find('builder'), ['role'], 'another setting of the region leaves them');
      await ask('DeleteTags', { 'ResourceId.1': instance, 'Tag.1.Key': 'role' });
      assert.equal(await find('*'), []);
      assert.match((await ask('CreateTags', { ...tag, 'ResourceId.1': 'i-0123456789abcdef0' })).refusal, /^InvalidInstanceID\.NotFound/);
    }));

  test('snapshots, and an image, are made of what is attached here', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const instance = (await ask('DescribeInstances')).one('instanceId');
      assert.match((await ask('CreateImage', { InstanceId: instance, Name: 'none' })).refusal, /^IncorrectState: No volume of the embedded EC2 is attached/);
      await withAttached(ask, ['/dev/sdg', '/dev/sdf'], async (_, [second = '', first = '']) => {
        await ask('CreateTags', { 'ResourceId.1': first, 'Tag.1.Key': 'team', 'Tag.1.Value': 'blue' });
        const disk = (id: string) => join(folder, 'local/local-1/disks', `${id}.img`);
        await hostShell.run(['dd', 'if=/dev/urandom', `of=${disk(first)}`, 'bs=1M', 'count=1', 'conv=notrunc', 'status=none']);
        const wanted = { 'InstanceSpecification.InstanceId': instance, 'InstanceSpecification.ExcludeBootVolume': 'true', CopyTagsFromSource: 'volume' };
        const both = await ask('CreateSnapshots', wanted);
        assert.equal([both.all('volumeId'), both.all('state'), both.all('key')], [[first, second], ['pending', 'pending'], ['team']]);
        const [snapshot = ''] = both.all('snapshotId');
        await hostShell.run(['cmp', disk(first), disk(snapshot)]);
        assert.equal((await ask('DescribeSnapshots', { 'SnapshotId.1': snapshot })).all('status'), ['completed']);
        const one = await ask('CreateSnapshots', { ...wanted, 'InstanceSpecification.ExcludeDataVolumeId.1': first });
        assert.equal(one.all('volumeId'), [second]);
        assert.match(
          (await ask('CreateSnapshots', { 'InstanceSpecification.InstanceId': instance })).refusal,
          /^UnsupportedOperation: .*set ExcludeBootVolume=true/,
        );

        const tags = { 'TagSpecification.1.ResourceType': 'snapshot', 'TagSpecification.1.Tag.1.Key': 'a', 'TagSpecification.1.Tag.1.Value': 'b' };
        const image = (await ask('CreateImage', { InstanceId: instance, Name: 'whole', NoReboot: 'true', ...tags })).one('imageId');
        const described = await ask('DescribeImages', { 'Filter.1.Name': 'source-instance-id', 'Filter.1.Value.1': instance });
        const fields = ['imageId', 'imageState', 'rootDeviceName', 'sourceInstanceId', 'virtualizationType'].map((name) => described.one(name));
        assert.equal(fields, [image, 'available', '/dev/sdf', instance, 'hvm']);
        assert.equal(described.all('deviceName'), ['/dev/sdf', '/dev/sdg']);
        await hostShell.run(['cmp', disk(first), disk(described.one('snapshotId'))]);
        const made = await ask('DescribeSnapshots', { 'SnapshotId.1': described.one('snapshotId') });
        assert.equal([made.one('description'), made.all('value')], [`Created by CreateImage(${instance}) for ${image}`, ['b']]);
        assert.match((await ask('CreateImage', { InstanceId: instance, Name: 'whole' })).refusal, /^InvalidAMIName\.Duplicate/);
        const copy = (await ask('CopyImage', { Name: 'copy', SourceRegion: 'local-1', SourceImageId: image })).one('imageId');
        const ofCopy = await ask('DescribeImages', { 'ImageId.1': copy });
        assert.equal([ofCopy.all('imageState'), ofCopy.all('sourceInstanceId')], [['available'], []]);
        const mapping = { 'BlockDeviceMapping.1.DeviceName': '/dev/sdg', 'BlockDeviceMapping.1.NoDevice': '' };
        const added = { 'BlockDeviceMapping.2.DeviceName': '/dev/sdh', 'BlockDeviceMapping.2.Ebs.VolumeSize': '2' };
        const part = (await ask('CreateImage', { InstanceId: instance, Name: 'part', ...mapping, ...added })).one('imageId');
        assert.equal((await ask('DescribeImages', { 'ImageId.1': part })).all('deviceName'), ['/dev/sdf', '/dev/sdh']);
        const over = { 'BlockDeviceMapping.1.DeviceName': '/dev/sdf', 'BlockDeviceMapping.1.Ebs.VolumeSize': '2' };
        assert.match(
          (await ask('CreateImage', { InstanceId: instance, Name: 'over', ...over })).refusal,
          /^UnsupportedOperation: The volume attached as \/dev\/sdf/,
        );
        const keep = { 'BlockDeviceMapping.1.DeviceName': '/dev/sdg', 'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'false' };
        const kept = (await ask('CreateImage', { InstanceId: instance, Name: 'keep', ...keep })).one('imageId');
        assert.equal((await ask('DescribeImages', { 'ImageId.1': kept })).all('deleteOnTermination'), ['true', 'false']);
        const twice = Object.fromEntries(Object.entries(keep).map(([name, value]) => [name.replace('.1.', '.2.'), value]));
        assert.match((await ask('CreateImage', { InstanceId: instance, Name: 'twice', ...keep, ...twice })).refusal, /^InvalidBlockDeviceMapping: /);
      });
    }));

  test('an empty list of ids or names is as none: all are described', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const volume = (await ask('CreateVolume', size1)).one('volumeId');
      await ask('ModifyVolume', { VolumeId: volume, Size: '2' });
      await ask('CreateVolume', size1);
      assert.is((await ask('DescribeVolumes', { VolumeId: '' })).all('volumeId').length, 2);
      assert.equal((await ask('DescribeVolumesModifications', { VolumeId: '' })).all('volumeId'), [volume]);
      assert.ok((await ask('DescribeRegions', { RegionName: '' })).all('regionName').includes('local-1'));
    }));

  test('volumes and this machine have a status', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const volume = (await ask('CreateVolume', size1)).one('volumeId');
      const ofVolumes = await ask('DescribeVolumeStatus', { 'Filter.1.Name': 'volume-status.status', 'Filter.1.Value.1': 'ok' });
      assert.equal([ofVolumes.all('volumeId'), ofVolumes.all('status')], [[volume], ['ok', 'passed', 'not-applicable']]);
      assert.equal((await ask('DescribeVolumeStatus', { 'Filter.1.Name': 'volume-status.status', 'Filter.1.Value.1': 'impaired' })).all('volumeId'), []);
      const ofMachine = await ask('DescribeInstanceStatus', { 'Filter.1.Name': 'instance-status.reachability', 'Filter.1.Value.1': 'passed' });
      assert.equal([ofMachine.one('name'), ofMachine.all('status')], ['running', ['ok', 'passed', 'ok', 'passed', 'ok', 'passed']]);
      assert.match((await ask('DescribeInstanceStatus', { 'InstanceId.1': 'i-0123456789abcdef0' })).refusal, /^InvalidInstanceID\.NotFound/);
      const root = { 'VolumeId.1': machine.rootVolume };
      const ofRoot = await ask('DescribeVolumeStatus', root);
      assert.equal([ofRoot.all('volumeId'), ofRoot.one('status')], [[machine.rootVolume], 'ok']);
      assert.match((await ask('DescribeVolumesModifications', root)).refusal, /^InvalidVolumeModification\.NotFound/);
      assert.equal((await ask('DescribeVolumeStatus')).all('volumeId'), [volume], 'unasked for, it is not among those made here');
    }));

  test('the volume with the root of this machine is on some page of the attached ones', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      await withAttached(
        ask,
        ['f', 'g', 'h', 'i', 'j', 'k'].map((letter) => `/dev/sd${letter}`),
        async (instance, volumes) => {
          const attached = { 'Filter.1.Name': 'attachment.instance-id', 'Filter.1.Value.1': instance, MaxResults: '5' };
          const first = await ask('DescribeVolumes', attached);
          const second = await ask('DescribeVolumes', { ...attached, NextToken: first.one('nextToken') });
          const found = [first, second].flatMap((answer) => answer.body.match(/(?<=<item><volumeId>)vol-\w+(?=<\/volumeId><size>)/g) ?? []);
          assert.equal(found, [...volumes, machine.rootVolume].sort());
          assert.is(second.one('nextToken'), '');
        },
      );
    }));

  test('a text of an image is changed in either of the two ways, to none too', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const image = await imageOf(ask, 'image', await snapshotIn(ask));
      const modify = async (more: Readonly<Record<string, string>>) => {
        const { refusal } = await ask('ModifyImageAttribute', { ImageId: image, ...more });
        return [refusal, (await ask('DescribeImages', { 'ImageId.1': image })).all('description')];
      };
      assert.equal(await modify({ Attribute: 'description', Value: 'a' }), ['none', ['a']]);
      const missing = 'MissingParameter: The request must contain the parameter Value';
      assert.equal(await modify({ Attribute: 'description' }), [missing, ['a']]);
      assert.equal(await modify({ Attribute: 'description', Value: '' }), ['none', []]);
      assert.equal(await modify({ 'Description.Value': 'b', Value: '' }), ['none', ['b']]);
      assert.equal(await modify({ 'Description.Value': '' }), ['none', []]);
    }));

  test('an image goes with its snapshots where that is asked for, but for those of other images', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const [shared, own] = [await snapshotIn(ask), await snapshotIn(ask)];
      await imageOf(ask, 'other', shared);
      const mappings = Object.entries({ '/dev/xvda': shared, '/dev/xvdb': own, '/dev/xvdc': own }).map(([device, snapshot], i) => ({
        [`BlockDeviceMapping.${i + 1}.DeviceName`]: device,
        [`BlockDeviceMapping.${i + 1}.Ebs.SnapshotId`]: snapshot,
      }));
      const image = (await ask('RegisterImage', Object.assign({ Name: 'image', RootDeviceName: '/dev/xvda' }, ...mappings))).one('imageId');
      const gone = await ask('DeregisterImage', { ImageId: image, DeleteAssociatedSnapshots: 'true' });
      assert.equal(
        [gone.all('snapshotId'), gone.all('returnCode')],
        [
          [shared, own],
          ['skipped', 'success'],
        ],
      );
      assert.equal((await ask('DescribeSnapshots')).all('snapshotId'), [shared]);
    }));

  test('an image is reset, disabled and enabled again', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const other = { account: '111111111111' };
      const image = await imageOf(ask, 'image', await snapshotIn(ask));
      const share = () => ask('ModifyImageAttribute', { ImageId: image, 'LaunchPermission.Add.1.UserId': other.account });
      const seen = async (more: Readonly<Record<string, string>> = {}, by?: { account: string }) => (await ask('DescribeImages', more, by)).all('imageState');
      await share();
      assert.equal(await seen({}, other), ['available']);
      await ask('ResetImageAttribute', { ImageId: image, Attribute: 'launchPermission' });
      assert.equal(await seen({}, other), []);
      assert.match((await ask('ResetImageAttribute', { ImageId: image, Attribute: 'description' })).refusal, /^InvalidParameterValue/);
      await share();
      assert.is((await ask('DisableImage', { ImageId: image })).refusal, 'none');
      assert.equal([await seen(), await seen({ IncludeDisabled: 'true' }), await seen({ IncludeDisabled: 'true' }, other)], [[], ['disabled'], []]);
      assert.match(
        (await ask('CopyImage', { Name: 'copy', SourceRegion: 'local-1', SourceImageId: image })).refusal,
        /^InvalidRequest: Image ami-\w+ is not available/,
      );
      assert.match((await share()).refusal, /^InvalidAMIID\.Unavailable: .*is disabled/);
      const unshare = { ImageId: image, 'LaunchPermission.Remove.1.UserId': other.account };
      assert.is((await ask('ModifyImageAttribute', unshare)).refusal, 'none');
      await ask('EnableImage', { ImageId: image });
      assert.equal([await seen(), await seen({}, other)], [['available'], []]);
      assert.is((await ask('GetEbsDefaultKmsKeyId')).one('kmsKeyId'), 'alias/aws/ebs');
    }));
});
