import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { CreateTagsCommand, DeleteTagsCommand, DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { keysOf, type Server, serveIn, withServer } from '../support/served.js';
import { ask } from '../support/signed.js';
import { suite } from '../support/suite.js';

/** What the metadata service has by a path; the status where that is not 200. */
async function get({ metadata }: Server, path: string): Promise<string> {
  const { status, text } = await ask({ url: `${metadata}/latest/${path}`, method: 'GET' });
  return status === 200 ? text : String(status);
}

suite('the metadata service', (test) => {
  test('says of this machine what DescribeInstances says, in folders that list what they have', () =>
    withServer(async (server) => {
      const ec2 = new EC2Client({ endpoint: server.endpoint, region: 'eu-west-1', credentials: keysOf(server) });
      const { Reservations: [reservation] = [] } = await ec2.send(new DescribeInstancesCommand());
      const instance = reservation?.Instances?.[0];
      assert.is(await get(server, ''), 'dynamic\nmeta-data');
      assert.is(
        (await get(server, 'meta-data/')).replace('public-keys/\n', ''),
        'ami-id\nhostname\niam/\ninstance-id\ninstance-type\nlocal-hostname\nlocal-ipv4\nmac\nnetwork/\nplacement/\nsecurity-groups\nservices/',
      );
      assert.is(await get(server, 'meta-data/ami-id'), instance?.ImageId);
      assert.is(await get(server, 'meta-data/local-ipv4'), instance?.PrivateIpAddress);
      assert.is(await get(server, 'meta-data/security-groups'), 'default');
      const mac = await get(server, 'meta-data/mac');
      const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
      const { netmask = '' } = own.find((one) => one.mac === mac && one.address === instance?.PrivateIpAddress) ?? {};
      assert.match(netmask, /^255\./);
      const macs = 'meta-data/network/interfaces/macs';
      assert.equal([await get(server, macs), await get(server, 'meta-data/network/interfaces')], [`${mac}/`, 'macs/']);
      const leaves = (await get(server, `${macs}/${mac}/`)).split('\n');
      const found = Object.fromEntries(await Promise.all(leaves.map(async (leaf) => [leaf, await get(server, `${macs}/${mac}/${leaf}`)])));
      const { 'subnet-ipv4-cidr-block': network = '', ...facts } = found as Record<string, string>;
      assert.match(network, /^[0-9.]+\.[0-9]+\/[0-9]{1,2}$/);
      for (const id of ['interface-id', 'security-group-ids', 'subnet-id', 'vpc-id']) assert.match(facts[id] ?? '', /^(eni|sg|subnet|vpc)-[0-9a-f]{17}$/);
      assert.equal(
        ['device-number', 'local-ipv4s', 'mac', 'owner-id', 'security-groups', 'vpc-ipv4-cidr-block'].map((leaf) => facts[leaf]),
        ['0', instance?.PrivateIpAddress, mac, reservation?.OwnerId, 'default', network],
      );
      assert.is(await get(server, `${macs}/${encodeURIComponent(mac)}/mac`), mac);
      for (const none of ['user-data', 'meta-data/tags', 'dynamic/instance-identity/pkcs7', `${macs}/x`, 'meta-data/%', 'constructor'])
        assert.is(await get(server, none), '404', none);
      assert.is(await get(server, 'dynamic/instance-identity/'), 'document');
      assert.equal(JSON.parse(await get(server, 'dynamic/instance-identity/document')), {
        accountId: reservation?.OwnerId,
        architecture: instance?.Architecture,
        availabilityZone: instance?.Placement?.AvailabilityZone,
        billingProducts: null,
        devpayProductCodes: null,
        imageId: instance?.ImageId,
        instanceId: instance?.InstanceId,
        instanceType: instance?.InstanceType,
        kernelId: null,
        marketplaceProductCodes: null,
        pendingTime: instance?.LaunchTime?.toISOString().replace('.000Z', 'Z'),
        privateIp: instance?.PrivateIpAddress,
        ramdiskId: null,
        region: 'eu-west-1',
        version: '2017-09-30',
      });
    }, 'eu-west-1'));

  test('the tags of this machine, as they are at the moment: those whose keys can be in a path', () =>
    withServer(async (server) => {
      const ec2 = new EC2Client({ endpoint: server.endpoint, region: 'local-1', credentials: keysOf(server) });
      const { Reservations: [reservation] = [] } = await ec2.send(new DescribeInstancesCommand());
      const Resources = [reservation?.Instances?.[0]?.InstanceId ?? ''];
      const Tags = Object.entries({ Name: 'a host', 'team:cost=1': 'é', 'with space': 'x', 'a/b': 'x', '..': 'x' });
      await ec2.send(new CreateTagsCommand({ Resources, Tags: Tags.map(([Key, Value]) => ({ Key, Value })) }));
      assert.equal([await get(server, 'meta-data/tags'), await get(server, 'meta-data/tags/instance/')], ['instance/', 'Name\nteam:cost=1']);
      assert.equal([await get(server, 'meta-data/tags/instance/Name'), await get(server, 'meta-data/tags/instance/team:cost=1')], ['a host', 'é']);
      assert.is(await get(server, 'meta-data/tags/instance/with%20space'), '404');
      await ec2.send(new DeleteTagsCommand({ Resources }));
      assert.is(await get(server, 'meta-data/tags/instance'), '404');
    }));

  test('the keys that its owner may log in with, by number and name', () =>
    inFolder({}, async (folder) => {
      mkdirSync(join(folder, '.ssh'));
      const keys = ['ssh-ed25519 AAAA me@host', 'ecdsa-sha2-nistp256 BBBB'];
      writeFileSync(join(folder, '.ssh/authorized_keys'), `# mine\n${keys[0]}\ncommand="false" ssh-rsa CCCC other\n\n${keys[1]}\n`);
      const home = process.env['HOME'] ?? '';
      process.env['HOME'] = folder;
      const server = await serveIn(folder).finally(() => {
        process.env['HOME'] = home;
      });
      try {
        const at = 'meta-data/public-keys';
        assert.equal([await get(server, `${at}/`), await get(server, `${at}/0/`)], ['0=me@host\n1=key-1', 'openssh-key']);
        assert.equal([await get(server, `${at}/0/openssh-key`), await get(server, `${at}/1/openssh-key`)], keys);
        assert.is(await get(server, `${at}/2`), '404');
        rmSync(join(folder, '.ssh'), { recursive: true });
        assert.is(await get(server, at), '404');
      } finally {
        await server.stop();
      }
    }));
});
