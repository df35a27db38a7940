import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { hostShell } from '../../src/linux/command.js';
import type { LocalEc2 } from '../../src/local/ec2.js';
import type { RunCommand } from '../../src/local/loop_devices.js';
import { inFolder } from '../support/folder.js';
import { type Ask, askerOf } from '../support/local_ec2.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

interface Slow {
  readonly folder: string;
  readonly local: LocalEc2;
  readonly ask: Ask;
  /** Lets disks be copied, from now on. */
  copy(): void;
  /** Has them wait again. */
  hold(): void;
  /** Lets them be copied, and waits for it. */
  copied(): Promise<void>;
}

/** An embedded EC2 that copies disks when it is told to. */
function withSlowCopies(body: (slow: Slow) => Promise<void>): Promise<void> {
  return inFolder({}, async (folder) => {
    let copy = () => {};
    let told = Promise.resolve();
    const hold = () => {
      told = new Promise<void>((done) => {
        copy = done;
      });
    };
    hold();
    const runSlowly: RunCommand = async (command, options) => {
      if (command[0] === 'cp') await told;
      return hostShell.run(command, options);
    };
    const local = localEc2(folder, 'local-1', { run: runSlowly });
    const copied = async () => {
      copy();
      await local.settled();
    };
    try {
      await body({ folder, local, ask: askerOf(local), copy: () => copy(), hold, copied });
    } finally {
      await copied();
    }
  });
}

const size1 = { AvailabilityZone: 'local-1a', Size: '1' };

function diskOf({ local }: Slow, id: string): string {
  return local.store.diskOf(id);
}

function write(file: string, text: string): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, text, 0);
  closeSync(fd);
}

function startOf(file: string): string {
  const fd = openSync(file, 'r');
  try {
    return execFileSync('head', ['-c', '6'], { stdio: [fd, 'pipe', 'inherit'] }).toString();
  } finally {
    closeSync(fd);
  }
}

async function volumeWith(slow: Slow, text: string): Promise<string> {
  const volume = (await slow.ask('CreateVolume', size1)).one('volumeId');
  write(diskOf(slow, volume), text);
  return volume;
}

/** A snapshot of a new volume that is being copied. */
async function pendingSnapshot(slow: Slow, text = 'before'): Promise<{ volume: string; snapshot: string }> {
  const volume = await volumeWith(slow, text);
  const snapshot = (await slow.ask('CreateSnapshot', { VolumeId: volume })).one('snapshotId');
  return { volume, snapshot };
}

/** Attaches a volume, and detaches it whatever happens; gives its device. */
async function whileAttached(slow: Slow, volume: string, body: (device: string) => Promise<void>): Promise<void> {
  const InstanceId = (await slow.ask('DescribeInstances')).one('instanceId');
  assert.is((await slow.ask('AttachVolume', { VolumeId: volume, InstanceId, Device: '/dev/sdf' })).refusal, 'none');
  try {
    await body((await hostShell.run(['losetup', '-j', diskOf(slow, volume), '-O', 'NAME', '-n'])).trim());
  } finally {
    await slow.ask('DetachVolume', { VolumeId: volume });
  }
}

async function stateOf(ask: Ask, id: string): Promise<string> {
  const of = id.startsWith('snap-') ? await ask('DescribeSnapshots', { 'SnapshotId.1': id }) : await ask('DescribeVolumes', { 'VolumeId.1': id });
  return of.one('status');
}

/** The disks, and what they are copied from. */
function disksIn({ folder }: Slow): string[] {
  return readdirSync(join(folder, 'local/local-1/disks')).sort();
}

suite('disks that take long to copy', (test) => {
  test('a snapshot is pending, with a progress; its volume may go meanwhile; then it is completed', () =>
    withSlowCopies(async (slow) => {
      const { ask, copied } = slow;
      const { volume, snapshot } = await pendingSnapshot(slow);
      const seen = await ask('DescribeSnapshots', { 'SnapshotId.1': snapshot });
      assert.equal([seen.one('status'), seen.one('progress')], ['pending', '0%']);
      assert.is((await ask('CreateVolume', { ...size1, SnapshotId: snapshot })).code, 'IncorrectState');
      assert.is((await ask('DeleteVolume', { VolumeId: volume })).refusal, 'none');
      await copied();
      assert.is(await stateOf(ask, snapshot), 'completed');
      assert.is(startOf(diskOf(slow, snapshot)), 'before');
      assert.equal(disksIn(slow), [`${snapshot}.img`]);
    }));

  test('a volume is being created, and its snapshot may go meanwhile; a request with the same token makes no second one', () =>
    withSlowCopies(async (slow) => {
      const { ask, copied, hold } = slow;
      const { snapshot } = await pendingSnapshot(slow);
      await copied();
      hold();
      const wanted = { ...size1, SnapshotId: snapshot, ClientToken: 'token' };
      const made = await ask('CreateVolume', wanted);
      assert.is(made.one('status'), 'creating');
      const volume = made.one('volumeId');
      assert.is((await ask('CreateVolume', wanted)).one('volumeId'), volume);
      assert.is((await ask('DeleteSnapshot', { SnapshotId: snapshot })).refusal, 'none');
      await copied();
      assert.equal([await stateOf(ask, volume), startOf(diskOf(slow, volume))], ['available', 'before']);
    }));

  test('deleted while it is copied, a snapshot leaves nothing', () =>
    withSlowCopies(async (slow) => {
      const { ask, copied } = slow;
      const { volume, snapshot } = await pendingSnapshot(slow);
      assert.is((await ask('DeleteSnapshot', { SnapshotId: snapshot })).refusal, 'none');
      await copied();
      assert.equal(disksIn(slow), [`${volume}.img`]);
      assert.is((await ask('DescribeSnapshots', { 'SnapshotId.1': snapshot })).code, 'InvalidSnapshot.NotFound');
    }));

  test('a disk that gets full after the answer: the state is error, with the reason, and it can be deleted', () =>
    withSlowCopies(async (slow) => {
      const { folder, ask, copied } = slow;
      mkdirSync(join(folder, 'local'), { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'none', join(folder, 'local')]);
      try {
        const { volume, snapshot } = await pendingSnapshot(slow, 'x'.repeat(4 * 2 ** 20));
        execFileSync('dd', ['if=/dev/zero', `of=${join(folder, 'local/full')}`, 'bs=1M', 'count=6', 'status=none']);
        await copied();
        const seen = await ask('DescribeSnapshots', { 'SnapshotId.1': snapshot });
        assert.is(seen.one('status'), 'error');
        assert.match(seen.one('statusMessage'), 'No space left on device');
        // Another process says so too.
        assert.match((await askerOf(localEc2(folder, 'local-1'))('DescribeSnapshots', { 'SnapshotId.1': snapshot })).one('statusMessage'), 'No space left');
        assert.is((await ask('DeleteSnapshot', { SnapshotId: snapshot })).refusal, 'none');
        assert.equal(disksIn(slow), [`${volume}.img`]);
      } finally {
        execFileSync('umount', [join(folder, 'local')]);
      }
    }));

  test('what is written to a volume after the answer is in no snapshot: its attachment waits', () =>
    withSlowCopies(async (slow) => {
      const { local, ask, copied } = slow;
      const { volume, snapshot } = await pendingSnapshot(slow);
      const InstanceId = (await ask('DescribeInstances')).one('instanceId');
      const attached = ask('AttachVolume', { VolumeId: volume, InstanceId, Device: '/dev/sdf' });
      // In line behind the attachment, which has looked at the volume then.
      await ask('CreateTags', { 'ResourceId.1': volume, 'Tag.1.Key': 'a', 'Tag.1.Value': 'b' });
      assert.is(local.store.get('volumes', volume)?.attachment, undefined);
      await copied();
      assert.is((await attached).one('status'), 'attached');
      assert.is(await stateOf(ask, snapshot), 'completed');
      await ask('DetachVolume', { VolumeId: volume });
    }));

  test('a snapshot of an attached volume that is written to before it was copied is in error', () =>
    withSlowCopies(async (slow) => {
      const { ask, copied } = slow;
      const volume = await volumeWith(slow, 'before');
      await whileAttached(slow, volume, async (device) => {
        const snapshot = (await ask('CreateSnapshot', { VolumeId: volume })).one('snapshotId');
        write(device, 'after!');
        await copied();
        const seen = await ask('DescribeSnapshots', { 'SnapshotId.1': snapshot });
        assert.equal([seen.one('status'), seen.one('statusMessage')], ['error', 'the volume was written to while it was being copied']);
        assert.equal(disksIn(slow), [`${volume}.img`]);
      });
    }));

  test('of a volume in use the answer comes when it is copied', () =>
    withSlowCopies(async (slow) => {
      const { ask, copy } = slow;
      const volume = await volumeWith(slow, 'before');
      await whileAttached(slow, volume, async (device) => {
        const held = openSync(device, constants.O_RDONLY | constants.O_EXCL);
        try {
          const asked = ask('CreateSnapshot', { VolumeId: volume });
          // Longer than others are waited for.
          const first = await Promise.race([asked, hostShell.run(['sleep', '0.5']).then(() => 'nothing')]);
          assert.is(first, 'nothing');
          copy();
          assert.is(await stateOf(ask, (await asked).one('snapshotId')), 'completed');
        } finally {
          closeSync(held);
        }
      });
    }));

  test('an image of attached volumes is pending until its snapshots are completed, and failed where one is in error', () =>
    withSlowCopies(async (slow) => {
      const { ask, copied, hold, folder } = slow;
      const volume = await volumeWith(slow, 'before');
      await whileAttached(slow, volume, async (device) => {
        const InstanceId = (await ask('DescribeInstances')).one('instanceId');
        const make = async (name: string) => (await ask('CreateImage', { InstanceId, Name: name })).one('imageId');
        const look = async (id: string) => {
          const seen = await ask('DescribeImages', { 'ImageId.1': id });
          return [seen.one('imageState'), seen.one('message')];
        };
        const good = await make('good');
        assert.equal(await look(good), ['pending', '']);
        const exported = await run(['local', 'export', good, 'good.img', '--state', folder], { folder });
        assert.equal([exported.code, exported.stderr], [2, `error: image ${good} is not complete: its disks are still being copied, or the copy failed\n`]);
        await copied();
        assert.equal(await look(good), ['available', '']);
        hold();
        const bad = await make('bad');
        write(device, 'after!');
        await copied();
        assert.equal(await look(bad), ['failed', 'the volume was written to while it was being copied']);
        assert.equal(await look(good), ['available', '']);
      });
    }));

  test('a copy of an image, or of a snapshot, shares its disk: it is there at once, and stays when the first one goes', () =>
    withSlowCopies(async (slow) => {
      const { ask, copied, hold, local } = slow;
      const { snapshot } = await pendingSnapshot(slow);
      await copied();
      hold();
      const far = { region: 'local-2' };
      const copy = (await ask('CopySnapshot', { SourceRegion: 'local-1', SourceSnapshotId: snapshot }, far)).one('snapshotId');
      assert.is((await ask('DescribeSnapshots', { 'SnapshotId.1': copy }, far)).one('status'), 'completed');
      const mapping = { 'BlockDeviceMapping.1.DeviceName': '/dev/xvda', 'BlockDeviceMapping.1.Ebs.SnapshotId': snapshot };
      const image = (await ask('RegisterImage', { Name: 'one', RootDeviceName: '/dev/xvda', ...mapping })).one('imageId');
      const second = (await ask('CopyImage', { Name: 'two', SourceRegion: 'local-1', SourceImageId: image })).one('imageId');
      assert.is((await ask('DescribeImages', { 'ImageId.1': second })).one('imageState'), 'available');
      await ask('DeregisterImage', { ImageId: image, DeleteAssociatedSnapshots: 'true' });
      const disks = [local.storeOf('local-2').diskOf(copy), diskOf(slow, local.store.get('images', second)?.mappings[0]?.snapshot ?? '')];
      assert.equal(disks.map(startOf), ['before', 'before']);
      assert.equal(
        disksIn(slow).filter((name) => name.includes(snapshot)),
        [],
      );
    }));
});
