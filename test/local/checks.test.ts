import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { type Ask, asker } from '../support/local_ec2.js';
import { suite } from '../support/suite.js';

const volume = { AvailabilityZone: 'local-1a', Size: '1' };

async function snapshotIn(ask: Ask): Promise<string> {
  return (await ask('CreateSnapshot', { VolumeId: (await ask('CreateVolume', volume)).one('volumeId') })).one('snapshotId');
}

function registration(name: string, mappings: Readonly<Record<string, string>>): Record<string, string> {
  return {
    Name: name,
    RootDeviceName: '/dev/xvda',
    ...Object.fromEntries(Object.entries(mappings).map(([key, value]) => [`BlockDeviceMapping.${key}`, value])),
  };
}

suite('what the embedded EC2 checks', (test) => {
  test('an empty value counts as absent: it is no key, no size, no token', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const made = await ask('CreateVolume', {
        ...volume,
        SnapshotId: '',
        KmsKeyId: '',
        Iops: '',
        ClientToken: '',
        OutpostArn: '',
        Encrypted: 'true',
        MultiAttachEnabled: 'false',
      });
      assert.equal([made.refusal, made.one('status')], ['none', 'available']);
      assert.match((await ask('CreateVolume', { ...volume, MultiAttachEnabled: 'true' })).refusal, /^UnsupportedOperation: /);
      assert.match(made.one('kmsKeyId'), /^arn:aws:kms:local-1:000000000000:key\//);
      const snapshot = await snapshotIn(ask);
      const image = await ask('RegisterImage', registration('image', { '1.DeviceName': '/dev/xvda', '1.Ebs.SnapshotId': snapshot, '1.Ebs.KmsKeyId': '' }));
      // As Packer copies an image to a region, without a key.
      const copy = { Name: 'copy', SourceRegion: 'local-1', SourceImageId: image.one('imageId') };
      const there = { region: 'local-2' };
      assert.is((await ask('CopyImage', { ...copy, KmsKeyId: '', ClientToken: '' }, there)).refusal, 'none');
      await ask('CopyImage', { ...copy, Name: 'locked', KmsKeyId: '', Encrypted: 'true' }, there);
      const keys = (await ask('DescribeSnapshots', { 'Filter.1.Name': 'encrypted', 'Filter.1.Value.1': 'true' }, there)).all('kmsKeyId');
      assert.equal(keys, ['arn:aws:kms:local-2:000000000000:key/00000000-0000-0000-0000-000000000000']);
      // A text in a structure may be empty: it was given.
      await ask('ModifyImageAttribute', { ImageId: image.one('imageId'), 'Description.Value': 'some' });
      await ask('ModifyImageAttribute', { ImageId: image.one('imageId'), 'Description.Value': '' });
      assert.equal((await ask('DescribeImages')).all('description'), []);
    }));

  test('ids: all that are missing are named, and what cannot be one is refused as that', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const made = (await ask('CreateVolume', volume)).one('volumeId');
      const [a, b] = ['0123456789abcdef0', '0123456789abcdef1'];
      const refusal = async (action: string, ...ids: string[]) => {
        const [name = '', ...values] = ids;
        return (await ask(action, Object.fromEntries(values.map((id, i) => [`${name}.${i + 1}`, id])))).refusal;
      };
      assert.equal(
        [
          await refusal('DescribeVolumes', 'VolumeId', `vol-${a}`, made, `vol-${b}`),
          await refusal('DescribeVolumes', 'VolumeId', `vol-${a}`),
          await refusal('DescribeSnapshots', 'SnapshotId', `snap-${a}`, `snap-${b}`),
          await refusal('DescribeImages', 'ImageId', `ami-${a}`, `ami-${b}`),
          await refusal('DescribeImages', 'ImageId', `ami-${a}`),
          await refusal('DescribeInstances', 'InstanceId', `i-${a}`, `i-${b}`),
          await refusal('DescribeVolumes', 'VolumeId', `vol-${a}`, 'volume'),
          await refusal('DescribeSnapshots', 'Owner', 'me'),
          await refusal('DescribeImages', 'ExecutableBy', '1'),
        ],
        [
          `InvalidVolume.NotFound: The volumes 'vol-${a}, vol-${b}' do not exist.`,
          `InvalidVolume.NotFound: The volume 'vol-${a}' does not exist.`,
          `InvalidSnapshot.NotFound: The snapshots 'snap-${a}, snap-${b}' do not exist.`,
          `InvalidAMIID.NotFound: The image ids '[ami-${a}, ami-${b}]' do not exist`,
          `InvalidAMIID.NotFound: The image id '[ami-${a}]' does not exist`,
          `InvalidInstanceID.NotFound: The instance IDs 'i-${a}, i-${b}' do not exist`,
          'InvalidVolumeID.Malformed: Invalid id: "volume" (expecting "vol-...")',
          'InvalidUserID.Malformed: Invalid user id: "me"',
          'InvalidUserID.Malformed: Invalid user id: "1"',
        ],
      );
      const root = (await ask('DescribeInstances')).one('volumeId');
      assert.match((await ask('DeleteVolume', { VolumeId: root })).refusal, /^UnsupportedOperation: vol-\w+ is the root volume of this machine/);
    }));

  test('the mappings of an image are checked as volumes are, and no device is there twice', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const root = { '1.DeviceName': '/dev/xvda', '1.Ebs.SnapshotId': await snapshotIn(ask) };
      const refusal = async (more: Readonly<Record<string, string>>) => (await ask('RegisterImage', registration('image', { ...root, ...more }))).refusal;
      const disk = (device: string, more: Readonly<Record<string, string>>, at = '2') => ({
        [`${at}.DeviceName`]: device,
        ...Object.fromEntries(Object.entries(more).map(([key, value]) => [`${at}.Ebs.${key}`, value])),
      });
      assert.equal(
        [
          await refusal({ ...disk('/dev/sde', { VolumeSize: '1' }), ...disk('/dev/sde', { VolumeSize: '2' }, '3') }),
          await refusal(disk('/dev/sde', { VolumeSize: '1', VolumeType: 'st1' })),
          await refusal(disk('/dev/sde', { VolumeSize: '8', VolumeType: 'io1', Iops: '1000' })),
          await refusal(disk('/dev/sde', { VolumeSize: '8', VolumeType: 'gp2', Throughput: '125' })),
          await refusal(disk('/dev/sde', { VolumeSize: '8', KmsKeyId: 'k' })),
          await refusal({ ...disk('/dev/sde', { VolumeSize: '1' }), '3.DeviceName': '/dev/sde', '3.NoDevice': 'true' }),
        ],
        [
          'InvalidBlockDeviceMapping: /dev/sde is being assigned to multiple times.',
          'InvalidParameterValue: Volume of 1GiB is too small for volume type st1; 125 to 16384 GiB are allowed',
          'InvalidParameterValue: Iops to volume size ratio of 125 is too high; maximum is 50.',
          'InvalidParameterCombination: The parameter throughput is not supported for gp2 volumes.',
          'UnsupportedOperation: The embedded EC2 does not support the parameter BlockDeviceMapping.2.Ebs.KmsKeyId.',
          'none',
        ],
      );
    }));

  test('a volume is in one of three zones, and attached in that of the machine', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const zones = await ask('DescribeAvailabilityZones', {}, { region: 'us-east-1' });
      assert.equal(zones.all('zoneName'), ['us-east-1a', 'us-east-1b', 'us-east-1c']);
      assert.equal(zones.all('zoneId'), ['use1-az1', 'use1-az2', 'use1-az3']);
      const idIn = async (region: string) => (await ask('DescribeAvailabilityZones', {}, { region })).one('zoneId');
      assert.equal([await idIn('ap-southeast-2'), await idIn('eu-central-1'), await idIn('local-1')], ['apse2-az1', 'euc1-az1', 'local1-az1']);
      assert.equal((await ask('DescribeAvailabilityZones', { 'ZoneId.1': 'local1-az2' })).all('zoneName'), ['local-1b']);
      const other = await ask('CreateVolume', { AvailabilityZoneId: 'local1-az2', Size: '1' });
      assert.equal([other.one('availabilityZone'), other.one('availabilityZoneId')], ['local-1b', 'local1-az2']);
      const instance = (await ask('DescribeInstances')).one('instanceId');
      assert.is(
        (await ask('AttachVolume', { VolumeId: other.one('volumeId'), InstanceId: instance, Device: '/dev/sdf' })).refusal,
        `InvalidVolume.ZoneMismatch: The volume '${other.one('volumeId')}' is not in the same availability zone as instance '${instance}'`,
      );
      assert.is((await ask('CreateVolume', { AvailabilityZone: 'local-1d', Size: '1' })).refusal, "InvalidZone.NotFound: The zone 'local-1d' does not exist.");
    }));

  test('tags, performance and times are as EC2 has them', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const tagged = (tag: Readonly<Record<string, string>>) =>
        ask('CreateVolume', { ...volume, ...Object.fromEntries(Object.entries(tag).map(([key, value]) => [`TagSpecification.1.${key}`, value])) });
      assert.equal(
        [(await tagged({ ResourceType: 'volume' })).refusal, (await tagged({ 'Tag.1.Key': 'a' })).refusal],
        ['InvalidParameterValue: Tag specification must have at least one tag', 'InvalidParameterValue: Tag specification resource type must have a value'],
      );
      const iops = async (more: Readonly<Record<string, string>>) => (await ask('CreateVolume', { ...volume, ...more })).all('iops');
      assert.equal(
        [await iops({}), await iops({ Size: '100' }), await iops({ VolumeType: 'gp3' }), await iops({ VolumeType: 'standard' })],
        [['100'], ['300'], ['3000'], []],
      );
      const snapshot = await snapshotIn(ask);
      const tag = { 'TagSpecification.1.ResourceType': 'snapshot', 'TagSpecification.1.Tag.1.Key': 'a', 'TagSpecification.1.Tag.1.Value': 'b' };
      const copy = await ask(
        'CopySnapshot',
        { SourceRegion: 'local-1', SourceSnapshotId: snapshot, DestinationRegion: 'local-2', ...tag },
        { region: 'local-2' },
      );
      assert.equal([copy.all('key'), copy.all('value')], [['a'], ['b']]);
      assert.match(
        (await ask('CopySnapshot', { SourceRegion: 'local-1', SourceSnapshotId: snapshot, DestinationRegion: 'local-2' })).refusal,
        /^InvalidParameterValue: Value \(local-2\) for parameter destinationRegion/,
      );
      const image = (await ask('RegisterImage', registration('image', { '1.DeviceName': '/dev/xvda', '1.Ebs.SnapshotId': snapshot }))).one('imageId');
      const year = new Date().getUTCFullYear() + 1;
      await ask('EnableImageDeprecation', { ImageId: image, DeprecateAt: `${year}-05-06T07:08:31Z` });
      assert.is((await ask('DescribeImages')).one('deprecationTime'), `${year}-05-06T07:09:00.000Z`);
    }));

  test('this machine is described with what started it, its address and its root', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const instance = await ask('DescribeInstances');
      const values = ['imageId', 'launchTime', 'privateIpAddress', 'code', 'rootDeviceName', 'deviceName', 'volumeId'].map((name) => instance.one(name));
      const patterns = [/^ami-0[0-9a-f]{16}$/, /^20..-..-..T..:..:..\.000Z$/, /^[0-9.]+$/, /^16$/, /^\/dev\/sda1$/, /^\/dev\/sda1$/, /^vol-0[0-9a-f]{16}$/];
      assert.equal(
        values.filter((value, i) => !patterns[i]?.test(value)),
        [],
      );
    }));
});
