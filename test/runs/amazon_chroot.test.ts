import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import type { FaultRule } from '../../src/local/fault_injection.js';
import { base, heldBy, library, misbehaving, pipeline, recordsOf } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { repository, run, start } from '../support/program.js';
import { type RunResult, runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

/** Every option of the builder, from its first version to that of July 2026. */
const options = `access_key secret_key token region profile shared_credentials_file mfa_code assume_role vault_aws_engine custom_endpoint_ec2
  insecure_skip_tls_verify max_retries decode_authorization_messages skip_metadata_api_check skip_credential_validation aws_polling
  source_ami source_ami_filter from_scratch root_volume_size root_volume_type root_volume_tags root_volume_tag root_volume_encrypt_boot
  root_volume_kms_key_id device_path nvme_device_path mount_partition mount_options mount_path pre_mount_commands post_mount_commands
  mount_command unmount_command chroot_mounts copy_files command_wrapper ami_name ami_description ami_users ami_groups ami_org_arns ami_ou_arns
  ami_product_codes ami_virtualization_type ami_architecture boot_mode uefi_data tpm_support imds_support ena_support sriov_support
  ami_block_device_mappings root_device_name force_deregister deprecate_at deregistration_protection tags tag ami_regions
  skip_region_validation encrypt_boot kms_key_id region_kms_key_ids skip_save_build_region snapshot_copy_duration_minutes snapshot_tags
  snapshot_tag snapshot_users snapshot_groups force_delete_snapshot`.split(/\s+/);

/** Defaults of the builder that are not "nothing". */
const defaults: Readonly<Record<string, unknown>> = { copy_files: ['/etc/resolv.conf'] };

const including = (given: string) =>
  `includes: {ami: {recipe: ${library}, with: {source_ami_filter: {name: "tiny-*"}, most_recent: true, ami_name: next, ${given}}}}\n`;

async function tinyImage(folder: string): Promise<void> {
  const made = await run(['run', join(repository, 'test/fixtures/tiny.yml')], { folder });
  assert.is(made.code, 0, made.stdout + made.stderr);
}

/** The source image of the pipeline, and what the embedded EC2 holds then. */
async function baseImage(folder: string): Promise<string[]> {
  const made = await runRecipe(folder, base);
  assert.is(made.code, 0, made.ended.stdout);
  // Long ago: it is not pending, however slow the embedded EC2 is made.
  for (const kind of ['images', 'snapshots']) {
    for (const record of recordsOf(folder, 'local-1', kind)) changeRecord(folder, kind, { ...record, created: '2026-01-01T00:00:00.000Z' });
  }
  return heldBy(folder);
}

function changeRecord(folder: string, kind: string, record: Readonly<Record<string, unknown>>): void {
  writeFileSync(join(folder, 'state/local/local-1', kind, `${record['id']}.json`), JSON.stringify(record));
}

function failure({ errors, ended }: RunResult, task: string): string {
  return errors[task] ?? ended.stdout;
}

/** Values that do not fit a kind, found before the run, at the line of the include. */
const unfitValues: readonly (readonly [given: string, error: RegExp])[] = [
  ['kms_key_id: "not a key"', /^r\.yml:2:\d+: input "kms_key_id" must be the id, the alias or the ARN of a KMS key, such as alias\/images \[input\]$/m],
  [
    'ami_block_device_mappings: [{device_name: /dev/sdb, volume_size: 1, encrypted: true, kms_key_id: alias/x}]',
    /^r\.yml:2:\d+: input "ami_block_device_mappings\[0\]": unknown key "kms_key_id" \[input\]$/m,
  ],
  ['ami_users: ["123"]', /^r\.yml:2:\d+: input "ami_users\[0\]" must be an account id of 12 digits, in quotes \[input\]$/m],
  ['ami_groups: [some]', /^r\.yml:2:\d+: input "ami_groups\[0\]" must be "all" \[input\]$/m],
];

/** What is found before anything is made: title, what is given, what is said, and what is odd with the source. */
const unfit: readonly [title: string, given: string, said: RegExp, change?: Readonly<Record<string, unknown>>][] = [
  ['a region that is none', 'ami_regions: [nowhere-1]', /the region nowhere-1 does not exist or is not enabled; known regions: local-1/],
  ['an image of the marketplace', 'ami_regions: []', /is a marketplace image \(xyz\)/, { productCodes: ['xyz'] }],
  [
    'a source that is larger',
    'root_volume_size: 1',
    /1 GiB is smaller than the root volume of ami-\w+ \(4 GiB\)/,
    { mappings: [{ device: '/dev/xvda', snapshot: 'snap-00000000000000001', size: 4, type: 'gp3', encrypted: false, deleteOnTermination: true }] },
  ],
  [
    'a snapshot that cannot be read',
    'ami_regions: []',
    /the snapshot snap-0+1 of ami-\w+ cannot be read/,
    { mappings: [{ device: '/dev/xvda', snapshot: 'snap-00000000000000001', size: 1, type: 'gp3', encrypted: false, deleteOnTermination: true }] },
  ],
  ["sharing with the account's own key", 'encrypt_boot: true, ami_users: ["123456789012"]', /cannot be shared: set a key for local-1/],
  ['sharing with everybody, encrypted', 'encrypt_boot: true, kms_key_id: alias/x, ami_groups: [all]', /encrypted in local-1, so it cannot be made public/],
  [
    'a key for some regions only',
    'ami_regions: [local-2, local-3], region_kms_key_ids: {local-2: alias/x}',
    /kms_key_ids has keys for other regions, but none for local-3/,
  ],
  ['a key for a region without a copy', 'region_kms_key_ids: {local-2: alias/x}', /kms_key_ids has a key for local-2, but the image is not copied to local-2/],
  ['a key without encryption', 'encrypt_boot: false, kms_key_id: alias/x', /kms_key_id requires encryption, but "encrypted" is false/],
  [
    'too many iops for the size',
    'ami_block_device_mappings: [{device_name: /dev/sdb, volume_size: 1, volume_type: io1, iops: 100}]',
    /device \/dev\/sdb: io1 has at most 50 iops per GiB/,
  ],
  [
    'throughput of gp2',
    'ami_block_device_mappings: [{device_name: /dev/sdb, volume_size: 1, volume_type: gp2, throughput: 125}]',
    /throughput requires gp3, not gp2/,
  ],
  ['too many iops for the root volume', 'root_volume_size: 1, root_volume_iops: 4000', /root volume: gp3 has at most 500 iops per GiB/],
  ['a device twice', 'ami_block_device_mappings: [{device_name: sdb, volume_size: 1}, {device_name: /dev/sdb, volume_size: 1}]', /duplicate device \/dev\/sdb/],
  ['io1 without iops', 'ami_block_device_mappings: [{device_name: /dev/sdb, volume_size: 4, volume_type: io1}]', /device \/dev\/sdb: io1 requires iops/],
  [
    'a source too small for the type of the root volume',
    'root_volume_type: io1, root_volume_iops: 100',
    /root volume: the size of io1 volumes is 4 to 16384 GiB, not 1/,
  ],
  [
    'a device without a size',
    'ami_block_device_mappings: [{device_name: /dev/sdb, encrypted: true}]',
    /device \/dev\/sdb: volume_size or snapshot_id is required/,
  ],
  [
    'a device whose snapshot is not there',
    'ami_block_device_mappings: [{device_name: /dev/sdb, snapshot_id: snap-00000000000000001}]',
    /device \/dev\/sdb: the snapshot snap-0+1 cannot be read/,
  ],
  ['UEFI variables without UEFI', 'boot_mode: legacy-bios, uefi_data: QQ==', /uefi_data cannot be used with boot_mode "legacy-bios"/],
  ['a TPM without UEFI', 'boot_mode: legacy-bios, tpm_support: v2.0', /tpm_support requires boot_mode "uefi"/],
  ['ENA on paravirtual', 'ami_virtualization_type: paravirtual, ena_support: true', /enhanced networking requires virtualization "hvm"/],
  [
    "a copy with the account's own key, shared",
    'ami_regions: [local-2], region_kms_key_ids: {local-2: ""}, ami_users: ["123456789012"]',
    /set a key for local-2/,
  ],
  ['throughput on a type that has none', 'root_volume_type: gp2, root_volume_throughput: 250', /root volume: throughput requires gp3, not gp2/],
  ['a deprecation in the past', 'deprecate_at: "2020-01-01T00:00:00Z"', /must be in the future/],
];

/** What goes wrong when almost all is done. */
const lateFailures: readonly [title: string, rules: FaultRule[]][] = [
  ["the third region's copy fails", [{ action: 'CopyImage', region: 'local-3', fault: 'denied' }]],
  ['the copy of the third region is never seen', [{ action: 'DescribeImages', region: 'local-3', fault: 'denied', skip: 1 }]],
  ['the attribute call after all copies fails', [{ action: 'ModifyImageAttribute', region: 'local-3', fault: 'denied' }]],
  ['the very last call fails', [{ action: 'EnableImageDeregistrationProtection', region: 'local-3', fault: 'denied' }]],
];

suite('amazon_chroot', (test) => {
  test('every option of the builder is an input with its default, or stands in the table with what to do instead', () => {
    const page = readFileSync(join(repository, 'docs/coming-from-packer.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `(\w+)` \| (yes|no) \| (.*?) ?\|$/gm)];
    const table = new Map(rows.map(([, name = '', input = '', instead = '']) => [name, { input: input === 'yes', instead }]));
    assert.equal([...table.keys()].sort(), [...options].sort());
    const { inputs } = parse(readFileSync(library, 'utf8')) as { inputs: Record<string, { default?: unknown; required?: boolean }> };
    for (const [name, { input, instead }] of table) {
      assert.is(Object.hasOwn(inputs, name), input, name);
      if (!input) assert.ok(instead.length > 5, `${name}: say what to do instead`);
      const preset = inputs[name]?.default ?? null;
      const nothing = preset === null || preset === false || preset === '' || (typeof preset === 'object' && Object.keys(preset).length === 0);
      if (defaults[name] === undefined) assert.ok(nothing, `${name} has a default that the builder has not: ${JSON.stringify(preset)}`);
      else assert.equal(preset, defaults[name], name);
    }
    const [, further = ''] = /The library has further inputs: ([^.]*)\./.exec(page) ?? [];
    const own = Object.keys(inputs).filter((name) => !table.has(name));
    assert.equal([...further.matchAll(/`(\w+)`/g)].map(([, name = '']) => name).sort(), own.sort());
  });

  test(
    'everything that can be said of an image is on it, in every region; destroy takes all of it away',
    () =>
      inFolder({}, async (folder) => {
        await tinyImage(folder);
        const before = heldBy(folder);
        const host = await lookAtHost();
        const key = 'arn:aws:kms:local-1:000000000000:key/11111111-2222-3333-4444-555555555555';
        const given = `root_volume_size: 8, root_volume_type: gp3, root_volume_iops: 4000, root_volume_throughput: 250, root_volume_tags: {work: "yes"},
          root_volume_encrypt_boot: true, kms_key_id: "${key}", encrypt_boot: true, region_kms_key_ids: {local-2: alias/two, local-3: alias/three},
          device_path: /dev/sdm, mount_partition: 2, mount_options: [noatime], copy_files: [], add_mounts: [{source: tmpfs, target: /mnt, type: tmpfs}],
          ami_description: All of it, ami_virtualization_type: hvm, ami_architecture: x86_64, boot_mode: uefi, uefi_data: QU1aTg==, tpm_support: v2.0,
          imds_support: v2.0, ena_support: false, sriov_support: true, root_device_name: xvda,
          ami_block_device_mappings: [{device_name: /dev/sdb, volume_size: 5, volume_type: io2, iops: 500}, {device_name: /dev/sdc, virtual_name: ephemeral0}],
          tags: {Base: "{{ ami.source_name }}"}, snapshot_tags: {more: "yes"}, ami_regions: [local-2, local-3, local-2, local-1],
          ami_users: ["123456789012"], ami_org_arns: ["arn:aws:organizations::1:organization/o-1"], ami_ou_arns: ["arn:aws:organizations::1:ou/o-1/ou-1"],
          ami_product_codes: [abc], snapshot_users: ["123456789012"], deprecate_at: "2030-06-30T12:00:00Z", deregistration_protection: enabled`;
        const ran = await runRecipe(
          folder,
          `${including(given)}tasks:
  pre: {needs: [ami.build.disk], before: [ami.build.rootfs], run: "test -b {{ ami.device }}; blkid {{ ami.device }}p2"}
  post: {needs: [ami.build.root], before: [ami.build.chroot], run: "findmnt -no OPTIONS {{ ami.mount_path }}; touch {{ ami.mount_path }}/post"}
  look: {in: ami.chroot, run: "ls /post; df -k / | tail -n 1; grep -c ' /mnt ' /proc/mounts"}
outputs: {images: "{{ ami.images }}", snapshots: "{{ ami.snapshots }}", id: "{{ ami.image_id }}"}
`,
          ['--manifest', join(folder, 'manifest.json')],
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.match(ran.log('post'), /noatime/);
        assert.match(ran.log('look'), /^\/post\n[\s\S]*\n1\n$/);
        const images = ran.outputs['images'] as Record<string, string>;
        const snapshots = ran.outputs['snapshots'] as Record<string, string[]>;
        assert.equal(Object.keys(images), ['local-1', 'local-2', 'local-3']);
        assert.is(ran.outputs['id'], images['local-1']);
        for (const region of Object.keys(images)) {
          const image = recordsOf(folder, region, 'images').find(({ id }) => id === images[region]) as Record<string, unknown>;
          const said = { name: 'next', description: 'All of it', architecture: 'x86_64', virtualization: 'hvm', bootMode: 'uefi', uefi: 'QU1aTg==' };
          for (const [name, value] of Object.entries({ ...said, tpm: 'v2.0', imds: 'v2.0', ena: false, sriov: 'simple', rootDevice: '/dev/xvda' })) {
            assert.is(image[name], value, `${region} ${name}`);
          }
          assert.equal(image['sharedWith'], {
            users: ['123456789012'],
            groups: [],
            organizations: ['arn:aws:organizations::1:organization/o-1'],
            units: ['arn:aws:organizations::1:ou/o-1/ou-1'],
          });
          assert.equal(image['productCodes'], ['abc']);
          assert.is(image['deprecated'], '2030-06-30T12:00:00.000Z');
          assert.is(image['protection'], 'enabled');
          const [root, data, scratch] = image['mappings'] as Record<string, unknown>[];
          const { snapshot, ...rest } = root as Record<string, unknown>;
          assert.equal(rest, { device: '/dev/xvda', size: 8, type: 'gp3', iops: 4000, throughput: 250, encrypted: true, deleteOnTermination: true });
          assert.equal(snapshots[region], [snapshot]);
          assert.is(data?.['iops'], 500);
          assert.is(scratch?.['virtualName'], 'ephemeral0');
          const record = recordsOf(folder, region, 'snapshots').find(({ id }) => id === snapshot) as Record<string, unknown> & {
            tags: { Key: string; Value: string }[];
          };
          assert.is(record['kmsKey'], { 'local-1': key, 'local-2': 'alias/two', 'local-3': 'alias/three' }[region]);
          assert.equal((record['sharedWith'] as { users: string[] }).users, ['123456789012']);
          const tags = Object.fromEntries(record.tags.map(({ Key, Value }) => [Key, Value]));
          assert.match(tags['Base'] ?? '', /^tiny-/);
          assert.is(tags['more'], 'yes');
          assert.match(tags['chrootfile:run'] ?? '', /-r-/);
        }
        const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
          outputs: object;
          artifacts: { region: string; type: string; id: string }[];
        };
        assert.equal(manifest.outputs, ran.outputs);
        const listed = manifest.artifacts.map(({ region, type, id }) => `${region} ${type} ${id}`).sort();
        const expected = Object.keys(images).flatMap((region) => [
          `${region} image ${images[region]}`,
          ...(snapshots[region] ?? []).map((id) => `${region} snapshot ${id}`),
        ]);
        assert.equal(listed, expected.sort());
        // What it may have been asked is counted.
        const { ec2 } = ran.events.at(-1) as { ec2: { calls: Record<string, number>; waited: Record<string, number> } };
        assert.is(ec2.calls['CopyImage'], 4, 'two, and two asked for by DryRun');
        assert.ok('snapshot' in ec2.waited && 'image' in ec2.waited);
        const id = String(ran.events.at(-1)?.['run']);
        const refused = await run(['destroy', id], { folder });
        assert.is(refused.code, 2);
        assert.match(refused.stderr, /destroy asks for confirmation, and there is no terminal/);
        assert.is(heldBy(folder).length, before.length + 6);
        const destroyed = await run(['destroy', id, '--yes'], { folder });
        assert.is(destroyed.code, 0, destroyed.stdout + destroyed.stderr);
        assert.equal(heldBy(folder), before);
        assert.match((await run(['runs'], { folder })).stdout, /destroyed/);
        assert.is((await run(['destroy', id, '--yes'], { folder })).code, 2);
        assert.equal(differences(host, await lookAtHost()), []);
      }),
    60_000,
  );

  test(
    'what is left out is taken from the source',
    () =>
      inFolder({}, async (folder) => {
        await tinyImage(folder);
        const [source] = recordsOf(folder, 'local-1', 'images');
        const rare = { architecture: 'arm64', ena: false, bootMode: 'uefi', tpm: 'v2.0', imds: 'v2.0', sriov: 'simple', uefi: 'QU1aTg==' };
        const [root] = (source as { mappings: object[] }).mappings;
        const mappings = [
          { ...root, size: 4, type: 'io2', iops: 400 },
          { device: '/dev/sdb', size: 5, type: 'gp2', encrypted: false, deleteOnTermination: true },
        ];
        changeRecord(folder, 'images', { ...source, ...rare, mappings });
        const ran = await runRecipe(
          folder,
          `${including('ami_block_device_mappings: [{device_name: sdb, no_device: true}]')}tasks: {a: {in: ami.chroot, run: "true"}}\noutputs: {id: "{{ ami.image_id }}"}\n`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        const image = recordsOf(folder, 'local-1', 'images').find(({ id }) => id === ran.outputs['id']);
        for (const [name, value] of Object.entries(rare)) assert.is(image?.[name], value, name);
        const [only, ...others] = (image as unknown as { mappings: Record<string, unknown>[] }).mappings;
        assert.equal([only?.['type'], only?.['iops'], others], ['io2', 400, []]);
      }),
    30_000,
  );

  test(
    'from scratch: tasks of the recipe make what is on the disk',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(
          folder,
          `includes: {ami: {recipe: ${library}, with: {from_scratch: true, root_volume_size: 1, ami_name: scratch, copy_files: [], mount_partition: 0, boot_mode: uefi}}}
tasks:
  format: {needs: [ami.build.disk], before: [ami.build.rootfs], run: "mkfs.ext4 -q {{ ami.device }}"}
  fill:
    needs: [ami.build.root]
    before: [ami.build.chroot]
    run: cd {{ ami.mount_path }} && mkdir -p bin dev proc sys run tmp etc usr/sbin && cp /bin/busybox bin/ && ln -s busybox bin/sh
  look: {in: ami.chroot, run: echo made}
outputs: {id: "{{ ami.image_id }}"}
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(ran.log('look'), 'made\n');
        const image = recordsOf(folder, 'local-1', 'images').find(({ id }) => id === ran.outputs['id']);
        assert.equal([image?.['name'], image?.['architecture'], image?.['rootDevice']], ['scratch', 'x86_64', '/dev/xvda']);
      }),
    30_000,
  );

  test(
    'an older image of the name gives way once the new one is available, in every region; not before',
    () =>
      inFolder({}, async (folder) => {
        await tinyImage(folder);
        const recipe = (force: string) =>
          `${including(`ami_regions: [local-2]${force}`)}tasks: {a: {in: ami.chroot, run: "true"}}\noutputs: {images: "{{ ami.images }}"}\n`;
        const first = await runRecipe(folder, recipe(''));
        assert.is(first.code, 0, first.ended.stdout);
        const held = heldBy(folder);
        const taken = await runRecipe(folder, recipe(''));
        assert.is(taken.code, 1);
        assert.match(
          failure(taken, 'ami.preflight'),
          /2 problems:\n {2}- the name "next" is taken by ami-\w+ in local-1; set force_deregister to replace that image\n {2}- the name "next" is taken by ami-\w+ in local-2/,
        );
        assert.not.ok(taken.nodes.some((node) => node.startsWith('ami.build.volume succeeded')));
        const force = ', force_deregister: true, force_delete_snapshot: true';
        // The new one cannot be made: the old one stays.
        const failed = await runRecipe(folder, recipe(`${force}, dry_run: false`), [], misbehaving(folder, [{ action: 'RegisterImage', fault: 'denied' }]));
        assert.is(failed.code, 1, failed.ended.stdout);
        assert.equal(heldBy(folder), held);
        // The last call of all fails: the old ones are there again, under other ids, with what they were.
        const ids = (region: string) =>
          recordsOf(folder, region, 'images')
            .filter(({ name }) => name === 'next')
            .map(({ id }) => String(id));
        const were = ['local-1', 'local-2'].map(ids);
        const last = await runRecipe(
          folder,
          recipe(`${force}, ami_users: ["123456789012"]`),
          [],
          misbehaving(folder, [{ action: 'ModifyImageAttribute', region: 'local-2', fault: 'denied' }]),
        );
        assert.is(last.code, 1, last.ended.stdout);
        assert.equal(heldBy(folder), held);
        assert.not.equal(['local-1', 'local-2'].map(ids), were);
        // So they are when the name is free and the new one cannot have it.
        const between = await runRecipe(
          folder,
          recipe(`${force}, dry_run: false`),
          [],
          misbehaving(folder, [{ action: 'RegisterImage', fault: 'denied', skip: 1, times: 1 }]),
        );
        assert.is(between.code, 1, between.ended.stdout);
        assert.equal(heldBy(folder), held);
        const second = await runRecipe(folder, recipe(force));
        assert.is(second.code, 0, second.ended.stdout);
        const [a, b] = [first, second].map(({ outputs }) => outputs['images'] as Record<string, string>);
        for (const region of ['local-1', 'local-2']) {
          assert.equal(
            recordsOf(folder, region, 'images')
              .filter(({ name }) => String(name).startsWith('next'))
              .map(({ id }) => id),
            [b?.[region]],
          );
          assert.not.equal(a?.[region], b?.[region]);
        }
        assert.is(heldBy(folder).length, held.length, 'the snapshots of the old ones are gone too');
      }),
    60_000,
  );

  test('values that do not fit a kind are found by check', async () => {
    for (const [given, error] of unfitValues) {
      const include = `includes: {ami: {recipe: ${library}, with: {source_ami_filter: {name: base}, ami_name: next, ${given}}}}`;
      await inFolder({ 'r.yml': `version: 1\n${include}\ntasks: {a: {in: ami.chroot, run: "true"}}\n` }, async (folder) => {
        const { code, stderr } = await run(['check', 'r.yml'], { folder });
        assert.is(code, 2);
        assert.match(stderr, error);
      });
    }
  });

  for (const [title, given, said, change] of unfit) {
    test(
      `before anything is made: ${title}`,
      () =>
        inFolder({}, async (folder) => {
          await baseImage(folder);
          if (change !== undefined) {
            const [source] = recordsOf(folder, 'local-1', 'images');
            changeRecord(folder, 'images', { ...source, ...change });
          }
          const ran = await runRecipe(
            folder,
            `includes: {ami: {recipe: ${library}, with: {source_ami_filter: {name: base}, ami_name: next, ${given}}}}\ntasks: {a: {in: ami.chroot, run: "true"}}\n`,
          );
          assert.is(ran.code, 1, ran.ended.stdout);
          assert.match(failure(ran, 'ami.preflight'), said);
          assert.not.ok(ran.nodes.includes('ami.build.volume succeeded'));
        }),
      30_000,
    );
  }

  test(
    'a call that may have had an effect leaves its note, whatever is said after',
    () =>
      inFolder({}, async (folder) => {
        const before = await baseImage(folder);
        const pairs: FaultRule[][] = [
          [
            { action: 'CreateSnapshot', fault: 'lost-after', times: 1 },
            { action: 'DescribeSnapshots', fault: 'denied', skip: 1, times: 3 },
          ],
          [
            { action: 'CreateVolume', fault: 'lost-after', times: 1 },
            { action: 'CreateVolume', fault: 'expired', skip: 1, times: 3 },
          ],
          [
            { action: 'AttachVolume', fault: 'lost-after', times: 1 },
            { action: 'AttachVolume', fault: 'denied', skip: 1 },
          ],
          [
            { action: 'CopyImage', region: 'local-2', fault: 'lost-after', times: 1 },
            { action: 'CopyImage', region: 'local-2', fault: 'denied', skip: 1 },
          ],
        ];
        for (const rules of pairs) {
          const ran = await runRecipe(folder, pipeline(), [], misbehaving(folder, rules));
          assert.not.equal(ran.code, 0, JSON.stringify(rules));
          if (ran.code === 5) assert.is((await run(['undo', '--all'], { folder })).code, 0);
          assert.equal(heldBy(folder), before, JSON.stringify(rules));
        }
      }),
    90_000,
  );

  test(
    'Ctrl-C does not wait for requests that are tried again',
    () =>
      inFolder({}, async (folder) => {
        await baseImage(folder);
        writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\n${pipeline()}`);
        const env = misbehaving(folder, [{ action: 'DescribeSnapshots', fault: 'throttled', skip: 1, times: 12 }]);
        const log = join(folder, 'wire.ndjson');
        const refused = () => (existsSync(log) ? readFileSync(log, 'utf8').split('RequestLimitExceeded').length - 1 : 0);
        const { child, ended } = start(['run', 'r.yml', '--format', 'plain'], { folder, env: { ...env, CHROOTFILE_LOCAL_LOG: log } });
        while (refused() < 2) await new Promise((done) => setTimeout(done, 20));
        child.kill('SIGINT');
        assert.is((await ended).code, 130);
        assert.ok(refused() < 12, 'it would have been answered the thirteenth time');
      }),
    60_000,
  );

  test(
    'a permission that is missing is found before anything is made; while waiting it ends the wait at once',
    () =>
      inFolder({}, async (folder) => {
        const before = await baseImage(folder);
        const early = await runRecipe(
          folder,
          pipeline(),
          ['-i', 'dry_run=true'],
          misbehaving(folder, [{ action: 'CopyImage', region: 'local-3', fault: 'denied' }]),
        );
        assert.is(early.code, 1);
        assert.match(failure(early, 'preflight'), /EC2 would not allow CopyImage: the permission ec2:CopyImage is missing/);
        assert.not.ok(early.nodes.includes('volume succeeded'));
        // The first look is allowed, the others are not; the snapshot takes its time.
        const late = await runRecipe(
          folder,
          pipeline(),
          [],
          misbehaving(folder, [{ action: 'DescribeSnapshots', fault: 'denied', skip: 2 }], { snapshot: 60_000 }),
        );
        assert.is((late.events.at(-1) as { ec2: { calls: Record<string, number> } }).ec2.calls['DescribeSnapshots'], 3);
        assert.match(
          failure(late, 'snapshot'),
          /DescribeSnapshots: UnauthorizedOperation: .* arn:aws:iam::000000000000:user\/local may not ec2:DescribeSnapshots on \*: no policy allows it/,
        );
        assert.match(failure(late, 'snapshot'), /help: the permission ec2:DescribeSnapshots is missing/);
        assert.equal(heldBy(folder), before);
      }),
    60_000,
  );

  for (const [title, rules] of lateFailures) {
    test(
      `${title}: nothing is left in any region`,
      () =>
        inFolder({}, async (folder) => {
          const before = await baseImage(folder);
          const ran = await runRecipe(folder, pipeline(), [], misbehaving(folder, rules));
          assert.is(ran.code, 1, ran.ended.stdout);
          assert.ok(ran.nodes.includes('image succeeded'));
          assert.equal(heldBy(folder), before);
        }),
      60_000,
    );
  }

  test(
    'Ctrl-C while copies are on their way: nothing is left in any region',
    () =>
      inFolder({}, async (folder) => {
        const before = await baseImage(folder);
        writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\n${pipeline()}`);
        const { child, ended, saw } = start(['run', 'r.yml', '--format', 'json'], { folder, env: misbehaving(folder, [], { copy: 60_000 }) });
        await saw('"task.started","task":"copies"');
        while (recordsOf(folder, 'local-3', 'images').length === 0) await new Promise((done) => setTimeout(done, 20));
        child.kill('SIGINT');
        assert.is((await ended).code, 130);
        assert.equal(heldBy(folder), before);
      }),
    60_000,
  );

  test(
    'credentials that expire are renewed; when they cannot be, undo says what to run, and that works once they are',
    () =>
      inFolder({}, async (folder) => {
        const before = await baseImage(folder);
        // Good for three seconds, and says nothing of that: only EC2 knows.
        const keys = `#!/bin/sh\necho . >> ${folder}/asked\ncat ${folder}/broken && exit 1\nprintf '{"Version":1,"AccessKeyId":"000000000000","SecretAccessKey":"s","SessionToken":"expires-%s"}' $(($(date +%s) + 3))\n`;
        writeFileSync(join(folder, 'keys'), keys, { mode: 0o755 });
        writeFileSync(join(folder, 'config'), `[profile images]\ncredential_process = ${folder}/keys\n`);
        const env = { AWS_CONFIG_FILE: join(folder, 'config') };
        const recipe = `cloud: {provider: local, profile: images}\n${pipeline()}`;
        const slow = misbehaving(folder, [], { snapshot: 10_000 });
        const ran = await runRecipe(folder, recipe, [], { ...env, ...slow });
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.ok(readFileSync(join(folder, 'asked'), 'utf8').split('\n').length > 3, 'they were asked for again');
        await run(['destroy', String(ran.events.at(-1)?.['run']), '--yes'], { folder, env });
        assert.equal(heldBy(folder), before);
        // Now they cannot be had again.
        writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\n${recipe}`);
        const { ended, saw } = start(['run', 'r.yml', '--format', 'plain'], { folder, env: { ...env, ...slow } });
        await saw('> snapshot');
        writeFileSync(join(folder, 'broken'), '');
        const failed = await ended;
        assert.is(failed.code, 5, failed.stdout + failed.stderr);
        const [, again] = /try again with: chrootfile (undo \S+)/.exec(failed.stderr) ?? [];
        assert.ok(again !== undefined, failed.stderr);
        assert.match(failed.stderr, / {4}chrootfile undo \S+ --state \S+ {3}# delete-snapshot --region local-1 --snapshot-id snap-/);
        writeFileSync(join(folder, 'keys'), keys.replace(/cat .*\n/, ''), { mode: 0o755 });
        const undone = await run((again as string).split(' '), { folder, env });
        assert.is(undone.code, 0, undone.stdout + undone.stderr);
        assert.equal(heldBy(folder), before);
      }),
    90_000,
  );
});
