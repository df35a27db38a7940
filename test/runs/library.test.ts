import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { type Ended, finished, repository, run, start } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const library = join(repository, 'recipes/lib/image_from_image.yml');
const tiny = join(repository, 'test/fixtures/tiny.yml');

/** What includes the library in a recipe, on the newest image that tiny.yml made. */
const includes = (more = '') => `includes: {ami: {recipe: ${library}, with: {source_filters: {name: "tiny-*"}, name: "next-{{ run.id }}"${more}}}}\n`;

async function makeBase(folder: string, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const made = await run(['run', tiny, ...args, '--format', 'json'], { folder });
  assert.is(made.code, 0, made.stdout + made.stderr);
  return finished(made)['outputs'] as Record<string, unknown>;
}

suite('an image from an image', (test) => {
  test(
    'has what the source has and what was put on it, is larger when asked, and carries its properties',
    () =>
      inFolder({ 'one.txt': 'one\n' }, async (folder) => {
        await makeBase(folder);
        const { image_id: newest } = await makeBase(folder, '-i', 'script=echo newest > /mark');
        const before = await lookAtHost();
        const recipe = `${includes(', size: 2, tags: {role: test}')}tasks:
  put: {uses: chroot.upload, in: ami.chroot, with: {from: one.txt, to: /srv/}}
  look: {in: ami.chroot, run: "cat /mark /srv/one.txt; df -k / | tail -n 1; cat /etc/resolv.conf"}
outputs: {image: "{{ ami.image_id }}", source: "{{ ami.source_id }}", snapshot: "{{ ami.snapshot_id }}"}
`;
        const ran = await runRecipe(folder, recipe, ['ami.image']);
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(ran.outputs['source'], newest);
        const [mark, one, size] = ran.log('look').split('\n');
        assert.equal([mark, one], ['newest', 'one']);
        assert.ok(Number(size?.split(/\s+/)[1]) > 1.8 * 2 ** 20, size);
        assert.match(ran.log('look'), readFileSync('/etc/resolv.conf', 'utf8'));
        // The next one starts from this one, by its id; the resolv.conf it finds is the image's own.
        const again = await runRecipe(
          folder,
          `includes: {ami: {recipe: ${library}, with: {source_ami: "${ran.outputs['image']}", copy_files: [], name: again}}}
tasks:
  look: {in: ami.chroot, run: "cat /mark /srv/one.txt /etc/resolv.conf; ls /usr/sbin"}
`,
        );
        assert.is(again.log('look'), 'newest\none\nfrom the image\npolicy-rc.d\n');
        // It makes none, and is told so.
        assert.is(again.warnings.length, 1);
        assert.match(
          again.warnings[0] ?? '',
          /^\S+r\.yml:5:14: no image is created from what "look" changes in "ami\.chroot": .* \[no-image\]\n[\s\S]*\n {2}help: outputs: \{image_id: "\{\{ ami\.image_id \}\}"\}$/,
        );
        const images = JSON.parse((await run(['local', 'images', '--json'], { folder })).stdout) as Record<string, unknown>[];
        const made = images.find((image) => image['id'] === ran.outputs['image']) as { tags: { Key: string; Value: string }[] };
        assert.ok(made.tags.some((tag) => tag.Key === 'role' && tag.Value === 'test'));
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  test(
    'has the other volumes of the source too, and its properties where they are rare',
    () =>
      inFolder({}, async (folder) => {
        const { image_id: source, snapshot_id: snapshot } = await makeBase(folder);
        // As an image of somebody else's might be.
        const file = join(folder, 'state/local/local-1/images', `${source}.json`);
        const image = JSON.parse(readFileSync(file, 'utf8')) as { mappings: object[] };
        const data = { device: '/dev/sdb', snapshot, size: 5, type: 'gp3', encrypted: false, deleteOnTermination: false };
        const scratch = { device: '/dev/sdc', virtualName: 'ephemeral0', encrypted: false, deleteOnTermination: false };
        const root = { ...image.mappings[0], device: '/dev/sda1' };
        const rare = { architecture: 'arm64', rootDevice: '/dev/sda1', ena: false, bootMode: 'uefi', tpm: 'v2.0', imds: 'v2.0', sriov: 'simple' };
        writeFileSync(file, JSON.stringify({ ...image, ...rare, mappings: [root, data, scratch] }));
        const ran = await runRecipe(folder, `${includes()}outputs: {image: "{{ ami.image_id }}"}\ntasks: {a: {in: ami.chroot, run: "true"}}\n`);
        assert.is(ran.code, 0, ran.ended.stdout);
        const made = JSON.parse(readFileSync(join(folder, 'state/local/local-1/images', `${ran.outputs['image']}.json`), 'utf8')) as Record<string, unknown> & {
          mappings: Record<string, unknown>[];
        };
        for (const [key, value] of Object.entries(rare)) assert.is(made[key], value, key);
        const [first, ...others] = made.mappings;
        assert.is(first?.['device'], '/dev/sda1');
        assert.not.equal(first?.['snapshot'], snapshot);
        assert.equal(
          others.map(({ device, snapshot: of, size, virtualName, deleteOnTermination }) => ({ device, of, size, virtualName, deleteOnTermination })),
          [
            { device: '/dev/sdb', of: snapshot, size: 5, virtualName: undefined, deleteOnTermination: false },
            { device: '/dev/sdc', of: undefined, size: undefined, virtualName: 'ephemeral0', deleteOnTermination: true },
          ],
        );
      }),
    60_000,
  );

  test(
    'is made though its provisioners leave daemons and mounts behind: they are ended and named, and nothing holds the volume',
    () =>
      inFolder({}, async (folder) => {
        await makeBase(folder);
        const before = await lookAtHost();
        const ran = await runRecipe(
          folder,
          `${includes()}tasks:
  cwd: {in: ami.chroot, run: "cd /etc; (trap '' TERM HUP; while :; do sleep 1; done) &"}
  files: {in: ami.chroot, needs: [cwd], run: "setsid sh -c 'exec 7> /held; (sleep 999 & ) ' & until [ -e /held ]; do :; done"}
  mapped: {in: ami.chroot, needs: [files], run: "mkdir /copy; cp /bin/busybox /copy; /copy/busybox sleep 998 > /dev/null 2>&1 & until grep -q busybox /proc/$!/comm; do :; done"}
  mounted: {in: ami.chroot, needs: [mapped], run: "mkdir -p /m /srv; mount -t tmpfs m /m; mount -o bind /bin /srv; sleep 997 > /m/open &"}
  onhost: {needs: [mounted], run: "cd {{ ami.chroot.path }}; mount -t tmpfs m tmp; setsid sleep 996 > srv/left &"}
`,
          ['ami.image'],
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        const left = Object.fromEntries(ran.events.filter((event) => event['type'] === 'task.left_behind').map((event) => [event['task'], event]));
        assert.equal(Object.keys(left), ['cwd', 'files', 'mapped', 'mounted', 'onhost']);
        const of = (task: string, what: 'processes' | 'mounts') => ((left[task] as Record<string, string[]> | undefined)?.[what] ?? []).sort();
        assert.equal(of('mapped', 'processes'), ['busybox']);
        assert.equal(of('mounted', 'mounts'), ['/m', '/srv']);
        for (const task of Object.keys(left)) assert.ok(of(task, 'processes').length > 0, task);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  test(
    'is built with /boot and /boot/efi mounted, as the image has them: a new kernel is on the partition that boots; off by an input',
    () =>
      inFolder({}, async (folder) => {
        const made = await runRecipe(
          folder,
          `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts:
    uses: disk.partition
    with:
      device: "{{ disk.device }}"
      partitions: [{name: esp, size: 64MiB, type: esp}, {name: boot, size: 200MiB, type: boot}, {name: root, type: root}]
  espfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.esp }}", type: ext4}}
  bootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.boot }}", type: ext4, label: BOOT}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ parts.partitions.root }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  boot: {uses: mount, with: {device: "{{ bootfs.device }}", path: "{{ root.path }}/boot"}}
  esp: {uses: mount, with: {device: "{{ espfs.device }}", path: "{{ boot.path }}/efi"}}
  unpack:
    needs: [esp]
    run: |
      cd {{ root.path }}; mkdir -p bin dev etc proc run sys tmp root; cp /bin/busybox bin; chroot . /bin/busybox --install -s /bin
      echo old > boot/vmlinuz; echo old > boot/efi/grub
      printf 'UUID={{ rootfs.uuid }} / ext4 defaults 0 1\\nUUID={{ espfs.uuid }} /boot/efi vfat umask=0077 0 1\\nLABEL=BOOT /boot ext4 defaults 0 2\\n' > etc/fstab
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "parted-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
`,
        );
        assert.is(made.code, 0, made.ended.stdout);
        const before = await lookAtHost();
        const next = (name: string, script: string, more = '') => `includes:
  ami: {recipe: ${library}, with: {source_filters: {name: "${name}-*"}, name: "next-{{ run.id }}", copy_files: []${more}}}
tasks:
  kernel: {in: ami.chroot, run: "${script}"}
outputs: {image: "{{ ami.image_id }}"}
`;
        const update = 'cat /boot/vmlinuz /boot/efi/grub; echo new > /boot/vmlinuz; echo new > /boot/efi/grub; readlink /dev/disk/by-label/BOOT';
        const ran = await runRecipe(folder, next('parted', update));
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.match(ran.log('kernel'), /^old\nold\n\.\.\/\.\.\/loop\d+p2\n$/);
        assert.equal(ran.warnings, []);
        // Frozen once all of them are unmounted, and they after the chroot.
        const ended = ran.nodes.map((node) => node.split(' ')[0]);
        const order = ['ami.fstab', 'ami.chroot', 'kernel', 'ami.chroot.released', 'ami.fstab.released', 'ami.root.released', 'ami.snapshot'];
        assert.equal(
          ended.filter((node) => order.includes(node ?? '')),
          order,
        );
        const off = await runRecipe(folder, next('next', 'ls -A /boot | wc -l', ', mount_fstab: false'));
        assert.is(off.code, 0, off.ended.stdout);
        // The folder that is hidden on the running system: nothing went there.
        assert.is(off.log('kernel'), '0\n');
        const again = await runRecipe(folder, next('next', 'cat /boot/vmlinuz /boot/efi/grub'));
        assert.is(again.log('kernel'), 'new\nnew\n');
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  for (const count of [2, 4]) {
    test(
      `${count} runs at once on one host have devices of their own, and are all in their chroots at the same time`,
      () =>
        inFolder({}, async (folder) => {
          await makeBase(folder);
          const before = await lookAtHost();
          // Each waits in its image until all are there: were one to wait for another, none would ever end.
          const recipe = `version: 1
name: parallel
inputs: {who: {type: string, required: true}}
${includes()}tasks:
  meet:
    env: {AT: "{{ ami.chroot.path }}"}
    timeout: 10m
    run: |
      touch {{ inputs.who }}.here; echo "$AT" > "$AT/who"
      until [ "$(ls *.here | wc -l)" = ${count} ]; do sleep 0.02; done
  look: {in: ami.chroot, needs: [meet], run: "cat /who"}
outputs: {device: "{{ ami.disk.device }}", name: "{{ ami.disk.device_name }}", path: "{{ ami.chroot.path }}", image: "{{ ami.image_id }}"}
`;
          writeFileSync(join(folder, 'p.yml'), recipe);
          const ended: Ended[] = await Promise.all(
            Array.from({ length: count }, (_, i) => run(['run', 'p.yml', 'ami.image', 'look', '-i', `who=r${i}`, '--format', 'json'], { folder })),
          );
          for (const each of ended) assert.is(each.code, 0, each.stdout + each.stderr);
          const outputs = ended.map((each) => finished(each)['outputs'] as Record<string, string>);
          for (const key of ['device', 'name', 'path', 'image']) assert.is(new Set(outputs.map((each) => each[key])).size, count, key);
          const times = (type: string) =>
            ended.map((each) => {
              const line = each.stdout.split('\n').find((text) => text.includes(`"${type}","task":"meet"`));
              return Date.parse((JSON.parse(line ?? '{}') as { time: string }).time);
            });
          assert.ok(Math.max(...times('task.started')) < Math.min(...times('task.finished')), 'all meet at the same time');
          assert.equal(differences(before, await lookAtHost()), []);
        }),
      120_000,
    );
  }

  test(
    'a run that takes long keeps no other from beginning and ending meanwhile',
    () =>
      inFolder({}, async (folder) => {
        await makeBase(folder);
        const recipe = (name: string, more: string) =>
          `version: 1\nname: ${name}\n${includes()}tasks:\n  a: {in: ami.chroot, run: "true"}\n${more}goals: [ami.image]\n`;
        writeFileSync(
          join(folder, 'slow.yml'),
          recipe('slow', '  wait: {needs: [ami.chroot], timeout: 10m, run: "echo waiting; until [ -e go ]; do sleep 0.02; done"}\n'),
        );
        writeFileSync(join(folder, 'quick.yml'), recipe('quick', ''));
        const slow = start(['run', 'slow.yml'], { folder });
        await slow.saw('wait | waiting');
        for (const each of await Promise.all([0, 1].map(() => run(['run', 'quick.yml'], { folder })))) assert.is(each.code, 0, each.stdout + each.stderr);
        writeFileSync(join(folder, 'go'), '');
        const ended = await slow.ended;
        assert.is(ended.code, 0, ended.stdout + ended.stderr);
      }),
    60_000,
  );

  test(
    'lib/cleanup.yml takes out what makes a machine the one it is and what takes room, after the tasks that say before',
    () =>
      inFolder({}, async (folder) => {
        await makeBase(folder);
        const ran = await runRecipe(
          folder,
          `includes:
  ami: {recipe: ${library}, with: {source_filters: {name: "tiny-*"}, name: "clean-{{ run.id }}"}}
  cleanup: {recipe: ${repository}/recipes/lib/cleanup.yml, with: {chroot: "{{ ami.chroot.path }}"}}
tasks:
  plant:
    in: ami.chroot
    before: [cleanup.all]
    run: |
      mkdir -p /etc/ssh /var/lib/dbus /var/lib/cloud/instances/i-1 /var/lib/apt/lists /var/log/journal/x /var/tmp /root/.cache /home/me /bin
      for file in /etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_rsa_key.pub /etc/ssh/sshd_config /etc/machine-id /var/lib/dbus/machine-id \\
        /var/lib/cloud/instances/i-1/x /var/lib/apt/lists/x /var/log/auth.log /var/log/old.log.1 /var/log/x.gz /var/log/journal/x/y \\
        /tmp/x /var/tmp/x /root/.bash_history /home/me/.bash_history /home/me/kept; do echo something > "$file"; done
      for tool in apt-get dnf; do printf '#!/bin/sh\\necho %s "$@" >> /called\\n' $tool > /bin/$tool; chmod +x /bin/$tool; done
  look: {in: ami.chroot, needs: [cleanup.all], run: "cat /called; find /etc/ssh /etc/machine-id /var /tmp /root /home -type f | sort | while read -r f; do echo $f $(wc -c < $f); done"}
`,
          ['ami.image', 'look'],
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.equal(ran.log('look').trim().split('\n'), [
          'apt-get clean',
          'dnf --quiet clean all',
          '/etc/machine-id 0',
          '/etc/ssh/sshd_config 10',
          '/home/me/kept 10',
          '/var/log/auth.log 0',
        ]);
      }),
    60_000,
  );

  test(
    'one recipe may make several at the same time, each from a chroot of its own',
    () =>
      inFolder({}, async (folder) => {
        await makeBase(folder);
        const ran = await runRecipe(
          folder,
          `includes:
  a: {recipe: ${library}, with: {source_filters: {name: "tiny-*"}, name: next-a}}
  b: {recipe: ${library}, with: {source_filters: {name: "tiny-*"}, name: next-b}}
tasks:
  in_a: {in: a.chroot, run: "echo a > /who; until [ -e /other ]; do sleep 0.02; done", timeout: 10m}
  in_b: {in: b.chroot, run: "echo b > /who; until [ -e /other ]; do sleep 0.02; done", timeout: 10m}
  meet:
    timeout: 10m
    run: |
      until [ -e {{ a.chroot.path }}/who ] && [ -e {{ b.chroot.path }}/who ]; do sleep 0.02; done
      touch {{ a.chroot.path }}/other {{ b.chroot.path }}/other
outputs: {image_a: "{{ a.image_id }}", image_b: "{{ b.image_id }}"}
`,
          ['-j', '3'],
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(new Set(Object.values(ran.outputs)).size, 2);
      }),
    60_000,
  );
});
