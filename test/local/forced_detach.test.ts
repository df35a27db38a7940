import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { withLock } from '../../src/linux/lock.js';
import { inFolder } from '../support/folder.js';
import { asker } from '../support/local_ec2.js';
import { suite } from '../support/suite.js';

suite('a forced detach', (test) => {
  test('leaves alone what was attached anew while it waited', () =>
    inFolder({}, async (folder) => {
      const ask = asker(folder);
      const instance = (await ask('DescribeInstances')).one('instanceId');
      const volume = (await ask('CreateVolume', { AvailabilityZone: 'local-1a', Size: '1' })).one('volumeId');
      assert.is((await ask('AttachVolume', { VolumeId: volume, InstanceId: instance, Device: '/dev/sdf' })).refusal, 'none');
      const { store } = localEc2(folder, 'local-1');
      let detaching: ReturnType<typeof ask> | undefined;
      try {
        await withLock(join(folder, 'local/devices'), 'a test', async () => {
          detaching = ask('DetachVolume', { VolumeId: volume, Force: 'true' });
          while (!store.get('volumes', volume)?.attachment?.detaching) await new Promise(setImmediate);
          // As another process would leave it that detached and attached it meanwhile.
          const attachment = { device: '/dev/sdg', since: new Date().toISOString(), detaching: false };
          await store.exclusive(() => store.change('volumes', volume, (made) => ({ ...made, attachment })));
        });
        await detaching;
        const described = await ask('DescribeVolumes', { 'VolumeId.1': volume });
        assert.equal([described.all('device'), described.all('status')], [['/dev/sdg'], ['in-use', 'attached']]);
      } finally {
        await detaching;
        await ask('DetachVolume', { VolumeId: volume, Force: 'true' });
      }
    }));
});
