import { execFileSync } from 'node:child_process';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateSnapshotCommand, CreateVolumeCommand, DescribeSnapshotsCommand, EC2Client, waitUntilSnapshotCompleted } from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import { keysOf, runProgram, type Server, withServer } from '../support/served.js';
import { suite } from '../support/suite.js';

// `npm run test:coldsnap`, which installs the program first: that takes minutes, so `npm run test:outside` goes without.

const coldsnap = process.env['CHROOTFILE_COLDSNAP'] ?? '';

async function ok(server: Server, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram([coldsnap, '--endpoint', server.endpoint, ...args], server);
  assert.is(code, 0, `coldsnap ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Whether two disks have the same bytes. A program compares them, because they are large. */
function mustBeEqual(disk: string, other: string): void {
  execFileSync('cmp', [disk, other]);
  assert.is(statSync(disk).size, statSync(other).size);
}

/** A disk of 2 GiB with a file system that has a file of 100 MiB. */
function makeDisk(folder: string): string {
  const [disk, data] = [join(folder, 'disk.img'), join(folder, 'data')];
  writeFileSync(disk, '');
  truncateSync(disk, 2 * 2 ** 30);
  execFileSync('sh', ['-ec', 'mkdir "$1" && head -c 100M /dev/urandom > "$1/random" && mkfs.ext4 -q -d "$1" "$0"', disk, data]);
  return disk;
}

suite('coldsnap', (test) => {
  test(
    'uploads a disk and downloads it again, byte for byte, also from a snapshot of a volume',
    () =>
      withServer(async (server) => {
        const disk = makeDisk(server.folder);
        const id = await ok(server, 'upload', '--no-progress', '--wait', '--description', 'mine', '--tag', 'Key=Name,Value=v', disk);
        const ec2 = new EC2Client({ endpoint: server.endpoint, region: 'local-1', credentials: keysOf(server) });
        const { Snapshots: shown } = await ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] }));
        assert.equal(
          shown?.map((one) => [one.State, one.VolumeSize, one.Description, one.Tags]),
          [['completed', 2, 'mine', [{ Key: 'Name', Value: 'v' }]]],
        );
        const copy = join(server.folder, 'copy.img');
        await ok(server, 'download', '--no-progress', id, copy);
        mustBeEqual(disk, copy);
        const { VolumeId: volume } = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', SnapshotId: id }));
        const { SnapshotId: second = '' } = await ec2.send(new CreateSnapshotCommand({ VolumeId: volume }));
        await waitUntilSnapshotCompleted({ client: ec2, maxWaitTime: 600 }, { SnapshotIds: [second] });
        const again = join(server.folder, 'again.img');
        await ok(server, 'download', '--no-progress', second, again);
        mustBeEqual(disk, again);
      }),
    600_000,
  );
});
