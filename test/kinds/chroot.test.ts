import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

suite('chroot', (test) => {
  const shapes: Record<string, (etc: string, host: string) => void> = {
    'a file': (etc) => writeFileSync(join(etc, 'resolv.conf'), 'own\n'),
    'an absolute link to a file of the host': (etc, host) => symlinkSync(join(host, 'victim'), join(etc, 'resolv.conf')),
    'a relative link': (etc) => symlinkSync('../run/stub', join(etc, 'resolv.conf')),
    'a link that leads nowhere': (etc) => symlinkSync('/nowhere/at/all', join(etc, 'resolv.conf')),
    missing: () => {},
  };
  for (const [shape, make] of Object.entries(shapes)) {
    test(`/etc/resolv.conf that is ${shape} comes back as it was; the host's is untouched`, () =>
      inFolder({ victim: 'of the host\n' }, async (folder) => {
        const root = makeRoot(folder);
        const etc = join(root, 'etc');
        rmSync(join(etc, 'resolv.conf'));
        make(etc, folder);
        const before = fingerprint(etc);
        const host = readFileSync('/etc/resolv.conf', 'utf8');
        const ran = await runRecipe(
          folder,
          `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  a: {in: sys, run: "cat /etc/resolv.conf; echo changed >> /etc/resolv.conf; ls -l /usr/sbin"}\n`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.match(ran.log('a'), host);
        assert.match(ran.log('a'), /-rwxr-xr-x.*policy-rc\.d/);
        assert.equal(fingerprint(etc), before);
        assert.equal(readdirSync(join(root, 'usr/sbin')), []);
        assert.is(readFileSync('/etc/resolv.conf', 'utf8'), host);
        assert.is(readFileSync(join(folder, 'victim'), 'utf8'), 'of the host\n');
      }));
  }

  test('a copy_files entry whose folder is an absolute link stands in within the image; the folder of the host is untouched', () =>
    inFolder({ 'host/app.conf': 'of the host\n' }, async (folder) => {
      const root = makeRoot(folder);
      const host = join(folder, 'host');
      // On the host the link leads to the folder; in the image the same path is a folder of its own.
      symlinkSync(host, join(folder, 'settings'));
      mkdirSync(join(root, host), { recursive: true });
      writeFileSync(join(root, host, 'app.conf'), 'of the image\n');
      mkdirSync(join(root, folder), { recursive: true });
      symlinkSync(host, join(root, folder, 'settings'));
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}, copy_files: [${folder}/settings/app.conf]}}
  a: {in: sys, run: "cat ${folder}/settings/app.conf; echo changed > ${folder}/settings/app.conf"}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.is(ran.log('a'), 'of the host\n');
      assert.equal(fingerprint(host), ['app.conf: of the host\n']);
      assert.equal(fingerprint(join(root, host)), ['app.conf: of the image\n']);
    }));

  test('scripts run in an image whose /proc, /dev, /sys, /run and /tmp are links to folders of the host', () =>
    inFolder({ 'file.conf': 'x\n' }, async (folder) => {
      const root = makeRoot(folder);
      // Not below /tmp: on the way there the image's own link would be met.
      const host = mkdtempSync('/var/tmp/chrootfile-test-');
      try {
        for (const name of ['proc', 'dev', 'sys', 'run', 'tmp']) {
          rmSync(join(root, name), { recursive: true, force: true });
          mkdirSync(join(root, host, name), { recursive: true });
          mkdirSync(join(host, name));
          symlinkSync(join(host, name), join(root, name));
        }
        const before = await lookAtHost();
        const ran = await runRecipe(
          folder,
          `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  a: {in: sys, run: "ls /proc | grep -c '^1$'; echo x > /dev/null; echo made > /tmp/made; echo made > /run/made; rm -rf /dev/shm/*"}
  up: {uses: chroot.upload, in: sys, needs: [a], with: {from: file.conf, to: /tmp/file.conf}}
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(ran.log('a'), '1\n');
        assert.equal(readdirSync(host, { recursive: true }).sort(), ['dev', 'proc', 'run', 'sys', 'tmp']);
        assert.equal(readdirSync(join(root, host, 'tmp')).sort(), ['file.conf', 'made']);
        assert.equal(differences(before, await lookAtHost()), []);
      } finally {
        rmSync(host, { recursive: true });
      }
    }));

  test('folders that are links to folders of the host lead into the image instead', () =>
    inFolder({ 'host/kept': 'kept\n', 'file.conf': 'x\n' }, async (folder) => {
      const root = makeRoot(folder);
      const host = join(folder, 'host');
      for (const name of ['proc', 'dev', 'sys', 'run', 'srv']) {
        rmSync(join(root, name), { recursive: true, force: true });
        symlinkSync(host, join(root, name));
      }
      mkdirSync(join(root, host), { recursive: true });
      const before = await lookAtHost();
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}, copy_files: []}}
  up: {uses: chroot.upload, in: sys, with: {from: file.conf, to: /srv/deep/file.conf}}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.equal(readdirSync(host), ['kept'], 'the folder of the host is as it was');
      assert.equal(differences(before, await lookAtHost()), []);
    }));

  test(
    'a folder that a script puts a link in the place of is not followed to the host when files are put back',
    () =>
      inFolder({ 'etc/resolv.conf': 'of the host\n' }, async (folder) => {
        const root = makeRoot(folder);
        rmSync(join(root, 'etc/resolv.conf'));
        const ran = await runRecipe(
          folder,
          `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  a: {in: sys, run: "mkdir -p /bin/..${folder}/etc; mv /etc /etc2; ln -s ${folder}/etc /etc"}\n`,
        );
        assert.is(ran.code, 5, ran.ended.stdout);
        assert.match(ran.left[0]?.error ?? '', '/etc in the image has been replaced: /etc/resolv.conf cannot be restored');
        assert.is(readFileSync(join(folder, 'etc/resolv.conf'), 'utf8'), 'of the host\n');
      }),
    60_000,
  );

  test('has its own /dev, /sys read-only and an empty /run, or the mounts it is given', () =>
    inFolder({ 'bound/x': 'bound\n' }, async (folder) => {
      const root = makeRoot(folder);
      writeFileSync(join(root, 'run/old'), '');
      const usual = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}, add_mounts: [{source: ${folder}/bound, target: /mnt/in, options: [ro]}]}}
  a: {in: sys, run: "touch /dev/made; ls /run; cat /mnt/in/x; touch /sys/x 2>&1 || echo read-only; tty < /dev/pts/ptmx > /dev/null 2>&1; ls /dev/shm"}
`,
      );
      assert.is(usual.code, 0, usual.ended.stdout);
      assert.is(usual.log('a').replace(/^touch.*\n/m, ''), 'lock\nbound\nread-only\n');
      assert.not.ok(existsSync('/dev/made'));
      assert.ok(existsSync(join(root, 'run/old')), 'what is in the image is seen again afterwards');
      const own = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}, mounts: [{type: tmpfs, source: t, target: /tmp/t, options: [size=1m]}]}}
  a: {in: sys, run: "ls /run; mount | grep -c /tmp/t; [ ! -e /dev/null ]"}
`,
      );
      assert.is(own.log('a'), 'old\n1\n');
    }));

  test('an image whose path has spaces, quotes, tabs and more; something is mounted in it already', () =>
    inFolder({}, async (folder) => {
      const root = join(folder, `# a "b" 'c'\td \\040\\ $e,f`);
      renameSync(makeRoot(folder), root);
      const ran = await runRecipe(
        folder,
        `tasks:
  before: {uses: chroot, with: {root: &root ${JSON.stringify(root)}, copy_files: [], services: true, mounts: [{type: tmpfs, source: tmpfs, target: /run}]}}
  sys: {needs: [before], uses: chroot, with: {root: *root}}
  a: {in: sys, run: "ls /dev/pts /run; touch /sys/x 2>&1 || echo read-only"}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.is(ran.log('a').replace(/^touch.*\n/m, ''), '/dev/pts:\nptmx\n\n/run:\nlock\nread-only\n');
      assert.equal([readdirSync(join(root, 'dev')), readdirSync(join(root, 'sys')), readdirSync(join(root, 'run'))], [[], [], []]);
    }));

  test('bind mounts do not meet: what is mounted in one image is seen neither where it comes from nor in another image', () =>
    inFolder({}, async (folder) => {
      const [one, other] = [makeRoot(folder), join(folder, 'other')];
      cpSync(one, other, { recursive: true, verbatimSymlinks: true });
      const before = await lookAtHost();
      const mounts = 'mounts: [{source: /dev, target: /dev}, {source: devpts, type: devpts, target: /dev/pts}]';
      const apart = await runRecipe(
        folder,
        `tasks:
  one: {uses: chroot, with: {root: ${one}, ${mounts}}}
  other: {uses: chroot, with: {root: ${other}, ${mounts}}}
  first: {in: one, run: "mount | grep -c ' /dev/pts '"}
  look: {in: other, needs: [one.released], run: "mount | grep -c ' /dev/pts '"}
`,
      );
      assert.equal([apart.code, apart.log('first'), apart.log('look')], [0, '1\n', '1\n'], apart.ended.stdout);
      assert.equal(differences(before, await lookAtHost()), []);
    }));

  test('what goes wrong is said: no such root, no such file, no such folder in the image', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const error = async (params: string) => (await runRecipe(folder, `tasks:\n  sys: {uses: chroot, with: {${params}}}\n`)).errors['sys'];
      assert.match((await error('root: /nowhere')) ?? '', /: \/nowhere is not a folder$/);
      assert.match((await error(`root: ${root}, copy_files: [/etc/nothing]`)) ?? '', /: copy_files: this host has no \/etc\/nothing$/);
      rmSync(join(root, 'etc'), { recursive: true });
      assert.match((await error(`root: ${root}`)) ?? '', /: copy_files: the image has no folder \/etc$/);
    }));
});

suite('chroot.upload and chroot.download', (test) => {
  test('copy files and folders with modes, owners and links; what is there is replaced, never written through', () =>
    inFolder({ 'files/a.txt': 'a\n', 'files/sub/run.sh': '#!/bin/sh\n', 'one.conf': 'one\n', victim: 'victim\n' }, async (folder) => {
      const root = makeRoot(folder);
      symlinkSync('a.txt', join(folder, 'files/link'));
      chmodSync(join(folder, 'files/sub/run.sh'), 0o755);
      symlinkSync(join(folder, 'victim'), join(root, 'etc/one.conf'));
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  tree: {uses: chroot.upload, in: sys, with: {from: files, to: /srv/www, owner: web}}
  one: {uses: chroot.upload, in: sys, with: {from: one.conf, to: /etc/, mode: "0640", owner: "root:web"}}
  change: {in: sys, needs: [one, tree], run: "echo made > /srv/made; ln -s /etc/passwd /srv/pw"}
  back: {uses: chroot.download, in: sys, needs: [change], with: {from: /srv/made, to: results/}}
  through: {uses: chroot.download, in: sys, needs: [change], with: {from: /srv/pw, to: pw}}
  fail: {needs: [back], if: "{{ default env.FAIL 'false' }}", run: "false"}
outputs: {tree_path: "{{ tree.path }}", one_path: "{{ one.path }}"}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.equal(ran.outputs, { tree_path: '/srv/www', one_path: '/etc/one.conf' });
      assert.is(readFileSync(join(folder, 'victim'), 'utf8'), 'victim\n');
      const one = lstatSync(join(root, 'etc/one.conf'));
      assert.equal([one.isFile(), one.mode & 0o7777, one.uid, one.gid], [true, 0o640, 0, 33]);
      assert.is(readlinkSync(join(root, 'srv/www/link')), 'a.txt');
      const script = statSync(join(root, 'srv/www/sub/run.sh'));
      assert.equal([script.mode & 0o7777, script.uid, script.gid], [0o755, 33, 33]);
      assert.is(readFileSync(join(folder, 'results/made'), 'utf8'), 'made\n');
      assert.match(readFileSync(join(folder, 'pw'), 'utf8'), /^root:x:0:0:root:\/root:\/bin\/sh\nweb:/);
      rmSync(join(folder, 'results'), { recursive: true });
      rmSync(join(root, 'srv'), { recursive: true });
      const failed = await runRecipe(folder, readFileSync(join(folder, 'r.yml'), 'utf8').replace('version: 1\nname: r\n', ''), [], { FAIL: 'true' });
      assert.is(failed.code, 1);
      assert.not.ok(existsSync(join(folder, 'results/made')), 'a failed run takes back what it downloaded');
      assert.ok(existsSync(join(folder, 'pw')), 'what was there before stays');
    }));

  test('keep owners when told to, and leave folders that are there as they are', () =>
    inFolder({ 'files/a.txt': 'a\n', 'files/etc/own.conf': 'own\n' }, async (folder) => {
      const root = makeRoot(folder);
      chownSync(join(folder, 'files/a.txt'), 1234, 4321);
      chmodSync(join(folder, 'files/a.txt'), 0o4750);
      chmodSync(join(folder, 'files/etc'), 0o700);
      chmodSync(join(root, 'etc'), 0o751);
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  tree: {uses: chroot.upload, in: sys, with: {from: files, to: /, owner: keep}}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      const file = statSync(join(root, 'files/a.txt'));
      assert.equal([file.uid, file.gid, file.mode & 0o7777], [1234, 4321, 0o4750]);
      const merged = await runRecipe(
        folder,
        `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  tree: {uses: chroot.upload, in: sys, with: {from: files/etc, to: /etc, owner: web}}\n`,
      );
      assert.is(merged.code, 0, merged.ended.stdout);
      const [etc, own] = [statSync(join(root, 'etc')), statSync(join(root, 'etc/own.conf'))];
      assert.equal([etc.uid, etc.mode & 0o7777, own.uid], [0, 0o751, 33]);
    }));

  test('say what is wrong: no source, an unknown owner, a device', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const error = async (params: string, kind = 'upload') =>
        (await runRecipe(folder, `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  t: {uses: chroot.${kind}, in: sys, with: {${params}}}\n`)).errors[
          't'
        ]?.replace(/^.*?: /, '');
      assert.is(await error('from: missing, to: /x'), `${folder}/missing does not exist`);
      assert.is(await error('from: r.yml, to: /x, owner: nobody'), 'the image has no user "nobody"');
      assert.is(await error('from: /dev/null, to: /x'), '/dev/null is not a file, link or folder');
      assert.is(await error('from: /missing, to: x', 'download'), 'the image has no /missing');
    }));
});

/** Names, types and contents of a folder. */
function fingerprint(folder: string): string[] {
  return readdirSync(folder).map((name) => {
    const path = join(folder, name);
    return lstatSync(path).isSymbolicLink() ? `${name} -> ${readlinkSync(path)}` : `${name}: ${readFileSync(path, 'utf8')}`;
  });
}
