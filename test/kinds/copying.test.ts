import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { readInside } from '../../src/linux/rooted_path.js';
import { inFolder } from '../support/folder.js';
import { program, repository } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';
import { whileSwapping } from '../support/swapping.js';

suite('files of an image that the program reads', (test) => {
  const hostile: Record<string, [make: (file: string) => void, error: RegExp]> = {
    'a named pipe': [(file) => execFileSync('mkfifo', [file]), /: \/etc\/passwd in the image is not a regular file$/],
    'a device': [(file) => execFileSync('mknod', [file, 'c', '1', '5']), /: \/etc\/passwd in the image is not a regular file$/],
    'a folder': [(file) => mkdirSync(file), /: \/etc\/passwd in the image is not a regular file$/],
    'a huge file': [
      (file) => {
        writeFileSync(file, '');
        truncateSync(file, 1e12);
      },
      /: \/etc\/passwd in the image is larger than 1048576 bytes$/,
    ],
    'a link to a file of the host': [(file) => symlinkSync(join(dirname(file), '../../victim'), file), /: the image has no user "web"$/],
    'a link out of the image': [(file) => symlinkSync('../../../../../../../../../../../../../victim', file), /: the image has no user "web"$/],
    'a circle of links': [(file) => symlinkSync('passwd', file), /: \/etc\/passwd: too many levels of links$/],
    'no number': [(file) => writeFileSync(file, 'web:x:-1\n'), /: the image has no user "web"$/],
  };
  for (const [what, [make, error]] of Object.entries(hostile)) {
    test(`/etc/passwd that is ${what} is an error, not a hang`, () =>
      inFolder({ victim: 'web:x:7:7\n' }, async (folder) => {
        const root = makeRoot(folder);
        rmSync(join(root, 'etc/passwd'));
        make(join(root, 'etc/passwd'));
        const ran = await runRecipe(
          folder,
          `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  up: {uses: chroot.upload, in: sys, with: {from: victim, to: /x, owner: web}}\n`,
        );
        assert.is(ran.code, 1);
        assert.match(ran.errors['up'] ?? '', error);
      }));
  }

  test('are found through links within the image; a missing one is told from one that cannot be read', () =>
    inFolder({ 'root/data/file': 'content\n', 'root/plain': '' }, async (folder) => {
      const root = join(folder, 'root');
      symlinkSync('/data', join(root, 'absolute'));
      symlinkSync('../../data/../absolute/file', join(root, 'data/up'));
      assert.is(await readInside(root, '/absolute/up'), 'content\n');
      assert.is(await readInside(root, '/plain', 0), '');
      assert.is(await readInside(root, '/nothing/at/all'), undefined);
      assert.is(await readInside(root, '/data/nothing'), undefined);
      await rejects(readInside(root, '/plain/file'), '/plain/file: /plain is not a folder in the image');
      await rejects(readInside(root, '/data/file', 7), '/data/file in the image is larger than 7 bytes');
    }));

  test('never come from outside, while folders and links in the image are swapped', () =>
    inFolder({ 'root/a/b/file': 'of the image', 'host/b/file': 'of the host' }, async (folder) => {
      const root = join(folder, 'root');
      const seen = new Set<string | undefined>();
      const read = async () => {
        for (let at = 0; at < 3_000; at += 1) seen.add(await readInside(root, '/a/b/file').catch(() => undefined));
      };
      await whileSwapping({ [join(root, 'a/b/file')]: join(folder, 'host/b/file'), [join(root, 'a')]: '../host' }, read);
      assert.equal(
        [...seen].filter((text) => text !== undefined),
        ['of the image'],
      );
    }));
});

suite('what chroot.upload and chroot.download keep', (test) => {
  test('contents with their holes, times, extended attributes, file capabilities, hard links, and names that are no UTF-8', () =>
    inFolder({ 'files/sub/a.txt': 'a\n', 'files/list': '' }, async (folder) => {
      const root = makeRoot(folder);
      makeTree(join(folder, 'files'));
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  up: {uses: chroot.upload, in: sys, with: {from: files, to: /srv/tree}}
  down: {uses: chroot.download, in: sys, needs: [up], with: {from: /srv/tree, to: results/}}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.equal(ran.warnings, []);
      const own = treeOf(join(folder, 'files'));
      assert.equal(treeOf(join(root, 'srv/tree')), own);
      // Rights that a file of the image has are not given to one of the host.
      const rights = /# file: \S+\n(system\.posix_acl|security\.capability).*\n\n/g;
      assert.equal(treeOf(join(folder, 'results/tree')), own.replace('-rwsr-xr-x 4755', '-rwxr-xr-x 755').replace(rights, ''));
    }));

  test('a download takes set-user-id from `mode` alone', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  make: {in: sys, run: "mkdir -p /srv/d; echo x > /srv/d/f; chmod 6755 /srv/d/f; chmod 3777 /srv/d"}
  one: {uses: chroot.download, in: sys, needs: [make], with: {from: /srv/d/f, to: one}}
  tree: {uses: chroot.download, in: sys, needs: [make], with: {from: /srv/d, to: tree}}
  said: {uses: chroot.download, in: sys, needs: [make], with: {from: /srv/d, to: said, mode: "4711"}}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      const mode = (path: string) => (lstatSync(join(folder, path)).mode & 0o7777).toString(8);
      assert.equal(['one', 'tree/f', 'tree', 'said/f', 'said'].map(mode), ['755', '755', '1777', '4711', '1777']);
    }));

  test('whatever the umask of the caller', () =>
    inFolder({ 'files/sub/a.txt': 'a\n' }, async (folder) => {
      const root = makeRoot(folder);
      const before = process.umask(0o077);
      try {
        const ran = await runRecipe(
          folder,
          `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  up: {uses: chroot.upload, in: sys, with: {from: files, to: /srv/deep/tree}}\n`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
      } finally {
        process.umask(before);
      }
      const mode = (path: string) => (lstatSync(join(root, 'srv', path)).mode & 0o7777).toString(8);
      assert.equal(['.', 'deep', 'deep/tree', 'deep/tree/sub', 'deep/tree/sub/a.txt'].map(mode), ['755', '755', '755', '755', '644']);
    }));

  test('names that mean something to tar', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const names = ['--checkpoint=1', 'back\\ntwo', 'a&b|c;\\1\\U', '-', 'new\nline', '[ab]*', 'C:x'];
      for (const name of names) writeFileSync(join(folder, name), name);
      const tasks = names.map(
        (from, at) =>
          `  t${at}: {uses: chroot.upload, in: sys, with: ${JSON.stringify({ from: `./${from}`, to: `/srv/${names[(at + 1) % names.length]}` })}}\n`,
      );
      const ran = await runRecipe(folder, `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n${tasks.join('')}`);
      assert.is(ran.code, 0, ran.ended.stdout);
      for (const [at, name] of names.entries()) assert.is(readFileSync(join(root, 'srv', names[(at + 1) % names.length] as string), 'utf8'), name);
    }));

  test('a device, a named pipe or a socket in a folder is an error, or is told; undo removes what came before it', () =>
    inFolder({ 'files/a': 'a' }, async (folder) => {
      const root = makeRoot(folder);
      const recipe = (make: string) => `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  make: {in: sys, run: "rm -rf /srv/d; mkdir -p /srv/d/sub; touch /srv/d/sub/$(printf 'caf\\\\351'); ${make}"}
  down: {uses: chroot.download, in: sys, needs: [make], with: {from: /srv/d, to: results/}}
`;
      for (const make of ['mknod /srv/d/sub/x c 1 5', 'mknod /srv/d/sub/x b 7 200', 'mkfifo /srv/d/sub/x']) {
        const ran = await runRecipe(folder, recipe(make));
        assert.is(ran.code, 1);
        assert.match(ran.errors['down'] ?? '', /: \/srv\/d\/sub\/x is not a file, link or folder$/);
        assert.equal([ran.left, existsSync(join(folder, 'results'))], [[], false]);
      }
      const socket = await runRecipe(folder, recipe('true'), ['make']);
      assert.is(socket.code, 0);
      const server = createServer().listen(join(root, 'srv/d/s'));
      await once(server, 'listening');
      const ran = await runRecipe(folder, recipe('true').replace(/rm -rf.*true/, 'true'));
      server.close();
      assert.equal([ran.code, ran.warnings.map((text) => /d\/s: socket ignored/.test(text))], [0, [true]]);
    }));

  test('attributes that the target cannot keep are told', () =>
    inFolder({ 'a.txt': 'a\n' }, async (folder) => {
      const root = makeRoot(folder);
      execFileSync('setfattr', ['-n', 'user.note', '-v', 'x', join(folder, 'a.txt')]);
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}, add_mounts: [{source: ram, target: /mnt, type: ramfs}]}}
  up: {uses: chroot.upload, in: sys, with: {from: a.txt, to: /mnt/}}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.equal(ran.warnings, ["up: setxattrat: Cannot set 'user.note' extended attribute for file 'a.txt': Operation not supported"]);
    }));

  test('on a host whose /usr is a file system of its own', () =>
    inFolder({ 'a.txt': 'a\n' }, async (folder) => {
      const root = makeRoot(folder);
      writeFileSync(
        join(folder, 'r.yml'),
        `version: 1\nname: r\ntasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  up: {uses: chroot.upload, in: sys, with: {from: a.txt, to: /srv/}}\n`,
      );
      // Its own file system has nothing at /usr.
      const host = `mount -t tmpfs host /mnt; cd /mnt
for name in bin sbin lib lib64; do ln -s usr/$name $name; done
for path in usr etc dev proc sys tmp ${[dirname(process.execPath), repository, folder].map((path) => path.slice(1)).join(' ')}; do mkdir -p $path; mount --rbind /$path $path; done
exec chroot /mnt env --chdir="$1" "$2" run r.yml`;
      const ended = spawnSync('unshare', ['--mount', '--propagation', 'private', '/bin/sh', '-ec', host, 'host', folder, program], {
        env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state') },
        encoding: 'utf8',
      });
      assert.is(ended.status, 0, ended.stdout + ended.stderr);
      assert.is(readFileSync(join(root, 'srv/a.txt'), 'utf8'), 'a\n');
    }));
});

suite('copying while a process swaps folders, files and links in the image', (test) => {
  test(
    'an upload writes nothing outside',
    () =>
      inFolder({ ...files('files', 'new'), ...files('victim', 'old') }, async (folder) => {
        const root = imageWith(folder, 'image');
        execFileSync('setfattr', ['-n', 'user.note', '-v', 'x', join(folder, 'files/b')]);
        const before = treeOf(join(folder, 'victim'));
        const ran = await whileSwapping(linksOut(folder), () => runRecipe(folder, many(root, 'chroot.upload', 'files', '/srv/www/tree')));
        assert.is(treeOf(join(folder, 'victim')), before);
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.ok(
          ran.nodes.some((node) => /^tree\[.*succeeded$/.test(node)),
          ran.nodes.join('\n'),
        );
      }),
    180_000,
  );

  test(
    'a download reads nothing outside',
    () =>
      inFolder({ ...files('victim', 'of the host'), 'victim/secret': 'of the host' }, async (folder) => {
        const root = imageWith(folder, 'of the image');
        const inTree = Object.keys(files('', '')).map((path) => [join(root, 'srv/www/tree', path), join(folder, 'victim', path)]);
        for (const links of [Object.fromEntries(inTree), linksOut(folder)]) {
          const ran = await whileSwapping(links, () => runRecipe(folder, many(root, 'chroot.download', '/srv/www/tree', 'results/{{ matrix.n }}')));
          assert.is(ran.code, 0, ran.ended.stdout);
        }
        const found = (text: string) => spawnSync('grep', ['-rl', text, join(folder, 'results')], { encoding: 'utf8' }).stdout;
        assert.is(found('of the host'), '');
        assert.match(found('of the image'), 'results/');
      }),
    180_000,
  );
});

/** An image with a folder /srv/www/tree that holds files. */
function imageWith(folder: string, content: string): string {
  const root = makeRoot(folder);
  mkdirSync(join(root, 'srv/www/tree/sub'), { recursive: true });
  for (const [path, text] of Object.entries(files('srv/www/tree', content))) writeFileSync(join(root, path), text);
  return root;
}

function files(folder: string, content: string): Record<string, string> {
  const names = ['b', ...Array.from({ length: 5 }, (_, at) => `sub/${at}`)];
  return Object.fromEntries(names.map((name) => [join(folder, name), content]));
}

/** Links in its place that lead to a folder of the host: on the host by what they say, in whatever is the root up and down again. */
function linksOut(folder: string): Record<string, string> {
  const www = join(folder, 'root/srv/www');
  return {
    [join(www, 'tree/sub')]: '../../../../victim/sub',
    [join(www, 'tree/b')]: join(folder, 'victim/b'),
    [join(www, 'tree')]: join(folder, 'victim'),
    [www]: '../../victim',
  };
}

/** A recipe that copies many times, whether that succeeds or not: a tree, and a file in it. */
function many(root: string, kind: string, from: string, to: string): string {
  const n = Array.from({ length: 30 }, (_, at) => at).join(', ');
  const task = (name: string, file: string) =>
    `  ${name}: {uses: ${kind}, in: sys, with: {from: "${from}${file}", to: "${to}${file}"}, strategy: {matrix: {n: [${n}]}}, continue_on_error: true}\n`;
  return `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n${task('tree', '')}${task('one', '/b')}`;
}

/** Puts one of everything into a folder. */
function makeTree(folder: string): void {
  const at = (...names: string[]) => join(folder, ...names);
  linkSync(at('sub/a.txt'), at('hard'));
  symlinkSync('/etc/shadow', at('absolute'));
  symlinkSync('../../outside', at('sub/relative'));
  execFileSync('truncate', ['--size', '64M', at('holes')]);
  const fd = openSync(at('holes'), 'r+');
  writeSync(fd, 'data', 32 << 20);
  closeSync(fd);
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9])]), 'bytes');
  writeFileSync(at('set-user-id'), '#!/bin/sh\n');
  chmodSync(at('set-user-id'), 0o4755);
  const acl = '0x0200000001000600ffffffff02000400d204000004000400ffffffff10000400ffffffff20000400ffffffff';
  for (const [name, file, value] of [
    ['user.note', 'hard', '0x610a62'],
    ['user.folder', 'sub', '0x61'],
    ['system.posix_acl_access', 'list', acl],
    // cap_net_bind_service, permitted and effective.
    ['security.capability', 'holes', '0x0100000200040000000000000000000000000000'],
  ] as const)
    execFileSync('setfattr', ['-n', name, '-v', value, at(file)]);
  execFileSync('touch', ['-h', '-d', '2001-02-03 04:05:06.123456789', at('sub/a.txt'), at('absolute'), at('sub'), folder]);
}

/** All that can be compared of a folder: types, modes, owners, link counts, blocks, times, targets, contents, attributes. */
function treeOf(folder: string): string {
  const script = `find . -printf '%P %M %m %U:%G %n %b %T@ %l\\n' | LC_ALL=C sort
find . -type f -exec sha256sum {} + | LC_ALL=C sort
getfattr --recursive --physical --no-dereference --dump --match - --encoding hex . | grep -v security.selinux
stat --format %i sub/a.txt hard 2>/dev/null | uniq | wc -l`;
  return execFileSync('/bin/sh', ['-c', script], { cwd: folder, encoding: 'latin1' });
}

async function rejects(promise: Promise<unknown>, message: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (cause: Error) => cause.message,
  );
  assert.is(error, message);
}
