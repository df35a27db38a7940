import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { image } from '../../src/tasks/ec2/image.js';
import { volume } from '../../src/tasks/ec2/volume.js';
import { heldBy, misbehaving } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { run, start } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

/** An image on a volume; scripts in it and on the host, then a snapshot. */
const onVolume = (root: string, inside: string, host: string, more: string) => `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  fs: {uses: disk.filesystem, with: {device: "{{ disk.device }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ fs.device }}"}}
  fill: {run: "cp -a ${root}/. {{ root.path }}"}
  sys: {uses: chroot, needs: [fill], with: {root: "{{ root.path }}"}}
  inside: {in: sys, run: ${JSON.stringify(inside)}}
  host: {needs: [inside, sys], run: ${JSON.stringify(host)}, undo: {run: "true", when: always}}
  fail: {needs: [host], in: sys, run: "${more}"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
`;

suite('an image whose own files cannot be restored', (test) => {
  const readOnly = /: a script made the image read-only: \/etc\/resolv\.conf cannot be restored/;
  const acts: Record<string, { inside?: string; host?: string; error?: RegExp }> = {
    'a script remounts it read-only': { inside: 'mount -o remount,ro /', error: readOnly },
    // The kernel makes the file system read-only where a process unmounts its own root.
    'a script unmounts all': { inside: 'umount -a || true; umount -l /dev /run /sys || true', error: readOnly },
    'a script puts another folder in the place of /etc': {
      inside: 'cp -a /etc /other; mv /etc /old; mv /other /etc',
      error: /: \/etc in the image has been replaced: \/etc\/resolv\.conf cannot be restored$/,
    },
    'a script removes /etc': { inside: 'rm -r /etc', error: /: \/etc in the image has been replaced: \/etc\/resolv\.conf cannot be restored$/ },
    'a script moves /usr/sbin and puts a link to it there': { inside: 'mv /usr/sbin /usr/other; ln -s other /usr/sbin' },
    'a stand-in is made immutable': {
      host: 'chattr +i {{ root.path }}/etc/resolv.conf',
      error: /: the file or its folder is immutable \(chattr \+i\): \/etc\/resolv\.conf cannot be restored$/,
    },
    'a script on the host unmounts it': { host: 'umount -R {{ root.path }}', error: /\/.* is another folder now: \/etc\/resolv\.conf cannot be restored/ },
  };
  for (const [act, { inside = 'true', host = 'true', error }] of Object.entries(acts)) {
    test(`${act}: a failed run leaves nothing, and one that would succeed ${error === undefined ? 'does' : 'fails and leaves nothing'}`, () =>
      inFolder({}, async (folder) => {
        const root = makeRoot(folder);
        const before = await lookAtHost();
        const failed = await runRecipe(folder, onVolume(root, inside, host, 'false'));
        assert.equal([failed.code, failed.left, heldBy(folder)], [1, [], []], failed.ended.stdout);
        const other = await runRecipe(folder, onVolume(root, inside, host, 'true').replace(/ {2}fail: .*\n/, ''));
        assert.equal([other.code, other.left], [error === undefined ? 0 : 1, []], other.ended.stdout);
        if (error !== undefined) assert.match(`: ${other.errors['sys.released']}`, error);
        assert.is(heldBy(folder).length, error === undefined ? 1 : 0);
        assert.equal(differences(before, await lookAtHost()), []);
      }));
  }

  test('on a disk that is kept, what is below is released, and the lines to type put the files back', () =>
    inFolder({}, async (folder) => {
      const disk = join(folder, 'a disk.img');
      execFileSync('truncate', ['-s', '64M', disk]);
      execFileSync('mkfs.ext4', ['-q', '-d', makeRoot(folder), disk]);
      const device = execFileSync('losetup', ['--find', '--show', disk], { encoding: 'utf8' }).trim();
      try {
        const recipe = (script: string) => `tasks:
  root: {uses: mount, with: {device: ${device}}}
  sys: {uses: chroot, with: {root: "{{ root.path }}"}}
  a: {in: sys, run: ${JSON.stringify(script)}}
`;
        const ran = await runRecipe(folder, recipe('mount -o remount,ro /'));
        assert.is(ran.code, 5, ran.ended.stdout);
        assert.equal(ran.undone, ['sys failed', 'root']);
        assert.equal(
          ran.left.map(({ task, by_hand }) => ({ task, by_hand })),
          [
            {
              task: 'sys',
              by_hand: [
                `mount -- ${device} /mnt`,
                'rm -f -- /mnt/etc/resolv.conf',
                'mv -T -- /mnt/etc/.resolv.conf.chrootfile-kept /mnt/etc/resolv.conf',
                'rm -f -- /mnt/usr/sbin/policy-rc.d',
                'umount /mnt',
              ],
            },
          ],
        );
        typeIn(ran.left[0]?.by_hand ?? []);
        assert.equal(filesOn(device), ['etc/group', 'etc/passwd', 'etc/resolv.conf: from the image']);
        const swapped = await runRecipe(folder, recipe('mv /etc /old; mkdir /etc'));
        assert.is(swapped.code, 5, swapped.ended.stdout);
        assert.is(typeIn(swapped.left[0]?.by_hand ?? []), '/mnt/old/.resolv.conf.chrootfile-kept\n');
        const again = await run(['undo', '--all'], { folder });
        assert.is(again.code, 0, again.stdout + again.stderr);
      } finally {
        execFileSync('losetup', ['--detach', device]);
      }
    }));

  test('that is not on the volume its chroot needs is left, with the lines to type', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const host = `chattr +i ${root}/etc/resolv.conf`;
      const ran = await runRecipe(
        folder,
        onVolume(makeRoot(join(folder, 'other')), 'true', host, 'false').replace(/(sys: .*)needs: \[fill\].*/, `$1needs: [root], with: {root: ${root}}}`),
      );
      try {
        assert.equal([ran.code, ran.left.map(({ task }) => task), heldBy(folder)], [5, ['sys'], []], ran.ended.stdout);
      } finally {
        execFileSync('chattr', ['-i', join(root, 'etc/resolv.conf')]);
      }
      const again = await run(['undo', '--all'], { folder });
      assert.equal([again.code, readFileSync(join(root, 'etc/resolv.conf'), 'utf8')], [0, 'from the image\n'], again.stdout + again.stderr);
    }));

  test('whose own mount is gone, as after a power cut, ends its undo with a warning', () =>
    inFolder({ 'image/x': '' }, async (folder) => {
      const root = join(folder, 'image');
      const made = makeRoot(folder);
      execFileSync('mount', ['-t', 'tmpfs', 'none', root]);
      try {
        execFileSync('cp', ['-a', `${made}/.`, root]);
        writeFileSync(
          join(folder, 'r.yml'),
          `version: 1\nname: r\ntasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  a: {in: sys, run: "echo ready; sleep 60"}\n`,
        );
        const killed = start(['run', 'r.yml', '--no-sandbox'], { folder });
        await killed.saw('a | ready');
        killed.child.kill('SIGKILL');
        await killed.ended;
      } finally {
        execFileSync('umount', ['--recursive', '--lazy', root]);
      }
      const undone = await run(['undo', '--all'], { folder });
      assert.is(undone.code, 0, undone.stdout + undone.stderr);
      for (const file of ['/etc/resolv.conf', '/usr/sbin/policy-rc.d']) {
        assert.match(undone.stdout + undone.stderr, `${root} is another folder now: ${file} could not be restored in the image`);
      }
      assert.equal(readdirSync(root), ['x']);
    }));

  test('lines to type name what is there, with paths quoted: stand-ins, downloads, undo scripts', () =>
    inFolder({ 'a/b': '', b: '' }, async (folder) => {
      const root = join(folder, "a b'c");
      renameSync(makeRoot(folder), root);
      const [standIn, made] = [join(root, 'etc/resolv.conf'), join(folder, 'a b/made')];
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${JSON.stringify(root)}}}
  back: {uses: chroot.download, in: sys, with: {from: /etc/passwd, to: "a b/made"}}
  script: {in: sys, dir: /tmp, needs: [back], run: "true", undo: {run: "[ -e mended ]\\necho done > undone"}}
  fail: {in: sys, needs: [script], run: "false"}
  lock: {needs: [back, sys], before: [fail], run: 'chattr +i "$IN" "$MADE"', env: {IN: ${JSON.stringify(standIn)}, MADE: ${JSON.stringify(made)}}}
`,
      );
      const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`;
      try {
        assert.is(ran.code, 5, ran.ended.stdout);
        assert.equal(
          ran.left.map(({ task, by_hand }) => ({ task, by_hand })),
          [
            { task: 'script', by_hand: [`chroot ${quoted(root)}`, 'cd /tmp', '[ -e mended ]', 'echo done > undone'] },
            { task: 'back', by_hand: [`rm -r -- ${quoted(made)}`] },
            {
              task: 'sys',
              by_hand: [
                `rm -f -- ${quoted(standIn)}`,
                `mv -T -- ${quoted(join(root, 'etc/.resolv.conf.chrootfile-kept'))} ${quoted(standIn)}`,
                `rm -f -- ${quoted(join(root, 'usr/sbin/policy-rc.d'))}`,
              ],
            },
          ],
        );
      } finally {
        execFileSync('chattr', ['-i', standIn, made]);
      }
      for (const { task, by_hand } of ran.left) if (task !== 'script') typeIn(by_hand);
      assert.equal(readFileSync(standIn, 'utf8'), 'from the image\n');
      assert.equal([existsSync(made), existsSync(join(folder, 'a')), existsSync(join(folder, 'b'))], [false, true, true]);
      writeFileSync(join(root, 'tmp/mended'), '');
      const again = await run(['undo', '--all'], { folder });
      assert.is(again.code, 0, again.stdout + again.stderr);
      assert.equal(readdirSync(join(root, 'usr/sbin')), []);
    }));

  test('for the embedded EC2 the line to type is the program itself', () =>
    inFolder({}, async (folder) => {
      const rules = [{ action: 'DeleteVolume', fault: 'denied' as const, times: 1000 }];
      const recipe = `tasks:\n  volume: {uses: ec2.volume, with: {size: 1}}\n  fail: {needs: [volume], run: "false"}\n`;
      const ran = await runRecipe(folder, recipe, [], misbehaving(folder, rules));
      assert.is(ran.code, 5, ran.ended.stdout);
      const [line = ''] = ran.left[0]?.by_hand ?? [];
      assert.match(line, /^chrootfile undo \S+ --state \S+ {3}# delete-volume --region local-1 --volume-id vol-[0-9a-f]+$/);
      const undone = await run(
        [
          ...line
            .replace(/ {3}#.*/, '')
            .split(' ')
            .slice(1),
        ],
        { folder },
      );
      assert.equal([undone.code, heldBy(folder)], [0, []], undone.stdout + undone.stderr);
    }));

  test('for AWS it is the aws command line, with profile and endpoint, and quoted', () => {
    const at = {
      again: 'chrootfile undo r',
      cloud: { provider: 'aws', profile: 'my images', endpoint: 'http://127.0.0.1:1' },
      mountsGone: true,
      mounts: [],
    } as const;
    const retired = { region: 'eu-west-1', retired: 'ami-1', again: { Name: "it's" } };
    assert.equal(image.byHand?.(retired, at), [
      `aws --profile 'my images' --endpoint-url http://127.0.0.1:1 ec2 register-image --region eu-west-1 --cli-input-json '{"Name":"it'\\''s"}'`,
    ]);
    const unknown = { run: 'r', task: 'v', region: 'eu-west-1', asked_at: '' };
    assert.equal(volume.byHand?.(unknown, { ...at, cloud: { provider: 'aws' } }), [
      'aws ec2 describe-volumes --region eu-west-1 --filters Name=tag:chrootfile:run,Values=r   # then delete-volume',
    ]);
  });
});

/** Types lines into a shell, as a person would; gives what it prints. */
function typeIn(lines: readonly string[]): string {
  return execFileSync('unshare', ['--mount', '/bin/sh', '-e'], { input: lines.join('\n'), encoding: 'utf8' });
}

/** The files of two folders on a disk, with what is in resolv.conf. */
function filesOn(device: string): string[] {
  const script = `mount ${device} /mnt; cd /mnt; for f in $(find etc usr/sbin -type f | sort); do case $f in */resolv.conf) echo "$f: $(cat $f)";; *) echo $f;; esac; done; cd /; umount /mnt`;
  return execFileSync('unshare', ['--mount', '/bin/sh', '-ec', script], { encoding: 'utf8' }).trim().split('\n');
}
