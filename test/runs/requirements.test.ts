import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { followed, noAccount, program, run } from '../support/program.js';
import { withServer } from '../support/served.js';
import { suite } from '../support/suite.js';

const volume = 'version: 1\nname: r\ntasks:\n  first: {run: "touch first"}\n  volume: {needs: [first], uses: ec2.volume, with: {size: 1}}\n';

/** Runs the program in a mount namespace that a script prepares. */
function runIn(folder: string, prepare: string, ...args: string[]) {
  const script = `set -e; ${prepare}; exec "$@"`;
  return spawnSync('unshare', ['--mount', '--', 'sh', '-c', script, 'sh', program, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...noAccount, CHROOTFILE_STATE: join(folder, 'state'), NO_COLOR: '1' },
  });
}

/** Hides a program of this machine. */
const without = (path: string) => `[ ! -e ${path} ] || mount --bind /dev/null ${path}`;

suite('requirements', (test) => {
  for (const sandbox of [[], ['--no-sandbox']]) {
    test(`without CAP_SYS_ADMIN run ${sandbox.join('')} ends with exit 3 before the first task`, () =>
      inFolder({ 'r.yml': volume }, (folder) => {
        const ended = spawnSync('setpriv', ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--', program, 'run', 'r.yml', ...sandbox], {
          cwd: folder,
          encoding: 'utf8',
          env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state') },
        });
        assert.equal(
          [ended.status, ended.stdout, ended.stderr],
          [
            3,
            '',
            'error: namespaces: this process does not have CAP_SYS_ADMIN\n  help: a container must be privileged: docker run --privileged -v /dev:/dev\n',
          ],
        );
        assert.not.ok(existsSync(join(folder, 'first')));
      }));
  }

  test('without loop devices a run with volumes of the embedded EC2 does not start', () =>
    inFolder({ 'r.yml': volume }, (folder) => {
      const prepare = 'mkdir -p d; mount -t tmpfs none d; cp -a /dev/null /dev/zero /dev/urandom /dev/random /dev/tty d/; mkdir d/shm; mount --bind d /dev';
      writeFileSync(join(folder, 'off.yml'), volume.replace('uses: ec2.volume', 'if: "{{ eq 1 2 }}", uses: ec2.volume'));
      const off = runIn(folder, prepare, 'run', 'off.yml');
      assert.is(off.status, 0, off.stderr);
      rmSync(join(folder, 'first'));
      const ended = runIn(folder, prepare, 'run', 'r.yml');
      assert.is(ended.stderr, 'error: loop devices: no /dev/loop-control\n  help: modprobe loop; a container also needs --privileged -v /dev:/dev\n');
      assert.equal([ended.status, existsSync(join(folder, 'first'))], [3, false]);
      assert.match(
        runIn(folder, 'mount -t tmpfs none d; cp -a /dev/null d/; mkdir d/shm; mount --bind d /dev', 'doctor').stdout,
        '✖ loop devices: no /dev/loop-control\n',
      );
    }));

  test('a container that has no nodes of new loop devices is told so before the first task', () =>
    inFolder({ 'r.yml': volume }, (folder) => {
      const prepare =
        'mkdir -p d; mount -t tmpfs none d; cp -a /dev/null /dev/zero /dev/urandom /dev/random /dev/tty /dev/loop-control d/; mkdir d/shm; mount --bind d /dev';
      const ended = runIn(folder, prepare, 'run', 'r.yml');
      const why =
        /^error: loop devices: the next one, \/dev\/loop\d+, is not in this \/dev\n {2}help: modprobe loop; a container also needs --privileged -v \/dev:\/dev\n$/;
      assert.match(ended.stderr, why);
      assert.equal([ended.status, existsSync(join(folder, 'first'))], [3, false]);
      const init = runIn(folder, prepare, 'local', 'init', '--size', '1G');
      assert.match(init.stderr, why);
      assert.equal([init.status, existsSync(join(folder, 'state/local.img'))], [3, false]);
      const refused = 'mount -t tmpfs none d; cp -a /dev/null d/; mknod -m 0 d/loop-control c 10 254; mkdir d/shm; mount --bind d /dev';
      assert.match(runIn(folder, refused, 'run', 'r.yml').stderr, /^error: loop devices: losetup: cannot find an unused loop device: .*\n/);
    }));

  test('without CAP_SYS_ADMIN doctor, local init and local serve say so in the words of run', () =>
    inFolder({}, async (folder) => {
      const words = ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--', program];
      const env = { ...process.env, ...noAccount, CHROOTFILE_STATE: join(folder, 'state'), NO_COLOR: '1' };
      const without = (...args: string[]) => spawnSync('setpriv', [...words, ...args], { cwd: folder, encoding: 'utf8', env });
      const why = 'namespaces: this process does not have CAP_SYS_ADMIN\n';
      const help = 'a container must be privileged: docker run --privileged -v /dev:/dev\n';
      assert.match(without('doctor').stdout, `✖ ${why}    ${help}`);
      const init = without('local', 'init');
      assert.equal([init.status, init.stderr], [3, `error: ${why}  help: ${help}`]);
      const served = followed(
        spawn('setpriv', [...words, 'local', 'serve', '--port', '0', '--metadata-port', '0'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] }),
      );
      await served.saw('Ctrl-C stops the server.');
      served.child.kill('SIGINT');
      assert.match((await served.ended).stderr, /^warning: volumes cannot be attached: this process does not have CAP_SYS_ADMIN\n {2}help: /);
    }));

  test('programs in /usr/sbin are found by scripts and doctor where PATH lacks it', () =>
    inFolder({ 'r.yml': 'version: 1\nname: r\ntasks:\n  a: {run: "blockdev --version && echo $PATH"}\n' }, (folder) => {
      const path = `${dirname(process.execPath)}:/usr/bin:/bin`;
      const env = { ...process.env, ...noAccount, PATH: path, CHROOTFILE_STATE: join(folder, 'state'), NO_COLOR: '1' };
      const ran = spawnSync(program, ['run', 'r.yml'], { cwd: folder, encoding: 'utf8', env });
      assert.is(ran.status, 0, ran.stderr);
      assert.match(ran.stdout, `${path}:/usr/sbin:/sbin\n`);
      assert.match(spawnSync(program, ['doctor'], { cwd: folder, encoding: 'utf8', env }).stdout, /^✔ programs: all /m);
    }));

  test('doctor fails without a program that disk recipes need, and lists optional ones with their use and package', () =>
    inFolder({}, (folder) => {
      const doctor = (...missing: string[]) => {
        const { status, stdout } = runIn(folder, missing.map(without).join('\n') || 'true', 'doctor', '--json');
        const { findings } = JSON.parse(stdout) as { findings: { name: string; ok: boolean; detail: string; help?: string }[] };
        const [required, optional] = ['programs', 'optional programs'].map((name) => findings.find((each) => each.name === name));
        return { status, required, optional };
      };
      for (const program of ['mkfs.ext4', 'e2fsck', 'resize2fs', 'sfdisk', 'losetup']) {
        const { status, required } = doctor(`$(readlink -f /usr/sbin/${program})`);
        assert.is(status, 3, program);
        assert.match(`${required?.ok} ${required?.detail}`, new RegExp(`^false missing: .*\\b${program}`));
        assert.match(required?.help ?? '', /^apt-get install (e2fsprogs|fdisk|mount)$/);
      }
      const optional = [
        ['mkfs.xfs', 'disk.filesystem with type xfs', 'xfsprogs'],
        ['mkfs.btrfs', 'disk.filesystem with type btrfs', 'btrfs-progs'],
        ['mkfs.vfat', 'disk.filesystem with type vfat', 'dosfstools'],
        ['mmdebstrap', 'scripts that run it', 'mmdebstrap'],
        ['debootstrap', 'scripts that run it', 'debootstrap'],
        ['ansible-playbook', 'scripts that run it', 'ansible'],
        ['script', 'tasks with "interactive"', 'bsdutils'],
        ['qemu-img', '"local export" to qcow2', 'qemu-utils'],
      ];
      const none = doctor(...optional.flatMap(([program]) => [`/usr/sbin/${program}`, `/usr/bin/${program}`]));
      assert.equal(none.optional, {
        name: 'optional programs',
        ok: true,
        detail: 'none found',
        help: optional.map(([program, use, from]) => `${program}, for ${use}: apt-get install ${from}`).join('\n    '),
      });
      assert.is(none.required?.ok, true);
      const two = doctor('/usr/bin/debootstrap', '/usr/sbin/debootstrap', '/usr/bin/mmdebstrap');
      assert.match(two.optional?.detail ?? '', /^mkfs\.xfs, .*found$/);
      assert.match(two.optional?.help ?? '', /^mmdebstrap, for scripts that run it: apt-get install mmdebstrap$/m);
    }));

  test('doctor names the AWS identity, and says as information that there is none or that the mirror does not answer', () =>
    withServer(async ({ env: served, folder }) => {
      const doctor = async (env: Readonly<Record<string, string>>) => {
        const { code, stdout } = await run(['doctor', '--json'], { folder, env });
        const { findings } = JSON.parse(stdout) as { findings: { name: string; ok: boolean; detail: string }[] };
        return [code, ...findings.filter(({ name }) => /AWS|mirror/.test(name)).map(({ ok, detail }) => [ok, detail])];
      };
      const unreachable = { http_proxy: 'http://127.0.0.1:9' };
      const mirror = [true, 'http://deb.debian.org/debian does not answer'];
      assert.equal(await doctor({ ...served, ...unreachable }), [0, mirror, [true, 'arn:aws:iam::000000000000:user/local']]);
      const none = { ...noAccount, ...unreachable };
      assert.equal(await doctor(none), [0, mirror, [true, 'none configured; only builds on AWS need them']]);
      const [, , refused] = await doctor({ ...none, AWS_PROFILE: 'missing' });
      assert.equal(refused, [true, 'profile "missing" cannot be used: Could not load credentials from any providers']);
    }));

  test('with less than 256 MiB free a run with volumes does not start; where volumes may not fit it warns', () =>
    inFolder({ 'r.yml': volume, 'none.yml': 'version: 1\nname: r\ntasks:\n  a: {run: "true"}\n' }, (folder) => {
      const small = (size: string, ...args: string[]) => runIn(folder, `mkdir -p state; mount -t tmpfs -o size=${size} none state`, ...args);
      const refused = small('100m', 'run', 'r.yml');
      assert.match(refused.stderr, /^error: disk: (99|100) MiB free in \S+state; volumes need at least 256 MiB\n {2}help: free some space, or choose another/);
      assert.equal([refused.status, existsSync(join(folder, 'first'))], [3, false]);
      assert.match(small('100m', 'doctor').stdout, '✖ disk: 100 MiB free\n    volumes of the embedded EC2 need at least 256 MiB\n');
      assert.is(small('100m', 'run', 'none.yml').status, 0);
      const warned = small('512m', 'run', 'r.yml');
      assert.equal([warned.status, warned.stderr.split(' in /')[0]], [0, 'warning: volumes of 1 GiB are planned and 512 MiB are free']);
    }));

  test('a program that a kind, a value of it or a script needs is missing before the first task', () =>
    inFolder({}, (folder) => {
      const lacks = (task: string, path: string) => {
        const text = `version: 1\nname: r\ninputs: {type: {type: string, default: vfat}}\ntasks:\n  first: {run: "touch first"}\n  a: ${task}\n`;
        const ended = runIn(folder, `cat > r.yml <<'END'\n${text}END\n${without(path)}`, 'run', 'r.yml');
        assert.equal([ended.status, existsSync(join(folder, 'first'))], [3, false], ended.stderr);
        return ended.stderr;
      };
      assert.is(
        lacks('{uses: disk.partition, with: {device: /dev/none, table: gpt, partitions: [{name: root}]}}', '/usr/sbin/sfdisk'),
        'error: this machine lacks sfdisk\n  help: apt-get install fdisk\n',
      );
      assert.is(
        lacks('{uses: disk.filesystem, with: {device: /dev/none, type: "{{ inputs.type }}"}}', '/usr/sbin/mkfs.vfat'),
        'error: this machine lacks mkfs.vfat\n  help: apt-get install dosfstools\n',
      );
      for (const [name, from] of [
        ['mmdebstrap', 'mmdebstrap'],
        ['ansible-playbook', 'ansible'],
      ] as const)
        assert.is(
          lacks(`{run: "command -v x || true\\n${name} --version"}`, `/usr/bin/${name}`),
          `error: this machine lacks ${name}\n  help: apt-get install ${from}\n`,
        );
      // These do without it, or find it elsewhere.
      for (const task of [
        '{run: "if command -v mmdebstrap; then\\nmmdebstrap --version\\nfi"}',
        '{run: "cat <<X\\nmmdebstrap is a program\\nX"}',
        '{env: {PATH: "/opt/tools:/usr/bin:/bin"}, run: "mmdebstrap --version || true"}',
        '{if: "{{ eq 1 2 }}", uses: disk.filesystem, with: {device: /dev/none, type: ext4}}',
      ]) {
        const text = `version: 1\nname: r\ntasks:\n  a: ${task}\n`;
        const ended = runIn(folder, `cat > r.yml <<'END'\n${text}END\n${without('/usr/bin/mmdebstrap')}\n${without('/usr/sbin/mkfs.ext4')}`, 'run', 'r.yml');
        assert.is(ended.status, 0, `${task}: ${ended.stderr}`);
      }
    }));
});
