import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { asker } from '../support/local_ec2.js';
import { suite } from '../support/suite.js';

/** What moto's own tests found, as far as EC2 is known to do it so. */
suite('codes and words of the embedded EC2', (test) => {
  test('what cannot be tagged, with which tags, and what is not named', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const tag = { 'Tag.1.Key': 'a', 'Tag.1.Value': 'b' };
      const specification = { 'TagSpecification.1.ResourceType': 'disk', 'TagSpecification.1.Tag.1.Key': 'a' };
      assert.equal(
        [
          (await ask('CreateTags', { 'ResourceId.1': 'ami-blah', ...tag })).refusal,
          (await ask('DeleteTags', { 'ResourceId.1': 'i-blah' })).refusal,
          (await ask('CreateTags', { 'ResourceId.1': 'blah', ...tag })).refusal,
          (await ask('CreateTags', { 'ResourceId.1': 'vol-0123456789abcdef0', ...tag })).refusal,
          (await ask('CreateTags', tag)).refusal,
          (await ask('CreateTags', { 'ResourceId.1': 'ami-blah' })).refusal,
          (await ask('DeleteTags', tag)).refusal,
          (await ask('CreateVolume', { AvailabilityZone: 'local-1a', Size: '1', ...specification })).refusal,
        ],
        [
          "InvalidID: The ID 'ami-blah' is not valid",
          "InvalidID: The ID 'i-blah' is not valid",
          "InvalidID: The ID 'blah' is not valid",
          "InvalidVolume.NotFound: The volume 'vol-0123456789abcdef0' does not exist.",
          'MissingParameter: The request must contain the parameter resourceIdSet',
          'MissingParameter: The request must contain the parameter tagSet',
          'MissingParameter: The request must contain the parameter resourceIdSet',
          "InvalidParameterValue: 'disk' is not a valid taggable resource type for this operation.",
        ],
      );
    }));

  test('a group that is none, an attribute that is not to be asked for, and speeds that a type does not have', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const zone = { AvailabilityZone: 'local-1a', Size: '1' };
      const volume = (await ask('CreateVolume', zone)).one('volumeId');
      const snapshot = (await ask('CreateSnapshot', { VolumeId: volume })).one('snapshotId');
      const mapping = { 'BlockDeviceMapping.1.DeviceName': '/dev/xvda', 'BlockDeviceMapping.1.Ebs.SnapshotId': snapshot };
      const image = (await ask('RegisterImage', { Name: 'image', RootDeviceName: '/dev/xvda', ...mapping })).one('imageId');
      const everyone = { OperationType: 'add', 'UserGroup.1': 'everyone' };
      assert.equal(
        [
          (await ask('ModifyImageAttribute', { ImageId: image, Attribute: 'launchPermission', ...everyone })).refusal,
          (await ask('ModifySnapshotAttribute', { SnapshotId: snapshot, Attribute: 'createVolumePermission', ...everyone })).refusal,
          (await ask('DescribeImageAttribute', { ImageId: image, Attribute: 'blockDeviceMapping' })).refusal,
          (await ask('CreateVolume', { ...zone, Throughput: '200' })).refusal,
          (await ask('CreateVolume', { ...zone, Iops: '200' })).refusal,
        ],
        [
          'InvalidAMIAttributeItemValue: Invalid attribute item value "everyone" for userGroup item type.',
          'InvalidAMIAttributeItemValue: Invalid attribute item value "everyone" for userGroup item type.',
          'AuthFailure: Unauthorized attempt to access restricted resource',
          'InvalidParameterCombination: The parameter throughput is not supported for gp2 volumes.',
          'InvalidParameterCombination: The parameter iops is not supported for gp2 volumes.',
        ],
      );
    }));

  test('tag-value is a filter, though not among the documented ones', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const made = async (value: string) =>
        (
          await ask('CreateVolume', {
            AvailabilityZone: 'local-1a',
            Size: '1',
            'TagSpecification.1.ResourceType': 'volume',
            'TagSpecification.1.Tag.1.Key': 'team',
            'TagSpecification.1.Tag.1.Value': value,
          })
        ).one('volumeId');
      const [blue] = [await made('blue'), await made('red')];
      assert.equal((await ask('DescribeVolumes', { 'Filter.1.Name': 'tag-value', 'Filter.1.Value.1': 'bl*' })).all('volumeId'), [blue]);
    }));

  test('regions that an account has to opt in to are shown by their names, or with all', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const shown = async (parameters: Readonly<Record<string, string>>) => {
        const answer = await ask('DescribeRegions', parameters);
        const status = answer.all('optInStatus');
        return answer.all('regionName').flatMap((name, i) => (/^(us-east-1|ap-east-1|me-south-1)$/.test(name) ? [`${name} ${status[i]}`] : []));
      };
      assert.equal(await shown({}), ['us-east-1 opt-in-not-required', 'me-south-1 opted-in']);
      assert.equal(await shown({ AllRegions: 'true' }), ['us-east-1 opt-in-not-required', 'me-south-1 opted-in', 'ap-east-1 not-opted-in']);
      assert.equal(await shown({ 'RegionName.1': 'ap-east-1' }), ['ap-east-1 not-opted-in']);
      const only = { AllRegions: 'true', 'Filter.1.Name': 'opt-in-status', 'Filter.1.Value.1': 'not-opted-in' };
      assert.equal(await shown(only), ['ap-east-1 not-opted-in']);
    }));

  test('a snapshot that was just made has an empty set of tags', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const volume = (await ask('CreateVolume', { AvailabilityZone: 'local-1a', Size: '1' })).one('volumeId');
      const made = await ask('CreateSnapshot', { VolumeId: volume });
      assert.match(made.body, '<tagSet></tagSet>');
      assert.not.match((await ask('DescribeSnapshots')).body, 'tagSet');
    }));

  test('a copy of an image can be copied again, to a third region', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const volume = (await ask('CreateVolume', { AvailabilityZone: 'local-1a', Size: '1' })).one('volumeId');
      const snapshot = (await ask('CreateSnapshot', { VolumeId: volume })).one('snapshotId');
      const mapping = { 'BlockDeviceMapping.1.DeviceName': '/dev/xvda', 'BlockDeviceMapping.1.Ebs.SnapshotId': snapshot };
      const image = (await ask('RegisterImage', { Name: 'image', RootDeviceName: '/dev/xvda', ...mapping })).one('imageId');
      const first = await ask('CopyImage', { Name: 'copy', SourceRegion: 'local-1', SourceImageId: image }, { region: 'local-2' });
      const second = await ask('CopyImage', { Name: 'copy', SourceRegion: 'local-2', SourceImageId: first.one('imageId') }, { region: 'local-3' });
      assert.equal([first.refusal, second.refusal], ['none', 'none']);
    }));
});
