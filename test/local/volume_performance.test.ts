import * as assert from 'uvu/assert';
import { faultsOfDevice } from '../../src/aws/registration.js';
import type { VolumeType } from '../../src/local/api/model/answers.js';
import { checkDisk } from '../../src/local/api/volume_limits.js';
import { inFolder } from '../support/folder.js';
import { type Ask, asker } from '../support/local_ec2.js';
import { suite } from '../support/suite.js';

/** Makes a volume; gives how to modify it and how to see what it is. */
async function volumeIn(ask: Ask, more: Readonly<Record<string, string>> = {}) {
  const volume = (await ask('CreateVolume', { AvailabilityZone: 'local-1a', Size: '10', ...more })).one('volumeId');
  const modify = async (wanted: Readonly<Record<string, string>>) => (await ask('ModifyVolume', { VolumeId: volume, ...wanted })).refusal;
  const look = async () => {
    const described = await ask('DescribeVolumes', { 'VolumeId.1': volume });
    return ['size', 'volumeType', 'iops', 'throughput'].map((name) => described.one(name));
  };
  return { modify, look };
}

suite('the size and performance of volumes', (test) => {
  test('changes by ModifyVolume that are asked for at once are all made', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const changes = [{ VolumeType: 'gp3' }, { Size: '20' }];
      for (const order of [changes, changes.toReversed()]) {
        const { modify, look } = await volumeIn(ask);
        assert.equal(await Promise.all(order.map(modify)), ['none', 'none']);
        assert.equal(await look(), ['20', 'gp3', '3000', '125']);
      }
    }));

  test('a volume that becomes io1, io2 or gp3 has 3,000 operations a second unless others are asked for', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      for (const [type, size] of Object.entries({ io1: '60', io2: '10', gp3: '10' })) {
        const { modify, look } = await volumeIn(ask, { Size: size });
        assert.is(await modify({ VolumeType: type }), 'none');
        assert.equal((await look()).slice(1, 3), [type, '3000']);
      }
      const { modify } = await volumeIn(ask);
      assert.match(await modify({ VolumeType: 'io1' }), /^InvalidParameterValue: Iops to volume size ratio of 300 is too high; maximum is 50/);
    }));

  test('gp3 has at most 0.25 MiB/s of throughput for each operation a second, of volumes and of devices of images', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const tooMuch = /^InvalidParameterValue: Throughput \(MiBps\) to iops ratio of 0\.33\d* is too high; maximum is 0\.25/;
      const { modify } = await volumeIn(ask, { VolumeType: 'gp3', Throughput: '750' });
      assert.match(await modify({ Throughput: '1000' }), tooMuch);
      assert.is(await modify({ Throughput: '1000', Iops: '4000' }), 'none');
      const gp3 = { AvailabilityZone: 'local-1a', Size: '10', VolumeType: 'gp3', Throughput: '1000' };
      assert.match((await ask('CreateVolume', gp3)).refusal, tooMuch);
      const mapping = { DeviceName: '/dev/sdb', 'Ebs.VolumeSize': '10', 'Ebs.VolumeType': 'gp3', 'Ebs.Throughput': '1000' };
      const named = Object.fromEntries(Object.entries(mapping).map(([name, value]) => [`BlockDeviceMapping.1.${name}`, value]));
      assert.match((await ask('RegisterImage', { Name: 'image', RootDeviceName: '/dev/xvda', ...named })).refusal, tooMuch);
    }));

  test('what the embedded EC2 refuses of a volume is what ec2.preflight finds', () => {
    const types: readonly VolumeType[] = ['gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1', 'standard'];
    const edges = (...values: readonly number[]) => values.flatMap((value) => [value - 1, value, value + 1]);
    const sizes = edges(1, 4, 6, 60, 125, 1024, 16_384, 65_536);
    const speeds = [undefined, ...edges(100, 3000, 4000, 64_000, 80_000, 256_000)];
    const throughputs = [undefined, ...edges(125, 750, 1000, 2000)];
    const refuses = (disk: Parameters<typeof checkDisk>[0]) => {
      try {
        checkDisk(disk);
        return false;
      } catch {
        return true;
      }
    };
    const differences = types.flatMap((type) =>
      sizes.flatMap((size) =>
        speeds.flatMap((iops) =>
          throughputs.flatMap((throughput) => {
            const given = Object.fromEntries(Object.entries({ iops, throughput }).filter(([, value]) => value !== undefined));
            const found = faultsOfDevice({ device_name: '/dev/sdb', volume_type: type, volume_size: size, ...given });
            const isRefused = refuses({ type, size, iops, throughput });
            return found.length > 0 === isRefused ? [] : [{ type, size, iops, throughput, isRefused, found }];
          }),
        ),
      ),
    );
    assert.equal(differences, []);
  });
});
