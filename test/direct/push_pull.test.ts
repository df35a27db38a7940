import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeImagesCommand, DescribeSnapshotsCommand, EC2Client } from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { areEqual } from '../support/direct.js';
import { type Direct, withDirect } from '../support/direct_runs.js';
import { heldBy } from '../support/ec2.js';
import { finished, run, start } from '../support/program.js';
import { keysOf, requestsOf } from '../support/served.js';
import { suite } from '../support/suite.js';

/** An image with two volumes, and one task more for what is made on it. */
const image = (name: string, from = '', more = '') => `tasks:
  volume: {uses: ec2.volume, with: {${from === '' ? 'size: 1' : `snapshot_id: ${from}`}}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  write: {run: "yes ${name} | head -c 600000 | dd of={{ disk.device }} bs=1M ${more} conv=fsync,notrunc status=none"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image:
    uses: ec2.image
    with:
      name: ${name}
      description: "of ${name}"
      snapshot: "{{ snapshot.id }}"
      boot_mode: uefi
      imds_support: v2.0
      block_device_mappings: [{device_name: /dev/sdb, snapshot_id: "{{ snapshot.id }}", volume_size: 2}, {device_name: /dev/sdc, virtual_name: ephemeral0}]
      tags: {team: a}
outputs: {image_id: "{{ image.id }}", snapshot_id: "{{ snapshot.id }}"}
`;

function diskIn(state: string, region: string, id: string): string {
  return localEc2(state, region).store.diskOf(id);
}

/** What an image has besides ids and tags. */
async function shown(ec2: EC2Client, id: string) {
  const { Images: [found] = [] } = await ec2.send(new DescribeImagesCommand({ ImageIds: [id] }));
  const devices = found?.BlockDeviceMappings?.map(({ Ebs: { SnapshotId: _, ...ebs } = {}, ...device }) => ({ ...device, ebs }));
  const { Name, Description, Architecture, BootMode, EnaSupport, ImdsSupport, RootDeviceName } = found ?? {};
  const snapshots = (found?.BlockDeviceMappings ?? []).flatMap((each) => each.Ebs?.SnapshotId ?? []);
  return { image: { Name, Description, Architecture, BootMode, EnaSupport, ImdsSupport, RootDeviceName, devices }, snapshots, tags: found?.Tags ?? [] };
}

/** The served EC2, and the one of this machine. */
function clientsOf({ server, folder }: Direct) {
  const local = localEc2(join(folder, 'state'), 'eu-west-1');
  const credentials = { accessKeyId: '000000000000', secretAccessKey: 'local' };
  return {
    served: new EC2Client({ endpoint: server.endpoint, region: 'eu-west-1', credentials: keysOf(server) }),
    here: new EC2Client({ endpoint: 'http://ec2.invalid', region: 'eu-west-1', credentials, requestHandler: local.requestHandler as never }),
  };
}

function asked({ server }: Direct, action: string): number {
  return requestsOf(server).filter((request) => request.action === action).length;
}

/** Makes an image in the served EC2, or in the one of this machine, with the same program. */
async function made(direct: Direct, name: string, where: readonly string[], ...recipe: Parameters<typeof image> extends [string, ...infer R] ? R : never) {
  const { folder } = direct;
  writeFileSync(join(folder, `${name}.yml`), `version: 1\nname: r\n${image(name, ...recipe)}`);
  const ended = await run(['run', `${name}.yml`, ...where, '--format', 'json'], { folder, env: direct.server.env });
  assert.is(ended.code, 0, ended.stdout + ended.stderr);
  const { outputs } = finished(ended);
  const { image_id: made, snapshot_id: snapshot } = outputs as { image_id: string; snapshot_id: string };
  return { image: made, snapshot };
}

suite('pull and push', (test) => {
  test('an image comes as it is, is pulled only once, and goes back as a difference once built on', () =>
    withDirect(async (direct) => {
      const { server, folder, env } = direct;
      const { served, here } = clientsOf(direct);
      const remote = await made(direct, 'base', ['--cloud', 'aws', '--endpoint', server.endpoint, '--state', join(server.folder, 'runs')]);
      const cloud = ['--endpoint', server.endpoint];
      const pulled = await run(['pull', remote.image, ...cloud, '--json'], { folder, env });
      assert.is(pulled.code, 0, pulled.stdout + pulled.stderr);
      const { image_id: own, region } = finished(pulled)['outputs'] as { image_id: string; region: string };
      assert.is(region, 'eu-west-1');
      const [there, copy] = [await shown(served, remote.image), await shown(here, own)];
      assert.equal(copy.image, there.image);
      const tags = Object.fromEntries(copy.tags.map(({ Key, Value }) => [Key, Value]));
      assert.equal([tags['team'], tags['chrootfile:copy-of'], tags['chrootfile:state']], ['a', `eu-west-1/${remote.image}`, 'kept']);
      const [disk, other] = [
        diskIn(join(folder, 'state'), 'eu-west-1', copy.snapshots[0] ?? ''),
        diskIn(join(server.folder, 'state'), 'eu-west-1', remote.snapshot),
      ];
      assert.ok(await areEqual(disk, other));

      const gets = asked(direct, 'GetSnapshotBlock');
      const again = await run(['pull', remote.image, ...cloud, '--json'], { folder, env });
      assert.equal([finished(again)['outputs'], asked(direct, 'GetSnapshotBlock')], [{ image_id: own, region }, gets]);

      // The copies are part of the image now.
      const pruned = await run(['layers', 'prune', '--keep', '1K'], { folder });
      assert.equal([pruned.code, pruned.stderr], [0, '']);
      const next = await made(direct, 'next', ['--cloud', 'local', '--region', 'eu-west-1'], copy.snapshots[0], 'seek=512');
      const pushed = await run(['push', next.image, ...cloud, '--name', 'next-1', '--json'], { folder, env });
      assert.is(pushed.code, 0, pushed.stdout + pushed.stderr);
      const { image_id: result } = finished(pushed)['outputs'] as { image_id: string };
      const [back, mine] = [await shown(served, result), await shown(here, next.image)];
      assert.equal(back.image, { ...mine.image, Name: 'next-1' });
      for (const snapshot of back.snapshots) {
        assert.ok(await areEqual(diskIn(join(folder, 'state'), 'eu-west-1', next.snapshot), diskIn(join(server.folder, 'state'), 'eu-west-1', snapshot)));
      }
      // 600,000 bytes are two blocks; the second volume has the same snapshot, which is not sent again.
      assert.is(asked(direct, 'PutSnapshotBlock'), 2);
      const destroyed = await run(['destroy', String(finished(pushed)['run']), '--yes'], { folder, env });
      assert.is(destroyed.code, 0, destroyed.stderr);
      const { Snapshots: left = [] } = await served.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
      assert.equal(
        left.map(({ SnapshotId }) => SnapshotId),
        [remote.snapshot],
      );
    }));

  test('what cannot be pulled or pushed is said first', () =>
    withDirect(async ({ server, folder, env }) => {
      const cloud = ['--endpoint', server.endpoint, '--format', 'plain'];
      const pulled = await run(['pull', 'ami-0123456789abcdef0', ...cloud], { folder, env });
      assert.is(pulled.code, 1);
      assert.match(pulled.stderr, /InvalidAMIID\.NotFound/);
      const pushed = await run(['push', 'ami-0123456789abcdef0', ...cloud], { folder, env });
      assert.equal(
        [pushed.code, pushed.stderr],
        [2, 'error: the embedded EC2 has no image ami-0123456789abcdef0\n  help: list its images with chrootfile local images\n'],
      );
    }));

  test('a push that is killed leaves nothing behind after undo', () =>
    withDirect(async (direct) => {
      const { server, folder, env } = direct;
      const { served } = clientsOf(direct);
      const own = await made(direct, 'base', ['--cloud', 'local', '--region', 'local-1']);
      const pushing = start(['push', own.image, '--endpoint', server.endpoint, '--format', 'json'], { folder, env });
      await pushing.saw('"task":"push"');
      const pause = () => new Promise((done) => setTimeout(done, 20));
      while (asked(direct, 'StartSnapshot') === 0) await pause();
      pushing.child.kill('SIGKILL');
      await pushing.ended;
      const undone = await run(['undo', '--all'], { folder, env });
      assert.is(undone.code, 0, undone.stdout + undone.stderr);
      const { Snapshots: left = [] } = await served.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
      assert.equal(left, []);
      assert.equal(
        heldBy(folder)
          .map((each) => each.split(' ').slice(0, 2).join(' '))
          .sort(),
        ['local-1 images', 'local-1 snapshots'],
      );
    }));
});
