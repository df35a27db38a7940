import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost, settledDifferences } from '../support/host.js';
import { finished, run, start } from '../support/program.js';
import { type RunResult, runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/**
 * A disk with a system on its last partition and, before that: ext4 where a vfat for EFI belongs, /boot, XFS with a space
 * in its label, vfat, two file systems of one label, and swap. The table is the file `fstab`, put there after `prepare`.
 */
const disk = (prepare = ':') => `  volume: {uses: ec2.volume, with: {size: 2}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts:
    uses: disk.partition
    with:
      device: "{{ disk.device }}"
      partitions:
        - {name: esp, size: 32MiB, type: esp}
        - {name: boot, size: 64MiB, type: boot}
        - {name: srv, size: 320MiB}
        - {name: dos, size: 32MiB}
        - {name: twin, size: 32MiB}
        - {name: swap, size: 32MiB}
        - {name: root, type: root}
  rootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.root }}", type: ext4, uuid: ${uuid(1)}}}
  others:
    run: |
      p={{ disk.device }}p
      mkfs.ext4 -q -L twin "${'$'}{p}1"; mkfs.ext4 -q -L BOOT -U ${uuid(2)} "${'$'}{p}2"; mkfs.xfs -q -L 'my srv' "${'$'}{p}3"
      mkfs.vfat -i ABCD1234 "${'$'}{p}4"; mkfs.ext4 -q -L twin "${'$'}{p}5"; mkswap -q -U ${uuid(3)} "${'$'}{p}6"
      tune2fs -e panic "${'$'}{p}2"
    needs: [parts]
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  tree:
    needs: [others]
    run: |
      here=$PWD; cd {{ root.path }}
      mkdir -p bin dev etc proc run sys tmp usr/sbin; cp /bin/busybox bin; chroot . /bin/busybox --install -s /bin
      esp=$(blkid -p -s PART_ENTRY_UUID -o value {{ disk.device }}p1)
      [ ! -e "$here/fstab" ] || sed "s/@ESP@/$esp/" "$here/fstab" > etc/fstab
      ${prepare}
  fstab: {uses: mount.fstab, needs: [tree], with: {root: "{{ root.path }}", device: "{{ disk.device }}"}}
`;

const boot = `UUID=${uuid(1)} / ext4 defaults 0 1
PARTUUID=@ESP@ /boot/efi vfat umask=0077,data=journal 0 2
LABEL=BOOT /boot auto noatime,dev,X-mount.mkdir 0 2
`;

/** What a mounted table gives, below the root: `PATH PARTITION OPTIONS`. */
const look =
  '  look: {needs: [fstab], run: "findmnt --noheadings --submounts --raw --output TARGET,SOURCE,OPTIONS {{ root.path }}"}\noutputs: {mounts: "{{ fstab.mounts }}"}\n';
const below = (ran: RunResult) =>
  ran
    .log('look')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) =>
      line
        .replace(/^\S+\/mnt\/root/, '')
        .replace(/\/dev\/loop\d+/, '')
        .replace(/(,attr2)?,inode64.*/, ''),
    );

const warningsOf = (ran: RunResult) => ran.warnings.map((text) => text.replaceAll(/\/dev\/loop\d+(?!\d)/g, 'DISK').replaceAll(/\/\S+\/mnt\/root/g, 'ROOT'));

suite('mount.fstab', (test) => {
  test(
    'mounts what the table has by any of the four names, the outer first, guarded; says what it cannot; and takes it all back',
    () =>
      inFolder(
        {
          fstab: `# what is mounted when the system starts
${boot}/dev/disk/by-label/my\\x20srv /srv/with\\040space xfs ro,user 0 2
PARTLABEL=swap /boot/nothing ext4 defaults 0 2
UUID=abcd-1234 /boot/dos vfat umask=0077 0 2
LABEL=twin /boot/twin ext4 defaults 0 2
UUID=${uuid(9)} /data ext4 nofail 0 2
/dev/xvda2 /old ext4 defaults 0 2
LABEL=BOOT /boot2 ext4 discard="a 0 2
UUID=${uuid(3)} none swap sw 0 0
PARTLABEL=twin /never ext4 noauto 0 0
PARTLABEL=twin /net ext4 _netdev 0 0
tmpfs /tmp tmpfs size=1m 0 0
server:/x /nfs nfs defaults 0 0
/etc /bound none bind 0 0
`,
        },
        async (folder) => {
          const before = await lookAtHost();
          const ran = await runRecipe(folder, `tasks:\n${disk()}${look}`);
          assert.is(ran.code, 0, ran.ended.stdout);
          assert.equal(below(ran), [
            '/boot p2 rw,nodev,noatime,errors=remount-ro',
            '/boot/efi p1 rw,nodev,relatime,errors=remount-ro',
            '/srv/with\\x20space p3 ro,nodev,relatime',
          ]);
          const mounts = ran.outputs['mounts'] as { path: string; device: string; type: string }[];
          assert.equal(
            mounts.map(({ path, device, type }) => [path.replace(/.*\/root\//, '/'), device.replace(/.*p/, 'p'), type]),
            [
              ['/boot', 'p2', 'ext4'],
              ['/boot/efi', 'p1', 'ext4'],
              ['/srv/with space', 'p3', 'xfs'],
            ],
          );
          const said = (target: string, why: string, line: number, text: string) =>
            `fstab: ${target} of the image was not mounted: ${why} (/etc/fstab, line ${line}: ${text})`;
          assert.equal(warningsOf(ran), [
            said('/data', 'no partition of the disk has that UUID', 9, `UUID=${uuid(9)} /data ext4 nofail 0 2`),
            said('/old', '/dev/xvda2 may be another disk on this machine; use UUID= in the image', 10, '/dev/xvda2 /old ext4 defaults 0 2'),
            said('/boot2', 'invalid option discard="a', 11, 'LABEL=BOOT /boot2 ext4 discard="a 0 2'),
            said('/boot/nothing', 'DISKp6 contains swap', 6, 'PARTLABEL=swap /boot/nothing ext4 defaults 0 2'),
            said('/boot/dos', "unknown filesystem type 'vfat'", 7, 'UUID=abcd-1234 /boot/dos vfat umask=0077 0 2'),
            said('/boot/twin', 'DISKp1 and DISKp5 have the same LABEL', 8, 'LABEL=twin /boot/twin ext4 defaults 0 2'),
          ]);
          assert.equal(differences(before, await lookAtHost()), []);
        },
      ),
    60_000,
  );

  test(
    'no line of a hostile table leads out of the image, hides its root, or is followed below what is not mounted',
    () =>
      inFolder(
        {
          'outside/x': '',
          fstab: `${boot}LABEL=BOOT /out/boot ext4 defaults 0 2
PARTLABEL=twin /up/../../../../../../..//. ext4 defaults 0 2
PARTLABEL=twin /../../../mnt/up ext4 defaults 0 2
PARTLABEL=twin /bin/busybox ext4 defaults 0 2
PARTLABEL=twin /bin/busybox/x ext4 defaults 0 2
PARTLABEL=twin /circle/x ext4 defaults 0 2
LABEL=none /gone ext4 defaults 0 2
PARTLABEL=twin /gone/below ext4 defaults 0 2
PARTLABEL=twin /esc\u001b[2J ext4 bind=x 0 2
`,
        },
        async (folder) => {
          const before = await lookAtHost();
          const prepare = `mkdir up; ln -s "$here/outside" out; mkdir -p .${folder}; ln -s "$here" boot; ln -s circle circle`;
          const ran = await runRecipe(folder, `tasks:\n${disk(prepare)}${look}`);
          assert.is(ran.code, 0, ran.ended.stdout);
          const paths = (ran.outputs['mounts'] as { path: string }[]).map(({ path }) => path.replace(/.*\/mnt\/root/, ''));
          // Below the root, at the paths that the links name there.
          assert.equal(paths, [folder, `/esc\u001b[2J`, `${folder}/efi`, `${folder}/outside/boot`, '/mnt/up']);
          assert.equal(
            warningsOf(ran).map((text) => text.replace(/^fstab: (.*) of the image was not mounted: /, '$1: ').replace(/ \(\/etc.*/, '')),
            [
              '/gone: no partition of the disk has that LABEL',
              '/bin/busybox: /bin/busybox: /bin/busybox is not a folder in the image',
              '/circle/x: /circle/x: too many levels of links',
              '/gone/below: /gone is not mounted',
              '/bin/busybox/x: /bin/busybox is not mounted',
              '/up/../../../../../../..//.: it would hide the root file system',
            ],
          );
          assert.equal(readdirSync(join(folder, 'outside')), ['x']);
          assert.equal(differences(before, await lookAtHost()), []);
        },
      ),
    60_000,
  );

  test(
    'subvolumes of the disk the root is on are mounted, and /boot that a task has mounted already is left alone',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(
          folder,
          `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts: {uses: disk.partition, with: {device: "{{ disk.device }}", partitions: [{name: boot, size: 64MiB}, {name: root, type: root}]}}
  bootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.boot }}", type: ext4}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.root }}", type: btrfs}}
  fill:
    needs: [bootfs]
    run: |
      mkdir at; mount {{ rootfs.device }} at; btrfs -q subvolume create at/@; btrfs -q subvolume create at/@home; mkdir at/@/etc
      printf 'UUID={{ rootfs.uuid }} / btrfs subvol=@ 0 0\\nUUID={{ rootfs.uuid }} /home btrfs subvol=@home,user_subvol_rm_allowed 0 0\\n' > at/@/etc/fstab
      printf 'UUID={{ bootfs.uuid }} /boot ext4 defaults 0 2\\n' >> at/@/etc/fstab
      umount at; rmdir at
  root: {uses: mount, needs: [fill], with: {device: "{{ rootfs.device }}", options: ["subvol=@"]}}
  boot: {uses: mount, with: {device: "{{ bootfs.device }}", path: "{{ root.path }}/boot", options: [noatime]}}
  fstab: {uses: mount.fstab, needs: [boot], with: {root: "{{ root.path }}", device: "{{ disk.device }}"}}
${look.replace('TARGET,SOURCE,OPTIONS', 'TARGET,SOURCE')}`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.equal(ran.warnings, []);
        assert.equal(below(ran), ['/boot p1', '/home p2[/@home]']);
      }),
    60_000,
  );

  for (const [title, prepare, said] of [
    ['is a named pipe', 'mkfifo etc/fstab', '/etc/fstab in the image is not a regular file'],
    ['is a device', 'mknod etc/fstab c 1 5', '/etc/fstab in the image is not a regular file'],
    ['is too long', 'head -c 70000 /dev/zero > etc/fstab', '/etc/fstab in the image is larger than 65536 bytes'],
    ['has too many lines', 'for i in $(seq 65); do echo "UUID=$i /$i ext4"; done > etc/fstab', 'it names 65 file systems, the limit is 64'],
    ['is a link to one of the host', 'ln -s "$here/theirs" etc/fstab', undefined],
    ['is missing', 'rm -r etc; mkdir etc', undefined],
  ] as const) {
    test(
      `a table that ${title} mounts nothing and keeps nobody waiting`,
      () =>
        inFolder({ theirs: 'LABEL=BOOT /boot ext4 defaults 0 2\n' }, async (folder) => {
          const ran = await runRecipe(folder, `tasks:\n${disk(prepare)}${look}`);
          assert.is(ran.code, 0, ran.ended.stdout);
          assert.equal(ran.outputs, { mounts: [] });
          assert.equal(
            ran.warnings,
            said === undefined ? [] : [`fstab: the /etc/fstab of the image was ignored and only its root file system is mounted: ${said}`],
          );
        }),
      60_000,
    );
  }

  test(
    'a failure, a kill and undo twice leave nothing mounted; a kept run goes on with its mounts',
    () =>
      inFolder({ fstab: boot }, async (folder) => {
        const before = await lookAtHost();
        const recipe = `version: 1\nname: r\ntasks:\n${disk('[ ! -e "$here/go" ] || exit 0')}  sys: {uses: chroot, needs: [fstab], with: {root: "{{ root.path }}", copy_files: []}}
  work: {in: sys, run: "touch /boot/efi/seen; ls -d /boot/lost+found; df /boot/efi | tail -n 1"}
  wait: {needs: [work, sys], run: "echo waiting; until [ -e go ]; do sleep 0.02; done; grep yes go"}
  check: {needs: [fstab.released, root.released], run: "mkdir at; mount {{ disk.device }}p1 at; ls at; umount at; rmdir at"}
`;
        writeFileSync(join(folder, 'r.yml'), recipe);
        writeFileSync(join(folder, 'go'), 'no');
        const failed = await run(['run', 'r.yml'], { folder });
        assert.is(failed.code, 1, failed.stdout + failed.stderr);
        assert.equal(differences(before, await lookAtHost()), []);

        const kept = await run(['run', 'r.yml', '--on-failure', 'keep', '--format', 'json'], { folder });
        assert.is(kept.code, 1, kept.stdout + kept.stderr);
        const held = finished(kept)['left'] as { task: string; by_hand: string[] }[];
        // Its mounts are in a mount namespace of its own: nobody else can unmount them.
        assert.equal(held.find(({ task }) => task === 'fstab')?.by_hand, []);
        writeFileSync(join(folder, 'go'), 'yes');
        const id = String(finished(kept)['run']);
        const resumed = await run(['run', '--resume', id], { folder });
        assert.is(resumed.code, 0, resumed.stdout + resumed.stderr);
        const logs = join(folder, 'state/runs', id, 'logs');
        assert.match(readFileSync(join(logs, 'check.log'), 'utf8'), 'seen');
        assert.match(readFileSync(join(logs, 'work.log'), 'utf8'), /^\/boot\/lost\+found\n\/dev\/loop\d+p1 /);

        writeFileSync(join(folder, 'r.yml'), recipe.replace('-e go', '-e never'));
        const killed = start(['run', 'r.yml'], { folder });
        await killed.saw('wait | waiting');
        killed.child.kill('SIGKILL');
        await killed.ended;
        for (const again of [1, 2]) assert.is((await run(['undo', '--all'], { folder })).code, 0, String(again));
        assert.equal(await settledDifferences(before, 5000), []);
      }),
    90_000,
  );
});
