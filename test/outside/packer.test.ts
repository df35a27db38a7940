import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { recordsOf } from '../support/ec2.js';
import { program } from '../support/program.js';
import { makeTiny, requestsOf, runProgram, type Server, tidyAfterPacker, withServer } from '../support/served.js';
import { suite } from '../support/suite.js';

/** Debian's Packer builds an image with its own builder. */
function build(server: Server, name: string, more: object = {}) {
  const template = {
    builders: [
      {
        type: 'amazon-chroot',
        access_key: server.env['AWS_ACCESS_KEY_ID'],
        secret_key: server.env['AWS_SECRET_ACCESS_KEY'],
        region: 'local-1',
        custom_endpoint_ec2: server.endpoint,
        source_ami_filter: { filters: { name: 'tiny' }, owners: ['self'] },
        ami_name: name,
        ...more,
      },
    ],
    provisioners: [{ type: 'shell', inline: [`echo hi from ${name} > /etc/hello`] }],
  };
  const file = join(server.folder, `${name}.json`);
  writeFileSync(file, JSON.stringify(template));
  // It asks its makers whether there is a newer version otherwise.
  return runProgram(['packer', 'build', '-color=false', file], server, { CHECKPOINT_DISABLE: '1', AWS_POLL_DELAY_SECONDS: '1' });
}

/** A file in the root partition of an image's snapshot, by e2fsprogs. */
function inImage({ folder }: Server, name: string, file: string): string {
  const image = recordsOf(folder, 'local-1', 'images').find((record) => record['name'] === name) as { mappings: { snapshot: string }[] } | undefined;
  const disk = join(folder, 'state/local/local-1/disks', `${image?.mappings[0]?.snapshot}.img`);
  return execFileSync('debugfs', ['-R', `cat ${file}`, `${disk}?offset=1048576`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** An image in a region: its id, and whether its snapshot is encrypted, with which key. */
function imageIn({ folder }: Server, region: string, name: string): { id: string; encrypted: unknown; key: unknown } {
  const image = recordsOf(folder, region, 'images').find((record) => record['name'] === name) as { id: string; mappings: { snapshot: string }[] } | undefined;
  const snapshot = recordsOf(folder, region, 'snapshots').find(({ id }) => id === image?.mappings[0]?.snapshot);
  return { id: image?.id ?? 'none', encrypted: snapshot?.['encrypted'], key: snapshot?.['kmsKey'] };
}

suite("Packer's amazon-chroot", (test) => {
  test(
    "builds, as Debian has it; what it made is the source of a run of chrootfile's",
    () =>
      withServer(async (server) => {
        await makeTiny(server);
        const { code, stdout, stderr } = await build(server, 'by-packer', { device_path: '/dev/xvdk' });
        assert.is(code, 0, stdout + stderr);
        assert.match(stdout, /local-1: ami-[0-9a-f]{17}/);
        assert.is(inImage(server, 'by-packer', '/etc/hello'), 'hi from by-packer\n');
        assert.equal(recordsOf(server.folder, 'local-1', 'volumes'), []);
        const asked = requestsOf(server).filter(({ service }) => service === 'imds');
        assert.ok(asked.some(({ action }) => action === 'GET /latest/dynamic/instance-identity/document'));
        const recipe = `version: 1
name: next
cloud: {provider: aws, endpoint: "${server.endpoint}"}
includes:
  ami: {recipe: ${join(import.meta.dirname, '../../recipes/lib/amazon_chroot.yml')}, with: {source_ami_filter: {name: by-packer}, ami_name: next}}
tasks:
  read: {in: ami.chroot, run: "cat /etc/hello; echo and chrootfile >> /etc/hello"}
outputs: {image_id: "{{ ami.image_id }}"}
`;
        writeFileSync(join(server.folder, 'next.yml'), recipe);
        const next = await runProgram([program, 'run', 'next.yml', '--state', join(server.folder, 'runs')], server);
        assert.is(next.code, 0, next.stdout + next.stderr);
        assert.is(inImage(server, 'next', '/etc/hello'), 'hi from by-packer\nand chrootfile\n');
        tidyAfterPacker(['xvdk']);
      }),
    60_000,
  );

  test(
    'four at once, with latency: four images, nothing else',
    () =>
      withServer(
        async (server) => {
          await makeTiny(server);
          const devices = ['xvdg', 'xvdh', 'xvdi', 'xvdj'];
          const all = await Promise.all(devices.map((device) => build(server, `image-${device}`, { device_path: `/dev/${device}` })));
          for (const { code, stdout, stderr } of all) assert.is(code, 0, stdout + stderr);
          for (const device of devices) assert.is(inImage(server, `image-${device}`, '/etc/hello'), `hi from image-${device}\n`);
          assert.equal(recordsOf(server.folder, 'local-1', 'volumes'), []);
          assert.is(recordsOf(server.folder, 'local-1', 'snapshots').length, 5);
          tidyAfterPacker(devices);
        },
        'local-1',
        { volume: 300, attach: 300, detach: 300, snapshot: 500, image: 300 },
      ),
    120_000,
  );

  test(
    'copies to other regions with `ami_regions`, encrypted with `encrypt_boot`, with no key and with one for each region',
    () =>
      withServer(async (server) => {
        await makeTiny(server);
        const regions = ['local-2', 'local-3'];
        const builds = [
          { name: 'plain', more: {}, keys: { 'local-1': 'none', 'local-2': 'none', 'local-3': 'none' } },
          { name: 'encrypted', more: { encrypt_boot: true }, keys: { 'local-1': 'default', 'local-2': 'default', 'local-3': 'default' } },
          {
            name: 'keyed',
            more: { encrypt_boot: true, kms_key_id: 'alias/one', region_kms_key_ids: { 'local-2': 'alias/two', 'local-3': '' } },
            keys: { 'local-1': 'alias/one', 'local-2': 'alias/two', 'local-3': 'default' },
          },
        ];
        for (const { name, more, keys } of builds) {
          const { code, stdout, stderr } = await build(server, name, { device_path: '/dev/xvdl', ami_regions: regions, ...more });
          assert.is(code, 0, stdout + stderr);
          const found = Object.keys(keys).map((region) => [region, imageIn(server, region, name)] as const);
          for (const [region, { id }] of found) assert.ok(stdout.includes(`${region}: ${id}`), `${region}: ${id}\n${stdout}`);
          assert.equal(Object.fromEntries(found.map(([region, { encrypted, key }]) => [region, encrypted ? (key ?? 'default') : 'none'])), keys, stdout);
        }
        for (const kind of ['images', 'snapshots']) {
          const counts = ['local-1', ...regions].map((region) => recordsOf(server.folder, region, kind).length);
          assert.equal(counts, [4, 3, 3], kind);
        }
        tidyAfterPacker(['xvdl']);
      }),
    120_000,
  );

  test(
    'its devices are found by Packer itself where the host has such names',
    () =>
      withServer(async (server) => {
        await makeTiny(server);
        // It looks for a name that begins with sd or xvd among the host's disks; here there may be none.
        const script = `mount -t tmpfs none /sys/block && mkdir /sys/block/xvda && for d in /sys/devices/virtual/block/loop*; do ln -s "$d" /sys/block/; done && exec "$@"`;
        writeFileSync(join(server.folder, 'auto.json'), '');
        mkdirSync(join(server.folder, 'bin'));
        writeFileSync(join(server.folder, 'bin/packer'), `#!/bin/sh\nexec unshare --mount -- /bin/sh -c '${script}' packer /usr/bin/packer "$@"\n`, {
          mode: 0o755,
        });
        const path = process.env['PATH'];
        process.env['PATH'] = `${join(server.folder, 'bin')}:${path}`;
        try {
          const { code, stdout, stderr } = await build(server, 'auto');
          assert.is(code, 0, stdout + stderr);
          assert.is(inImage(server, 'auto', '/etc/hello'), 'hi from auto\n');
        } finally {
          process.env['PATH'] = path;
        }
        tidyAfterPacker(readdirSync('/mnt/packer-amazon-chroot-volumes'));
      }),
    60_000,
  );
});
