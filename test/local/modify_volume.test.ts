import * as assert from 'uvu/assert';
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

suite('ModifyVolume', (test) => {
  test('changes that are asked for at once are all made', () =>
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
});
