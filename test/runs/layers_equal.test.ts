import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Layer } from '../../src/runtime/layers/layer_records.js';
import { busyboxInto, diskOf, diskOfImage, filesOn, ranOf, sourceImage, succeeding, withPool } from '../support/layers.js';
import type { RunResult } from '../support/recipe.js';
import { suite } from '../support/suite.js';

/** What is done in the image, in many ways, and again in part: each task sees what those before it left. */
const tasks = {
  files: 'uses: chroot.upload, with: {from: files, to: /srv/files}',
  write: 'run: "mkdir -p /srv/a/b && echo one > /srv/a/one && chmod 4755 /srv/a/one && chown 33:44 /srv/a && umask 077 && echo two > /srv/a/b/two"',
  links: 'run: "cd /srv/a && ln one hard && ln -s b/two soft && mkfifo pipe && mkdir empty && chmod 1777 empty"',
  attributes: '', // Of the host: busybox has no setfattr.
  remove: 'run: "cd /srv/a && rm one && mv b c && echo more >> c/two && rm -r /srv/files/folder"',
  resolver: 'run: "rm /etc/resolv.conf && echo from the build > /etc/resolv.conf"',
  holes: 'run: "dd if=/bin/busybox of=/srv/holes bs=4096 count=2 seek=500 2>&1; truncate -s 4M /srv/holes"',
} as const;
const names = Object.keys(tasks);

const recipe = `tasks:
  source: {uses: ec2.source_image, with: {filters: {name: base}, owners: [self]}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  root: {uses: mount, with: {device: "{{ disk.device }}"}}
  jail: {uses: chroot, with: {root: "{{ root.path }}", copy_files: [/etc/resolv.conf]}}
${Object.entries(tasks)
  .map(([name, what]) => `  ${name}: {in: jail, cache: {layer: true}, ${what}}\n`)
  .join('')
  .replace(
    '  attributes: {in: jail, cache: {layer: true}, }',
    `  attributes:
    needs: [links]
    before: [remove]
    cache: {layer: true}
    run: setfattr -n user.note -v value "{{ root.path }}/srv/a/one" && setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 "{{ root.path }}/srv/a/hard"`,
  )}  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "next-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;

/** An empty disk with two file systems, of which one is mounted in the other. */
const fromNothing = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts: {uses: disk.partition, cache: {layer: true}, with: {device: "{{ disk.device }}", partitions: [{name: boot, size: 64MiB}, {name: root, size: 512MiB}]}}
  bootfs: {uses: disk.filesystem, cache: {layer: true}, with: {device: "{{ parts.partitions.boot }}", type: ext4}}
  rootfs: {uses: disk.filesystem, cache: {layer: true}, with: {device: "{{ parts.partitions.root }}", type: xfs}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  system:
    cache: {layer: true}
    run: |
      ${busyboxInto('{{ root.path }}').replaceAll('\n', '\n      ')}
  boot: {uses: mount, needs: [system], with: {device: "{{ bootfs.device }}", path: "{{ root.path }}/boot"}}
  jail: {uses: chroot, needs: [boot], with: {root: "{{ root.path }}"}}
  kernel: {in: jail, cache: {layer: true}, run: "echo kernel > /boot/kernel && ln -s boot/kernel /kernel"}
  table: {in: jail, cache: {layer: true}, run: "echo UUID={{ bootfs.uuid }} /boot > /etc/fstab"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "next-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;
const stages = ['parts', 'bootfs', 'rootfs', 'system', 'kernel', 'table'];
const MiB = 2 ** 20;

/** Subvolumes that a script makes and mounts: a resource of the recipe, which is made in another way on a restored volume. */
const subvolumes = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ disk.device }}", type: btrfs}}
  system:
    cache: {layer: true}
    env: {AT: "{{ run.dir }}/system", DISK: "{{ rootfs.device }}"}
    outputs: {path: {}}
    run: |
      mkdir "$AT"
      mount "$DISK" "$AT"
      btrfs --quiet subvolume create "$AT/@"
      btrfs --quiet subvolume create "$AT/@home"
      mkdir "$AT/@/home"
      umount "$AT"
      mount -o subvol=@ "$DISK" "$AT"
      mount -o subvol=@home "$DISK" "$AT/home"
      echo "path=$AT" >> "$CHROOTFILE_OUTPUT"
    reopen: |
      mkdir "$AT"
      mount -o subvol=@ "$DISK" "$AT"
      mount -o subvol=@home "$DISK" "$AT/home"
      echo "path=$AT" >> "$CHROOTFILE_OUTPUT"
    undo: {when: always, run: 'if mountpoint -q "$AT"; then umount -R "$AT"; fi; if [ -d "$AT" ]; then rmdir "$AT"; fi'}
  fill:
    cache: {layer: true}
    run: |
      ${busyboxInto('{{ system.path }}').replaceAll('\n', '\n      ')}
  jail: {uses: chroot, needs: [fill], with: {root: "{{ system.path }}"}}
  home: {in: jail, cache: {layer: true}, run: "mkdir -m 700 /home/me && echo mine > /home/me/file"}
  note: {in: jail, cache: {layer: true}, run: "cp /home/me/file /etc/note"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "next-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;
const parts = ['system', 'fill', 'home', 'note'];

/** An image with two partitions, of which /etc/fstab names one. */
const twoPartitions = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts: {uses: disk.partition, with: {device: "{{ disk.device }}", partitions: [{name: boot, size: 64MiB}, {name: root, size: 512MiB}]}}
  bootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.boot }}", type: ext4}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.root }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  system:
    run: |
      mkdir {{ root.path }}/etc {{ root.path }}/boot
      touch {{ root.path }}/etc/os-release
      echo UUID={{ bootfs.uuid }} /boot ext4 noatime 0 2 > {{ root.path }}/etc/fstab
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: two, snapshot: "{{ snapshot.id }}"}}
`;

/** After the volume is mounted, a task changes what the search for the root and the table would give. */
const changedTable = `tasks:
  source: {uses: ec2.source_image, with: {filters: {name: two}, owners: [self]}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  found: {uses: disk.root, with: {device: "{{ disk.device }}"}}
  root: {uses: mount, with: {device: "{{ found.device }}"}}
  others: {uses: mount.fstab, with: {root: "{{ root.path }}", device: "{{ disk.device }}"}}
  edit:
    needs: [others]
    cache: {layer: true}
    run: |
      sed -i s,/boot,/other, {{ root.path }}/etc/fstab
      mkdir {{ root.path }}/boot/etc
      touch {{ root.path }}/boot/etc/os-release
  last: {needs: [edit, others], cache: {layer: true}, run: "echo last > {{ root.path }}/boot/last"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "next-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}", partition: "{{ found.partition }}", mounts: "{{ others.mounts }}"}
`;

const checkers: Readonly<Record<string, readonly string[]>> = {
  ext4: ['e2fsck', '-fn'],
  xfs: ['xfs_repair', '-n', '-f'],
  btrfs: ['btrfs', 'check', '--readonly'],
};

suite('an image that is built with layers', (test) => {
  for (const [type, checker] of Object.entries(checkers)) {
    test(`on ${type} equals one built without, from whatever task it goes on`, () =>
      withPool({ 'files/one': 'one\n', 'files/folder/two': 'two\n' }, async (folder) => {
        await succeeding(folder, sourceImage('base', 'true', type));
        const clean = await succeeding(folder, recipe, ['--no-cache']);
        const expected = filesOn(diskOfImage(folder, clean));
        assert.match(expected['./srv/a/hard'] ?? '', /^f 4755 0:0 1 {2}\w+ security\.capability=0x01.* user\.note=0x/);
        for (const from of [undefined, ...names, undefined]) {
          const ran = await succeeding(folder, recipe, ['--cache', ...(from === undefined ? [] : ['--from', from])]);
          if (from !== undefined) assert.equal(ranOf(ran, names), names.slice(names.indexOf(from)), from);
          const disk = diskOfImage(folder, ran);
          assert.equal(filesOn(disk), expected, `from ${from}`);
          execFileSync(checker[0] ?? '', [...checker.slice(1), disk], { stdio: 'ignore' });
        }
        assert.equal(ranOf(await succeeding(folder, recipe, ['--cache']), names), []);
        const own = filesOn(diskOfImage(folder, await succeeding(folder, sourceImage('other', 'true', type))));
        for (const [after, disk] of layersOf(folder)) {
          execFileSync(checker[0] ?? '', [...checker.slice(1), disk], { stdio: 'ignore' });
          const held = filesOn(disk);
          const isReplaced = names.indexOf(after) >= names.indexOf('resolver');
          assert.is(held['./etc/resolv.conf'], (isReplaced ? expected : own)['./etc/resolv.conf'], after);
          assert.equal(
            Object.keys(held).filter((path) => /policy-rc\.d|chrootfile/.test(path)),
            [],
            after,
          );
        }
      }));
  }

  test('with two file systems, one mounted in the other, keeps them and their UUIDs', () =>
    withPool({}, async (folder) => {
      const first = await succeeding(folder, fromNothing, ['--cache']);
      assert.equal(ranOf(first, stages), stages);
      const filesOf = (ran: RunResult) => [1, 65].map((start) => filesOn(diskOfImage(folder, ran), start * MiB));
      const expected = filesOf(first);
      for (const from of ['table', 'kernel', 'system', undefined]) {
        const ran = await succeeding(folder, fromNothing, ['--cache', ...(from === undefined ? [] : ['--from', from])]);
        assert.equal(ranOf(ran, stages), from === undefined ? [] : stages.slice(stages.indexOf(from)), from);
        assert.equal(filesOf(ran), expected, `from ${from}`);
      }
    }));

  test('is mounted as when its layer was made, whatever tasks wrote since', () =>
    withPool({}, async (folder) => {
      await succeeding(folder, twoPartitions);
      const filesOf = (ran: RunResult) => [1, 65].map((start) => filesOn(diskOfImage(folder, ran), start * MiB));
      const expected = filesOf(await succeeding(folder, changedTable, ['--no-cache']));
      for (const [args, ran] of [
        [[], ['edit', 'last']],
        [['--from', 'last'], ['last']],
        [['--from', 'last'], ['last']],
        [[], []],
      ] as const) {
        const result = await succeeding(folder, changedTable, ['--cache', ...args]);
        assert.equal([ranOf(result, ['edit', 'last']), result.warnings], [ran, []]);
        assert.equal(filesOf(result), expected, args.join(' '));
        const [mounted] = result.outputs['mounts'] as readonly Record<string, unknown>[];
        assert.equal([result.outputs['partition'], mounted?.['target'], mounted?.['partition'], mounted?.['options']], [2, '/boot', 1, ['noatime']]);
      }
    }));

  test('on a resource of the recipe that has "reopen" equals one built without', () =>
    withPool({}, async (folder) => {
      const expected = filesOn(diskOfImage(folder, await succeeding(folder, subvolumes, ['--no-cache'])));
      assert.match(expected['./@home/me/file'] ?? '', /^f 600|^f 644/);
      for (const from of [undefined, 'note', 'home', 'fill', undefined]) {
        const ran = await succeeding(folder, subvolumes, ['--cache', ...(from === undefined ? [] : ['--from', from])]);
        if (from !== undefined) assert.equal(ranOf(ran, parts), parts.slice(parts.indexOf(from)), from);
        assert.equal(filesOn(diskOfImage(folder, ran)), expected, `from ${from}`);
      }
      assert.equal(ranOf(await succeeding(folder, subvolumes, ['--cache']), parts), []);
    }));
});

/** The disks of the layers of a folder, with the task that each was made after. */
function layersOf(folder: string): [task: string, disk: string][] {
  const records = join(folder, 'state/layers');
  return readdirSync(records)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(records, name), 'utf8')) as Layer)
    .flatMap(({ tasks: done, snapshots }) => Object.values(snapshots).map((id): [string, string] => [done.at(-1)?.task ?? '', diskOf(folder, id)]));
}
