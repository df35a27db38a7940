import * as assert from 'uvu/assert';
import { hostShell } from '../../src/linux/command.js';
import { inFolder } from '../support/folder.js';
import { type Ask, asker } from '../support/local_ec2.js';
import { suite } from '../support/suite.js';

/** A volume that is attached, a snapshot of it, and an image. */
async function fill(ask: Ask) {
  const zone = { AvailabilityZone: 'local-1a', Size: '2', VolumeType: 'gp3' };
  const tag = { 'TagSpecification.1.ResourceType': 'volume', 'TagSpecification.1.Tag.1.Key': 'team', 'TagSpecification.1.Tag.1.Value': 'blue' };
  const volume = (await ask('CreateVolume', { ...zone, ...tag })).one('volumeId');
  const snapshot = (await ask('CreateSnapshot', { VolumeId: volume, Description: 'first' })).one('snapshotId');
  const instance = (await ask('DescribeInstances')).one('instanceId');
  await ask('AttachVolume', { VolumeId: volume, InstanceId: instance, Device: '/dev/sdf' });
  const image = await ask('RegisterImage', {
    Name: 'image 1',
    Description: 'an image',
    Architecture: 'x86_64',
    VirtualizationType: 'hvm',
    RootDeviceName: '/dev/xvda',
    SriovNetSupport: 'simple',
    KernelId: 'aki-1',
    RamdiskId: 'ari-1',
    'BlockDeviceMapping.1.DeviceName': '/dev/xvda',
    'BlockDeviceMapping.1.Ebs.SnapshotId': snapshot,
  });
  await ask('ModifyImageAttribute', { ImageId: image.one('imageId'), 'ProductCode.1': 'code' });
  return { volume, snapshot, instance, image: image.one('imageId') };
}

/** The filters that EC2 documents for an action, each with a value that fits what {@link fill} makes; none where nothing could. */
type Filters = Readonly<Record<string, string | undefined>>;

async function mustFilter(ask: Ask, action: string, list: string, filters: Filters): Promise<void> {
  const wrong: string[] = [];
  for (const [name, value = '?*'] of Object.entries(filters)) {
    const found = async (text: string) => {
      const { code, body } = await ask(action, { 'Filter.1.Name': name, 'Filter.1.Value.1': text });
      return code ?? String(new RegExp(`<${list}><item>`).test(body));
    };
    const fits = filters[name] !== undefined;
    const said = [await found(value), await found(`${value.replace(/[*?]/g, '')}-other`)];
    if (said.join() !== `${fits},false`) wrong.push(`${name}=${value}: ${said.join()}`);
  }
  assert.equal(wrong, []);
}

suite('the filters that EC2 documents', (test) => {
  test('are all there: one value finds, another does not', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const { volume, snapshot, instance, image } = await fill(ask);
      try {
        const account = '000000000000';
        const shown = await ask('DescribeInstances');
        await mustFilter(ask, 'DescribeVolumes', 'volumeSet', {
          'attachment.attach-time': '20*Z',
          'attachment.delete-on-termination': 'false',
          'attachment.device': '/dev/sdf',
          'attachment.instance-id': instance,
          'attachment.status': 'attached',
          'availability-zone': 'local-1a',
          'availability-zone-id': 'local1-az1',
          'create-time': '20*Z',
          encrypted: 'false',
          'fast-restored': 'false',
          'multi-attach-enabled': 'false',
          'operator.managed': 'false',
          'operator.principal': undefined,
          size: '2',
          'snapshot-id': undefined,
          status: 'in-use',
          'tag:team': 'blue',
          'tag-key': 'team',
          'volume-id': volume,
          'volume-type': 'gp3',
        });
        await mustFilter(ask, 'DescribeSnapshots', 'snapshotSet', {
          description: 'first',
          encrypted: 'false',
          'owner-alias': 'self',
          'owner-id': account,
          progress: '100%',
          'snapshot-id': snapshot,
          'start-time': '20*Z',
          status: 'completed',
          'storage-tier': 'standard',
          'tag-key': undefined,
          'transfer-type': undefined,
          'volume-id': volume,
          'volume-size': '2',
        });
        await mustFilter(ask, 'DescribeImages', 'imagesSet', {
          architecture: 'x86_64',
          'block-device-mapping.delete-on-termination': 'true',
          'block-device-mapping.device-name': '/dev/xvda',
          'block-device-mapping.encrypted': 'false',
          'block-device-mapping.snapshot-id': snapshot,
          'block-device-mapping.volume-size': '2',
          'block-device-mapping.volume-type': 'gp2',
          'creation-date': '20*Z',
          description: 'an image',
          'ena-support': 'false',
          'free-tier-eligible': 'false',
          hypervisor: 'xen',
          'image-allowed': 'true',
          'image-id': image,
          'image-type': 'machine',
          'is-public': 'false',
          'kernel-id': 'aki-1',
          'manifest-location': `${account}/image 1`,
          name: 'image 1',
          'owner-alias': 'self',
          'owner-id': account,
          platform: undefined,
          'product-code': 'code',
          'product-code.type': 'marketplace',
          'ramdisk-id': 'ari-1',
          'root-device-name': '/dev/xvda',
          'root-device-type': 'ebs',
          'source-image-id': undefined,
          'source-image-region': undefined,
          'source-instance-id': undefined,
          'sriov-net-support': 'simple',
          state: 'available',
          'state-reason-code': undefined,
          'state-reason-message': undefined,
          'tag-key': undefined,
          'virtualization-type': 'hvm',
        });
        await mustFilter(ask, 'DescribeTags', 'tagSet', { key: 'team', value: 'blue', 'resource-id': volume, 'resource-type': 'volume', 'tag:team': 'blue' });
        await mustFilter(ask, 'DescribeInstances', 'reservationSet', {
          architecture: shown.one('architecture'),
          'availability-zone': 'local-1a',
          'availability-zone-id': 'local1-az1',
          'block-device-mapping.attach-time': '20*Z',
          'block-device-mapping.delete-on-termination': 'false',
          'block-device-mapping.device-name': '/dev/sda1',
          'block-device-mapping.status': 'attached',
          'block-device-mapping.volume-id': volume,
          'image-id': shown.one('imageId'),
          'instance-id': instance,
          'instance-state-code': '16',
          'instance-state-name': 'running',
          'instance-type': shown.one('instanceType'),
          'ip-address': undefined,
          'launch-time': shown.one('launchTime'),
          'metadata-options.http-tokens': undefined,
          'network-interface.addresses.private-ip-address': undefined,
          'owner-id': account,
          'private-ip-address': shown.one('privateIpAddress'),
          'reservation-id': shown.one('reservationId'),
          'root-device-name': '/dev/sda1',
          'root-device-type': 'ebs',
          tenancy: 'default',
          'virtualization-type': 'hvm',
          'vpc-id': undefined,
        });
        assert.is((await ask('DescribeInstances', { 'Filter.1.Name': 'colour' })).code, 'InvalidParameterValue');
      } finally {
        await ask('DetachVolume', { VolumeId: volume });
      }
    }));

  test('by the accounts that may use an image or make volumes of a snapshot', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const other = '111111111111';
      const { volume, snapshot, image } = await fill(ask);
      try {
        const images = async (by: string, account = '000000000000') => (await ask('DescribeImages', { 'ExecutableBy.1': by }, { account })).all('imageId');
        const snapshots = async (by: string, account = '000000000000') =>
          (await ask('DescribeSnapshots', { 'RestorableBy.1': by }, { account })).all('snapshotId');
        assert.equal([await images('self'), await images('all'), await images(other)], [[], [], []]);
        assert.equal([await snapshots('self'), await snapshots('all'), await snapshots(other)], [[snapshot], [], []]);
        await ask('ModifyImageAttribute', { ImageId: image, 'LaunchPermission.Add.1.UserId': other });
        await ask('ModifySnapshotAttribute', { SnapshotId: snapshot, 'CreateVolumePermission.Add.1.UserId': other });
        assert.equal([await images(other), await images('self', other), await images('self'), await images('all')], [[image], [image], [], []]);
        assert.equal([await snapshots(other), await snapshots('self', other), await snapshots('all')], [[snapshot], [snapshot], []]);
        await ask('ModifyImageAttribute', { ImageId: image, 'LaunchPermission.Add.1.Group': 'all' });
        await ask('ModifySnapshotAttribute', { SnapshotId: snapshot, 'CreateVolumePermission.Add.1.Group': 'all' });
        assert.equal([await images('all', '222222222222'), await snapshots('all', '222222222222')], [[image], [snapshot]]);
      } finally {
        await ask('DetachVolume', { VolumeId: volume });
      }
    }));

  test('a wildcard after a backslash stands for itself, also in names of images', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const { volume } = await fill(ask);
      try {
        const snapshot = async (description: string) => (await ask('CreateSnapshot', { VolumeId: volume, Description: description })).one('snapshotId');
        const [star, plain] = [await snapshot('a*b?'), await snapshot('a-b-')];
        const find = async (value: string) =>
          (await ask('DescribeSnapshots', { 'Filter.1.Name': 'description', 'Filter.1.Value.1': value })).all('snapshotId').sort();
        assert.equal([await find('a*b?'), await find('a\\*b\\?'), await find('a\\*b?')], [[star, plain].sort(), [star], [star]]);
      } finally {
        await ask('DetachVolume', { VolumeId: volume });
      }
    }));

  test('the disk that this machine has its root on is found where somebody asks for what the machine has', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const instance = await ask('DescribeInstances');
      const root = instance.one('volumeId');
      assert.equal([instance.all('deviceName'), (await ask('DescribeVolumes')).all('volumeId')], [['/dev/sda1'], []]);
      const ofMachine = await ask('DescribeVolumes', { 'Filter.1.Name': 'attachment.instance-id', 'Filter.1.Value.1': instance.one('instanceId') });
      const named = await ask('DescribeVolumes', { 'VolumeId.1': root });
      assert.equal([new Set(ofMachine.all('volumeId')), new Set(named.all('volumeId')), named.one('device')], [new Set([root]), new Set([root]), '/dev/sda1']);
      const blocks =
        Number((await hostShell.run(['stat', '-f', '-c', '%b', '/'])).trim()) * Number((await hostShell.run(['stat', '-f', '-c', '%S', '/'])).trim());
      assert.is(named.one('size'), String(Math.ceil(blocks / 2 ** 30)));
    }));
});
