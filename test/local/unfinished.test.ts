import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Ec2, openEc2 } from '../../src/aws/client.js';
import { waitForSnapshot } from '../../src/aws/snapshots.js';
import { waitForVolume } from '../../src/aws/volumes.js';
import { hostShell } from '../../src/linux/command.js';
import { LocalEc2 } from '../../src/local/ec2.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

/** An embedded EC2 on a file system that takes no more writes once a disk has been copied, until it is told to. */
async function withFailingDisk(body: (ec2: Ec2, writable: (value: boolean) => void) => Promise<void>): Promise<void> {
  await inFolder({}, async (folder) => {
    const root = join(folder, 'local');
    // Its locks are beside it.
    const disk = join(root, 'local-1');
    mkdirSync(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'none', disk]);
    const writable = (value: boolean) => execFileSync('mount', ['-o', `remount,${value ? 'rw' : 'ro'}`, disk]);
    let fails = false;
    const local = new LocalEc2({
      root,
      run: async (command, options) => {
        const printed = await hostShell.run(command, options);
        if (fails && command[0] === 'cp') writable(false);
        return printed;
      },
    });
    try {
      const ec2 = await openEc2({ provider: 'local', max_attempts: 1 }, { handler: local.requestHandler as never, region: 'local-1', consistent: true });
      await body(ec2, (value) => {
        fails = !value;
        writable(true);
      });
    } finally {
      execFileSync('umount', [disk]);
    }
  });
}

suite('what could not be finished', (test) => {
  test('is in state error at once and says why, though its maker lives; it can be deleted later', () =>
    withFailingDisk(async (ec2, writable) => {
      const { client, sdk } = ec2;
      const { signal } = new AbortController();
      const AvailabilityZone = 'local-1a';
      const made = await client.send(new sdk.CreateVolumeCommand({ AvailabilityZone, Size: 1 }));
      const good = await client.send(new sdk.CreateSnapshotCommand({ VolumeId: made.VolumeId }));
      writable(false);
      const refused = await client.send(new sdk.CreateSnapshotCommand({ VolumeId: made.VolumeId })).catch((error: Error) => error);
      assert.match(String(refused), 'EROFS');
      const { Snapshots = [] } = await client.send(new sdk.DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
      const broken = Snapshots.find(({ State }) => State === 'error');
      assert.match(broken?.StateMessage ?? '', 'EROFS');
      const started = performance.now();
      const waited = await waitForSnapshot(ec2, broken?.SnapshotId ?? '', signal, () => {}).catch((error: Error) => error.message);
      assert.match(String(waited), new RegExp(`^snapshot ${broken?.SnapshotId} failed: EROFS`));
      writable(false);
      const wanted = new sdk.CreateVolumeCommand({ AvailabilityZone, SnapshotId: good.SnapshotId, ClientToken: 'token' });
      assert.match(String(await client.send(wanted).catch((error: Error) => error)), 'EROFS');
      // Asked again with the same token it says why; whoever only sees the volume is not kept waiting.
      assert.match(String(await client.send(wanted).catch((error: Error) => error)), /VolumeCreationFailed: Volume '.*' could not be created: .*EROFS/);
      const { Volumes = [] } = await client.send(new sdk.DescribeVolumesCommand({}));
      const volume = Volumes.find(({ State }) => State === 'error');
      assert.match(String(await waitForVolume(ec2, volume ?? {}, signal).catch((error: Error) => error.message)), `volume ${volume?.VolumeId} is "error"`);
      assert.ok(performance.now() - started < 5_000);
      writable(true);
      for (const { VolumeId } of Volumes) await client.send(new sdk.DeleteVolumeCommand({ VolumeId }));
      for (const { SnapshotId } of Snapshots) await client.send(new sdk.DeleteSnapshotCommand({ SnapshotId }));
    }));
});
