import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { finished, repository, run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const tiny = join(repository, 'test/fixtures/tiny.yml');

suite('disk kinds', (test) => {
  for (const type of ['ext4', 'xfs', 'btrfs']) {
    test(
      `a root file system of type ${type} goes through the whole pipeline`,
      () =>
        inFolder({}, async (folder) => {
          const before = await lookAtHost();
          const ran = await run(
            ['run', tiny, '-i', `type=${type}`, '-i', 'script=mount | grep " / "; ls -l /dev/disk/by-uuid /dev/disk/by-label', '--format', 'json'],
            { folder },
          );
          assert.is(ran.code, 0, ran.stdout + ran.stderr);
          const [id = ''] = readdirSync(join(folder, 'state/runs'));
          const log = readFileSync(join(folder, 'state/runs', id, 'logs/work.log'), 'utf8');
          assert.match(log, `type ${type} `);
          assert.match(log, /tiny -> \.\.\/\.\.\/loop\d+p2/);
          assert.equal(differences(before, await lookAtHost()), []);
        }),
      60_000,
    );
  }

  test(
    'a partition table is as asked for, and vfat is made though this kernel may not mount it',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(
          folder,
          `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts:
    uses: disk.partition
    with:
      device: "{{ disk.device }}"
      partitions:
        - {name: bios, size: 1MiB, type: bios}
        - {name: esp, size: 64MiB, type: esp}
        - {name: own, size: 10MiB, type: 933AC7E1-2EB4-4F13-B844-0E14E2AEF915}
        - {name: root, type: root}
  esp: {uses: disk.filesystem, with: {device: "{{ parts.partitions.esp }}", type: vfat, label: EFI, uuid: ABCD-1234}}
  root: {uses: disk.filesystem, with: {device: "{{ parts.partitions.root }}", type: ext4, options: [-m, "0"]}}
  look: {run: "sfdisk --json {{ disk.device }}; blkid -p -o export {{ esp.device }} {{ root.device }}; echo uuid {{ root.uuid }}"}
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        const log = ran.log('look');
        const table = JSON.parse(log.slice(0, log.indexOf('\n}') + 2)) as {
          partitiontable: { label: string; partitions: { name: string; size: number; type: string }[] };
        };
        assert.is(table.partitiontable.label, 'gpt');
        assert.equal(
          table.partitiontable.partitions.map(({ name, size, type }) => [name, size >= 1e6 ? 'rest' : size / 2048, type.slice(0, 8)]),
          [
            ['bios', 1, '21686148'],
            ['esp', 64, 'C12A7328'],
            ['own', 10, '933AC7E1'],
            ['root', 'rest', process.arch === 'arm64' ? 'B921B045' : '4F68BCE3'],
          ],
        );
        assert.match(log, /UUID=ABCD-1234[\s\S]*TYPE=vfat/);
        const uuid = /uuid (\S+)/.exec(log)?.[1];
        assert.match(log, `UUID=${uuid}\n`);
      }),
    60_000,
  );

  for (const type of ['ext4', 'xfs', 'btrfs']) {
    for (const mounted of [false, true]) {
      test(
        `disk.grow makes ${type} fill a volume larger than its snapshot, ${mounted ? 'mounted' : 'not mounted'}`,
        () =>
          inFolder({}, async (folder) => {
            const base = await run(['run', tiny, '-i', `type=${type}`, '--format', 'json'], { folder });
            const { snapshot_id } = finished(base)['outputs'] as { snapshot_id: string };
            const root = mounted ? '  root: {uses: mount, with: {device: "{{ disk.device }}", partition: 2}}\n' : '';
            const after = mounted ? '' : '  root: {needs: [grow], uses: mount, with: {device: "{{ disk.device }}", partition: 2}}\n';
            const ran = await runRecipe(
              folder,
              `tasks:
  volume: {uses: ec2.volume, with: {size: 3, snapshot_id: ${snapshot_id}}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
${root}  grow: {uses: disk.grow, needs: [${mounted ? 'root' : 'disk'}], with: {device: "{{ disk.device }}", partition: 2}}
${after}  look: {needs: [root, grow], run: "df --output=size -k {{ root.path }} | tail -n 1; cat {{ root.path }}/etc/resolv.conf; sfdisk --verify {{ disk.device }}"}
outputs: {bytes: "{{ grow.size }}"}
`,
            );
            if (type === 'ext4' && mounted && !mayResize()) {
              // Where even root lacks CAP_SYS_RESOURCE, the kernel refuses to grow ext4 while it is mounted.
              assert.match(ran.errors['grow'] ?? '', 'resize2fs: Permission denied to resize filesystem');
              return;
            }
            assert.is(ran.code, 0, ran.ended.stdout);
            assert.ok((ran.outputs['bytes'] as number) > 2.99 * 1024 ** 3, String(ran.outputs['bytes']));
            assert.ok(Number(ran.log('look').split('\n')[0]) > 2.7 * 1024 ** 2, ran.log('look'));
            assert.match(ran.log('look'), /from the image\n.*\n?No errors detected/, ran.log('look'));
          }),
        60_000,
      );
    }
  }

  test(
    'two volumes of one image are mounted at the same time, on XFS too, which refuses the UUID of another; one grows meanwhile',
    () =>
      inFolder({}, async (folder) => {
        const base = await run(['run', tiny, '-i', 'type=xfs', '--format', 'json'], { folder });
        const { snapshot_id } = finished(base)['outputs'] as { snapshot_id: string };
        const ran = await runRecipe(
          folder,
          `tasks:
  vol_a: {uses: ec2.volume, with: {snapshot_id: ${snapshot_id}}}
  vol_b: {uses: ec2.volume, with: {snapshot_id: ${snapshot_id}, size: 2}}
  disk_a: {uses: ec2.attachment, with: {volume: "{{ vol_a.id }}"}}
  disk_b: {uses: ec2.attachment, with: {volume: "{{ vol_b.id }}"}}
  a: {uses: mount, with: {device: "{{ disk_a.device }}", partition: 2}}
  fs_b: {uses: disk.root, needs: [a], with: {device: "{{ disk_b.device }}"}}
  grow: {uses: disk.grow, with: {device: "{{ disk_b.device }}", partition: "{{ fs_b.device }}"}}
  b: {uses: mount, needs: [grow], with: {device: "{{ fs_b.device }}", options: [noatime]}}
  look: {run: "df --output=size -k {{ a.path }} {{ b.path }} | tail -n 2"}
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        const [first = 0, second = 0] = ran.log('look').trim().split('\n').map(Number);
        assert.ok(first < 2 ** 20 && second > 1.9 * 2 ** 20, ran.log('look'));
      }),
    60_000,
  );

  /** A disk whose table is as clouds' images have it: the root is partition 1, and the last one on the disk. */
  const cloudDisk = `  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  table:
    run: |
      printf 'label: gpt\\nx1: start=300MiB, size=200MiB\\nx14: start=1MiB, size=4MiB\\nx15: start=8MiB, size=100MiB\\n' | sfdisk -q --no-reread --no-tell-kernel {{ disk.device }}
      partx --add {{ disk.device }}
      mkfs.ext4 -q {{ disk.device }}p1
      mkfs.ext4 -q {{ disk.device }}p15
`;

  test(
    'disk.root finds the system by what is in it, where the table does not say; disk.grow grows what is last on the disk, not by number',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(
          folder,
          `tasks:
${cloudDisk}  system: {run: "mkdir -p at; mount {{ disk.device }}p1 at; mkdir at/etc; ln -s ../usr/lib/os-release at/etc/os-release; umount at", needs: [table]}
  rootfs: {uses: disk.root, needs: [system], with: {device: "{{ disk.device }}"}}
  grow: {uses: disk.grow, with: {device: "{{ disk.device }}", partition: "{{ rootfs.device }}"}}
  told: {uses: disk.root, needs: [grow], with: {device: "{{ disk.device }}", partition: 15}}
  root: {uses: mount, needs: [told], with: {device: "{{ rootfs.device }}"}}
  size: {run: "df --output=size -k {{ root.path }} | tail -n 1"}
outputs: {whole: "{{ disk.device }}", found: "{{ rootfs.device }}", type: "{{ rootfs.type }}", fifteen: "{{ told.device }}", bytes: "{{ grow.size }}"}
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        const { whole, bytes, ...found } = ran.outputs;
        assert.equal(found, { found: `${whole}p1`, type: 'ext4', fifteen: `${whole}p15` });
        assert.ok((bytes as number) > 720 * 2 ** 20, String(bytes));
        assert.ok(Number(ran.log('size')) > 650 * 2 ** 10, ran.log('size'));
      }),
    60_000,
  );

  test(
    'disk.root and disk.grow take a disk that is one file system; disk.root says what it saw where it finds no system, or two',
    () =>
      inFolder({}, async (folder) => {
        const whole = await runRecipe(
          folder,
          `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  make: {run: "mkfs.ext4 -q {{ disk.device }} 300M; mkdir -p at; mount {{ disk.device }} at; mkdir -p at/usr/lib; touch at/usr/lib/os-release; umount at"}
  rootfs: {uses: disk.root, needs: [make], with: {device: "{{ disk.device }}"}}
  grow: {uses: disk.grow, with: {device: "{{ disk.device }}", partition: "{{ rootfs.device }}"}}
  size: {needs: [grow], run: "dumpe2fs -h {{ disk.device }} 2>/dev/null | grep 'Block count'"}
outputs: {same: "{{ eq rootfs.device disk.device }}"}
`,
        );
        assert.equal([whole.code, whole.outputs], [0, { same: true }], whole.ended.stdout);
        assert.match(whole.log('size'), / (1048576|262144)$/m);
        const error = async (make: string) => {
          const ran = await runRecipe(
            folder,
            `tasks:\n${cloudDisk}  make: {run: "for n in ${make}; do mkdir -p at; mount {{ disk.device }}p$n at; mkdir at/etc; touch at/etc/os-release; umount at; done", needs: [table]}\n  rootfs: {uses: disk.root, needs: [make], with: {device: "{{ disk.device }}"}}\n`,
          );
          return ran.errors['rootfs']?.replace(/^.*?: /, '').replaceAll(/\/dev\/loop\d+|loop\d+/g, 'DISK');
        };
        const help = 'set "partition", or open and mount it with tasks of your own';
        assert.is(await error(''), `no root file system on DISK (DISKp1: ext4, DISKp14: unknown content, DISKp15: ext4): ${help}`);
        assert.is(
          await error('1 15'),
          `several root file systems, DISKp1 and DISKp15, on DISK (DISKp1: ext4, DISKp14: unknown content, DISKp15: ext4): ${help}`,
        );
      }),
    60_000,
  );

  test(
    'disk.root follows no link of an image: one that leads to a system of the host makes no system',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(
          folder,
          `tasks:
${cloudDisk}  fill:
    needs: [table]
    run: |
      mkdir -p at host/lib; touch host/os-release host/lib/os-release
      mount {{ disk.device }}p1 at; ln -s "$PWD/host" at/etc; ln -s "$PWD/host" at/usr; umount at
      mount {{ disk.device }}p15 at; mkdir -p at/usr/lib; touch at/usr/lib/os-release; umount at
  rootfs: {uses: disk.root, needs: [fill], with: {device: "{{ disk.device }}"}}
outputs: {found: "{{ rootfs.device }}", wanted: "{{ disk.device }}p15"}
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(ran.outputs['found'], ran.outputs['wanted']);
      }),
    60_000,
  );

  test(
    'a mounted image cannot open devices of the host, nor panic its kernel, unless the recipe says so',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(
          folder,
          `tasks:
${cloudDisk}  hostile:
    needs: [table]
    run: |
      mkdir -p at
      for part in p1 p15; do
        tune2fs -e panic {{ disk.device }}$part; mount {{ disk.device }}$part at; mknod at/null c 1 3; mkdir -p at/etc; umount at
      done
      mount {{ disk.device }}p1 at; touch at/etc/os-release; umount at
  rootfs: {uses: disk.root, needs: [hostile], with: {device: "{{ disk.device }}"}}
  guarded: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  asked: {uses: mount, needs: [hostile], with: {device: "{{ disk.device }}p15", type: ext4, options: [dev, errors=continue, noatime]}}
  look:
    run: |
      for path in {{ guarded.path }} {{ asked.path }}; do
        findmnt --noheadings --output OPTIONS "$path"; cat "$path/null" && echo open || true
      done
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        const look = ran.log('look').replaceAll(/cat: .*\//g, '');
        assert.equal(look.trim().split('\n'), [
          'rw,nodev,relatime,errors=remount-ro',
          'null: Permission denied',
          // As the superblock would not have it.
          'rw,noatime,errors=continue',
          'open',
        ]);
      }),
    60_000,
  );

  test(
    'what cannot be done is said: a partition that is not the last, a disk mounted as a whole, an option mkfs does not know',
    () =>
      inFolder({}, async (folder) => {
        const pipeline = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts: {uses: disk.partition, with: {device: "{{ disk.device }}", partitions: [{name: a, size: 100MiB}, {name: b}]}}
`;
        const before = await lookAtHost();
        const error = async (task: string) => (await runRecipe(folder, `${pipeline}  t: ${task}\n`)).errors['t']?.replace(/^\S+: /, '');
        assert.match(
          (await error('{uses: disk.grow, with: {device: "{{ parts.device }}", partition: 1}}')) ?? '',
          /^partition 1 is not at the end of \/dev\/loop\d+: partition 2 is behind it$/,
        );
        assert.match(
          (await error('{uses: mount, with: {device: "{{ parts.device }}"}}')) ?? '',
          /is a disk with partitions \(1, 2\): set "partition" to one of them, or find it with disk\.root$/,
        );
        const failed = await error('{uses: disk.filesystem, with: {device: "{{ parts.partitions.b }}", type: ext4, options: [--nonsense]}}');
        assert.match(failed ?? '', /^mkfs\.ext4 -q -F -U \S+ --nonsense \/dev\/loop\d+p2: failed with exit code 1\n[\s\S]*Usage: mkfs\.ext4/);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  test(
    'a mount below another one is made inside the image, whatever links are on the way',
    () =>
      inFolder({ 'outside/x': '' }, async (folder) => {
        const ran = await runRecipe(
          folder,
          `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts: {uses: disk.partition, with: {device: "{{ disk.device }}", partitions: [{name: boot, size: 100MiB}, {name: root}]}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.root }}", type: ext4}}
  bootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.boot }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  trap: {run: "mkdir -p {{ root.path }}${folder}/outside; ln -s ${folder}/outside {{ root.path }}/boot"}
  boot: {needs: [trap], uses: mount, with: {device: "{{ bootfs.device }}", path: "{{ root.path }}/boot"}}
  write: {run: "touch {{ boot.path }}/kernel; ls {{ root.path }}${folder}/outside"}
outputs: {where: "{{ boot.path }}"}
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.ok(String(ran.outputs['where']).endsWith(`/mnt/root${folder}/outside`), String(ran.outputs['where']));
        assert.is(ran.log('write'), 'kernel\nlost+found\n');
        assert.equal(readdirSync(join(folder, 'outside')), ['x']);
      }),
    60_000,
  );
});

function mayResize(): boolean {
  const effective = /CapEff:\s+([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${effective}`) & (1n << 24n)) !== 0n;
}
