import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, linkSync, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  EC2Client,
  waitUntilSnapshotCompleted,
  waitUntilVolumeAvailable,
} from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import { heldBy, recordsOf } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { run, start } from '../support/program.js';
import { keysOf, type Server, serveIn } from '../support/served.js';
import { suite } from '../support/suite.js';

/** A folder whose state is on a file system that shares no blocks: there a disk is copied as fast as the host writes. */
function withoutReflinks(body: (folder: string) => Promise<void>): Promise<void> {
  return inFolder({ 'ext4.img': '' }, async (folder) => {
    const [file, local] = [join(folder, 'ext4.img'), join(folder, 'state/local')];
    truncateSync(file, 8 * 2 ** 30);
    execFileSync('mkfs.ext4', ['-q', file]);
    mkdirSync(local, { recursive: true, mode: 0o700 });
    execFileSync('mount', ['-o', 'loop', file, local]);
    try {
      await body(folder);
    } finally {
      execFileSync('umount', [local]);
    }
  });
}

const dataBytes = 1.2e9;

/** Fills a disk with data, no two parts of it alike. */
function fill(disk: string): void {
  const part = randomBytes(1e6);
  const fd = openSync(disk, 'r+');
  for (let at = 0; at < dataBytes; at += part.length) {
    part.writeDoubleBE(at);
    writeSync(fd, part, 0, part.length, at);
  }
  closeSync(fd);
}

function clientOf(server: Server): EC2Client {
  return new EC2Client({ endpoint: server.endpoint, region: 'local-1', credentials: keysOf(server), maxAttempts: 1 });
}

function diskOf(folder: string, id: string): string {
  return join(folder, 'state/local/local-1/disks', `${id}.img`);
}

/** A new volume of 2 GiB that has data; gives its id, and the data as a file that stays. */
async function volumeWithData(ec2: EC2Client, folder: string): Promise<{ id: string; data: string }> {
  const { VolumeId: id = '' } = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 2 }));
  fill(diskOf(folder, id));
  const data = join(folder, 'state/local/data');
  linkSync(diskOf(folder, id), data);
  return { id, data };
}

/** Does something, which must be answered within a second, as clients with time limits want it. */
async function soon<T>(action: Promise<T>): Promise<T> {
  const started = performance.now();
  const answer = await action;
  assert.ok(performance.now() - started < 1_000, `answered after ${Math.round(performance.now() - started)} ms`);
  return answer;
}

async function snapshotOf(ec2: EC2Client, id: string) {
  const { Snapshots: [snapshot] = [] } = await ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] }));
  return snapshot;
}

const waiting = { maxWaitTime: 100, minDelay: 1, maxDelay: 1 };

suite('1.2 GB on a file system that shares no blocks', (test) => {
  test('answered as pending; completed by the next server where the first one was killed, though the volume is gone', () =>
    withoutReflinks(async (folder) => {
      const first = await serveIn(folder);
      const before = clientOf(first);
      const { id, data } = await volumeWithData(before, folder);
      const { SnapshotId = '' } = await soon(before.send(new CreateSnapshotCommand({ VolumeId: id })));
      const seen = await snapshotOf(before, SnapshotId);
      assert.is(seen?.State, 'pending');
      assert.match(seen?.Progress ?? '', /^[0-9]{1,2}%$/);
      await before.send(new DeleteVolumeCommand({ VolumeId: id }));
      first.child.kill('SIGKILL');
      // Nobody goes on with it: that is found, not changed.
      const checked = await run(['local', 'check'], { folder });
      assert.equal([checked.code, /^unfinished .*--repair finishes it/m.test(checked.stdout)], [1, true], checked.stdout);
      const next = await serveIn(folder);
      try {
        const ec2 = clientOf(next);
        assert.is((await snapshotOf(ec2, SnapshotId))?.State, 'pending');
        await waitUntilSnapshotCompleted({ client: ec2, ...waiting }, { SnapshotIds: [SnapshotId] });
        execFileSync('cmp', [data, diskOf(folder, SnapshotId)]);
        const { VolumeId = '' } = await soon(ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', SnapshotId })));
        const { Volumes: [volume] = [] } = await ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] }));
        assert.is(volume?.State, 'creating');
        await ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
        next.child.kill('SIGKILL');
        assert.is((await run(['local', 'check', '--repair'], { folder })).stdout, 'no damage found\n');
        const last = await serveIn(folder);
        await waitUntilVolumeAvailable({ client: clientOf(last), ...waiting }, { VolumeIds: [VolumeId] });
        await last.stop();
        execFileSync('cmp', [data, diskOf(folder, VolumeId)]);
        assert.equal(heldBy(folder), [`local-1 volumes ${VolumeId}`]);
      } finally {
        await next.stop();
      }
    }));

  test('a run that is killed during its snapshot: undo leaves nothing', () =>
    withoutReflinks(async (folder) => {
      writeFileSync(join(folder, 'data'), '');
      truncateSync(join(folder, 'data'), dataBytes);
      fill(join(folder, 'data'));
      const recipe = `version: 1
name: r
tasks:
  volume: {uses: ec2.volume, with: {size: 2}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  data: {run: "dd if=${folder}/data of={{ disk.device }} bs=1M status=none"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
`;
      writeFileSync(join(folder, 'r.yml'), recipe);
      const started = start(['run', 'r.yml', '--format', 'json'], { folder });
      // What it says once it has been answered, and waits.
      await started.saw('"text":"snapshot"');
      started.child.kill('SIGKILL');
      await started.ended;
      const [record] = recordsOf(folder, 'local-1', 'snapshots');
      assert.is(record?.['ready'], false);
      assert.ok(existsSync(diskOf(folder, String(record?.['id']))));
      const undone = await run(['undo', '--all'], { folder });
      assert.is(undone.code, 0, undone.stdout + undone.stderr);
      assert.equal(heldBy(folder), []);
    }));
});
