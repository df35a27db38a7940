import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { fromInstanceMetadata } from '@aws-sdk/credential-providers';
import { MetadataService } from '@aws-sdk/ec2-metadata-service';
import * as assert from 'uvu/assert';
import { heldBy } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { finished, run, start } from '../support/program.js';
import { deviceNamesFor, keysOf, makeTiny, requestsOf, type Server, serveIn, withServer } from '../support/served.js';
import { type Answered, ask, presigned } from '../support/signed.js';
import { suite } from '../support/suite.js';

function clientOf(server: Server, region = 'local-1'): EC2Client {
  return new EC2Client({ endpoint: server.endpoint, region, credentials: keysOf(server), maxAttempts: 1 });
}

/** Attaches a new volume of 1 GiB. */
async function attach(ec2: EC2Client): Promise<{ volume: string; device: string; alias: string }> {
  const { VolumeId: volume = '' } = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 }));
  const { Reservations: reservations } = await ec2.send(new DescribeInstancesCommand());
  const names = deviceNamesFor(volume);
  await ec2.send(new AttachVolumeCommand({ VolumeId: volume, InstanceId: reservations?.[0]?.Instances?.[0]?.InstanceId, Device: names.device }));
  return { volume, ...names };
}

/** A request by hand that is signed as it must be. */
function post({ endpoint: url, env }: Server, body: string): Promise<Answered> {
  return ask({ url, body, secret: env['AWS_SECRET_ACCESS_KEY'] });
}

suite('local serve', (test) => {
  test("AWS's own SDK over HTTP: volumes with nodes in /dev, which go when the server ends", async () => {
    const { alias: left, disk } = await withServer(async (server) => {
      const ec2 = clientOf(server);
      const { device, alias } = await attach(ec2);
      assert.match(readlinkSync(alias), /^loop[0-9]+$/);
      // Partitions come when somebody makes the kernel know them.
      execFileSync('sh', ['-ec', 'printf "label: gpt\\nsize=10MiB\\n" | sfdisk -q --no-reread --no-tell-kernel "$0" && partx --add "$0"', alias]);
      for (let waited = 0; !existsSync(`${alias}1`) && waited < 2000; waited += 20) await sleep(20);
      assert.is(readlinkSync(`${alias}1`), `${readlinkSync(alias)}p1`);
      const { Volumes: volumes } = await ec2.send(new DescribeVolumesCommand());
      assert.equal(
        volumes?.map((volume) => [volume.State, volume.Attachments?.[0]?.Device]),
        [['in-use', device]],
      );
      return { alias, disk: readlinkSync(alias) };
    });
    assert.equal(
      readdirSync('/dev').filter((name) => name.startsWith(basename(left))),
      [],
    );
    assert.not(existsSync(`/sys/block/${disk}/loop/backing_file`));
  });

  test('a volume in use stays when the server ends; that is said, with what to do, and exit code 5', () =>
    inFolder({}, async (folder) => {
      const first = await serveIn(folder);
      const { volume, alias } = await attach(clientOf(first));
      const held = openSync(alias, constants.O_RDONLY | constants.O_EXCL);
      const ended = await first.stop();
      closeSync(held);
      assert.equal([ended.code, ended.stderr.includes(`${volume} is still in use as /dev/loop`)], [5, true]);
      assert.match(ended.stderr, /: unmount it, then: chrootfile local detach --state \S+\n/);
      const second = await serveIn(folder);
      const { Volumes: volumes } = await clientOf(second).send(new DescribeVolumesCommand());
      assert.is(volumes?.[0]?.State, 'in-use');
      assert.is((await run(['local', 'detach'], { folder })).code, 4, 'not while a server has clients');
      const again = openSync(alias, constants.O_RDONLY | constants.O_EXCL);
      assert.is((await second.stop()).code, 5);
      assert.is((await run(['local', 'detach'], { folder })).code, 5);
      closeSync(again);
      assert.is((await run(['local', 'detach'], { folder })).code, 0);
      assert.not(existsSync(alias));
    }));

  test('the same recipe, the way it goes on EC2: metadata, credentials of the instance, then the calls', () =>
    withServer(async (server) => {
      await makeTiny(server);
      const asked = requestsOf(server).map(({ service, action }) => (service === 'imds' ? action.split('/').at(-1) : action));
      // What an answer says to be done already is not asked for again.
      assert.not(asked.includes('DescribeVolumes'), asked.join(' '));
      assert.ok(asked.includes('instance-id') && asked.includes('RegisterImage'), asked.join(' '));
      // Without keys in the environment, those of the instance are taken.
      const recipe = ['run', '--cloud', 'aws', '--endpoint', server.endpoint, 'r.yml'];
      const keyless = await run([...recipe, '--state', join(server.folder, 'runs')], {
        folder: writeRecipe(server.folder),
        env: { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: '' },
      });
      assert.is(keyless.code, 0, keyless.stdout + keyless.stderr);
      assert.ok(requestsOf(server).some(({ action }) => action === 'GET /latest/meta-data/iam/security-credentials/chrootfile'));
      const { Images: images } = await clientOf(server).send(new DescribeImagesCommand({ Owners: ['self'] }));
      assert.equal(
        images?.map((image) => image.Name),
        ['tiny'],
      );
    }));

  test('the metadata service, versions 1 and 2, on its own port and under the other', () =>
    withServer(async ({ endpoint, metadata, env }) => {
      const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' };
      for (const url of [endpoint, metadata]) {
        const { text: token } = await ask({ url: `${url}/latest/api/token`, method: 'PUT', headers: ttl });
        const get = (path: string, headers: Record<string, string> = {}) => ask({ url: `${url}/latest/${path}`, method: 'GET', headers });
        assert.is((await get('meta-data/placement/region', { 'x-aws-ec2-metadata-token': token })).text, 'eu-west-1');
        assert.is((await get('meta-data/placement/availability-zone')).text, 'eu-west-1a');
        assert.is((await get('meta-data/placement/', { 'x-aws-ec2-metadata-token': 'another' })).status, 401);
        assert.is((await get('meta-data/placement')).text, 'availability-zone\nregion');
        assert.is((await get('meta-data/nothing')).status, 404);
        assert.is((await get('user-data')).status, 404);
        assert.match(JSON.parse((await get('dynamic/instance-identity/document')).text).instanceId, /^i-[0-9a-f]{17}$/);
        assert.is((await ask({ url: `${url}/latest/api/token`, method: 'PUT' })).status, 400);
        assert.is((await ask({ url: `${url}/latest/api/token`, method: 'PUT', headers: { ...ttl, 'x-forwarded-for': '10.0.0.1' } })).status, 403);
        assert.is((await ask({ url: `${url}/latest/meta-data/` })).status, 405);
      }
      assert.is(await new MetadataService({ endpoint: metadata }).request('/latest/meta-data/services/partition', {}), 'aws');
      process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = metadata;
      try {
        const keys = await fromInstanceMetadata()();
        assert.equal(
          { ...keysOf({ env }), long: true },
          { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey, long: (keys.expiration?.getTime() ?? 0) > Date.now() + 3_600_000 },
        );
      } finally {
        delete process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
      }
    }, 'eu-west-1'));

  test('requests are signed with its key, by POST or GET, in a header or in the query; it names the account and the region', () =>
    withServer(async (server) => {
      const { endpoint, env } = server;
      const secret = env['AWS_SECRET_ACCESS_KEY'] ?? '';
      assert.match(secret, /^[A-Za-z0-9_-]{40}$/);
      const who = `${endpoint}/?Action=GetCallerIdentity&Version=2011-06-15`;
      const as = { url: who, secret, accessKeyId: '111111111111', region: 'local-3', service: 'sts' };
      assert.match((await ask({ url: presigned(as), method: 'GET' })).text, '<Account>111111111111</Account>');
      assert.match((await ask({ ...as, method: 'GET' })).text, '<Account>111111111111</Account>');
      const body = new URL(who).search.slice(1);
      assert.match((await ask({ ...as, url: endpoint, body, token: `expires-${Date.now()}` })).text, '<Account>111111111111</Account>');
      assert.match((await ask({ ...as, url: endpoint, body, token: 'expires-1' })).text, '<Code>RequestExpired</Code>');
      assert.match((await ask({ ...as, url: presigned({ ...as, token: 'expires-1' }), method: 'GET', secret: undefined })).text, '<Code>RequestExpired</Code>');
      const list = { url: `${endpoint}/?Action=DescribeVolumes&Version=2016-11-15&Filter.1.Name=tag%3Aa+b&Filter.1.Value.1=%2A~%C3%BC`, secret, method: 'GET' };
      assert.is((await ask(list)).status, 200);
      assert.is((await ask({ url: presigned(list), method: 'GET' })).status, 200);
      // The region of the signature becomes part of a path.
      const outside = await ask({ url: endpoint, body: 'Action=DescribeVolumes', secret, region: '..' });
      assert.match(outside.text, /IncompleteSignature|<Code>AuthFailure<\/Code><Message>Credential should be scoped to a valid region, not '..'/);
      assert.match((await ask({ url: endpoint, secret })).text, '<Code>MissingAction</Code>');
    }));

  test('latency and faults by its options; a connection is cut where a rule says so', () =>
    inFolder({ 'faults.json': '[{"action": "DescribeVolumes", "fault": "lost-before", "times": 1}]', 'slow.json': '{"volume": 60000}' }, async (folder) => {
      const server = await serveIn(folder, '--faults', join(folder, 'faults.json'), '--latency', join(folder, 'slow.json'));
      try {
        const ec2 = clientOf(server);
        assert.is((await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 }))).State, 'creating');
        const cut = await ec2.send(new DescribeVolumesCommand()).then(
          () => 'answered',
          (error: NodeJS.ErrnoException) => error.code,
        );
        assert.is(cut, 'ECONNRESET');
        assert.is((await ec2.send(new DescribeVolumesCommand())).Volumes?.[0]?.State, 'creating');
        assert.equal(
          requestsOf(server).map(({ action, status }) => [action, status]),
          [
            ['CreateVolume', 200],
            ['DescribeVolumes', undefined],
            ['DescribeVolumes', 200],
          ],
        );
      } finally {
        await server.stop();
      }
    }));

  test('a volume that is detached and attached again, while others look, is attached as was asked', () =>
    withServer(async (server) => {
      const ec2 = clientOf(server);
      const { volume: id, device } = await attach(ec2);
      const form = (action: string, more = '') => `Action=${action}&Version=2016-11-15${more}`;
      const instance = /<instanceId>([^<]+)/.exec((await post(server, form('DescribeInstances'))).text)?.[1];
      let over = false;
      const looking = Promise.all(
        Array.from({ length: 8 }, async () => {
          while (!over) await post(server, form('DescribeVolumes'));
        }),
      );
      for (let round = 0; round < 10; round += 1) {
        const detached = await post(server, form('DetachVolume', `&VolumeId=${id}`));
        assert.is(detached.status, 200, detached.text);
        const attached = await post(server, form('AttachVolume', `&VolumeId=${id}&InstanceId=${instance}&Device=${device}`));
        assert.is(attached.status, 200, attached.text);
        const { text } = await post(server, form('DescribeVolumes', `&VolumeId.1=${id}`));
        assert.match(text, `<device>${device}</device><status>attached</status>`);
      }
      over = true;
      await looking;
    }));

  test('one server for a state; a port that is taken, a file that is none', () =>
    withServer(async (server) => {
      const { folder } = server;
      const port = new URL(server.endpoint).port;
      const serve = (...args: string[]) => run(['local', 'serve', ...args], { folder });
      const same = await serve('--port', '0');
      assert.equal([same.code, /locked by process [0-9]+ \(local serve/.test(same.stderr)], [4, true]);
      const taken = await serve('--state', join(folder, 'other'), '--port', port);
      assert.equal([taken.code, taken.stderr.includes('--port 0')], [3, true]);
      writeFileSync(join(folder, 'slow.json'), '{"volum": 1}');
      writeFileSync(join(folder, 'rules.json'), '[{"action": "CreateVolume", "fault": "gone"}]');
      const refused: Readonly<Record<string, RegExp>> = {
        '--latency none.json': /none.json: ENOENT/,
        '--latency /dev/zero': /\/dev\/zero: it is not a regular file/,
        '--latency slow.json': /slow.json: unknown duration "volum"; known: call, visible, volume/,
        '--faults rules.json': /"fault":"gone".*: "fault" must be one of denied, throttled/,
        '--log none/log': /ENOENT.*none\/log/,
        '--port 70000': /write a port, 0 to 65535/,
        '--region ../x': /a region has a name such as local-1/,
      };
      for (const [line, text] of Object.entries(refused)) {
        const { code, stderr } = await serve('--state', join(folder, 'other'), ...line.split(' '));
        assert.is(code, 2, line);
        assert.match(stderr, text);
      }
      const reset = await run(['local', 'reset', '--yes'], { folder });
      assert.equal([reset.code, /served by process/.test(reset.stderr)], [4, true]);
    }));

  test('killed in the middle of work: what was being made is in error, can be deleted, and nothing half-written is left', () =>
    inFolder({}, async (folder) => {
      const server = await serveIn(folder);
      const ec2 = clientOf(server);
      const made = Array.from({ length: 30 }, () => ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 })).catch(() => undefined));
      await made[3];
      server.child.kill('SIGKILL');
      const known = (await Promise.all(made)).flatMap((volume) => volume?.VolumeId ?? []);
      // What a killed server leaves of a record that it was writing, and of a volume whose disk it was copying.
      const records = join(folder, 'state/local/local-1/volumes');
      writeFileSync(join(records, 'vol-0000000000000000a.json.1.new'), '{');
      const first = readdirSync(records).find((name) => name.endsWith('.json')) ?? '';
      const record = JSON.parse(readFileSync(join(records, first), 'utf8'));
      writeFileSync(join(records, first), JSON.stringify({ ...record, ready: false }));
      const next = await serveIn(folder);
      try {
        const after = clientOf(next);
        const { Volumes: volumes = [] } = await after.send(new DescribeVolumesCommand());
        assert.ok(known.every((id) => volumes.some(({ VolumeId }) => VolumeId === id)));
        assert.is(volumes.find(({ VolumeId }) => VolumeId === record.id)?.State, 'error');
        assert.equal(
          readdirSync(records).filter((name) => name.endsWith('.new')),
          [],
        );
        for (const { VolumeId } of volumes) {
          const form = `Action=DeleteVolume&Version=2016-11-15&VolumeId=${VolumeId}`;
          assert.is((await post(next, form)).status, 200);
        }
        assert.equal(heldBy(folder), []);
      } finally {
        await next.stop();
      }
    }));

  test('what it says to type can be typed, in the same state folder', () =>
    inFolder({ 'my state/.keep': '' }, async (folder) => {
      const state = join(folder, 'my state');
      const started = start(['local', 'serve', '--port', '0', '--metadata-port', '0', '--state', state], { folder });
      await started.saw('Ctrl-C stops the server.');
      started.child.kill('SIGINT');
      const { stdout } = await started.ended;
      assert.match(stdout, `local env --state '${state}')`);
      assert.match(stdout, new RegExp(`run --cloud aws --endpoint \\S+ RECIPE --state '${state}'\n`));
    }));

  test('a run of the program and a server share one state', () =>
    withServer(async (server) => {
      const { folder } = server;
      writeRecipe(folder);
      const ended = await start(['run', join(folder, 'r.yml'), '--format', 'json'], { folder }).ended;
      assert.is(finished(ended)['ok'], true, ended.stdout);
      const { Snapshots: snapshots } = await clientOf(server).send(new (await import('@aws-sdk/client-ec2')).DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
      assert.is(snapshots?.length, 1);
    }));
});

function writeRecipe(folder: string): string {
  const text =
    'version: 1\nname: r\ntasks:\n  volume: {uses: ec2.volume, with: {size: 1}}\n  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}\n';
  writeFileSync(join(folder, 'r.yml'), text);
  return folder;
}
