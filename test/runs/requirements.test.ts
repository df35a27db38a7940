import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { program } from '../support/program.js';
import { suite } from '../support/suite.js';

const volume = 'version: 1\nname: r\ntasks:\n  first: {run: "touch first"}\n  volume: {needs: [first], uses: ec2.volume, with: {size: 1}}\n';

/** Runs the program in a mount namespace that a script prepares. */
function runIn(folder: string, prepare: string, ...args: string[]) {
  const script = `set -e; ${prepare}; exec "$@"`;
  return spawnSync('unshare', ['--mount', '--', 'sh', '-c', script, 'sh', program, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state'), NO_COLOR: '1' },
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
      const prepare = 'mkdir d; mount -t tmpfs none d; cp -a /dev/null /dev/zero /dev/urandom /dev/random /dev/tty d/; mkdir d/shm; mount --bind d /dev';
      const ended = runIn(folder, prepare, 'run', 'r.yml');
      assert.is(ended.stderr, 'error: loop devices: no /dev/loop-control\n  help: modprobe loop; a container also needs --privileged -v /dev:/dev\n');
      assert.equal([ended.status, existsSync(join(folder, 'first'))], [3, false]);
      assert.match(
        runIn(folder, 'mount -t tmpfs none d; cp -a /dev/null d/; mkdir d/shm; mount --bind d /dev', 'doctor').stdout,
        '✖ loop devices: no /dev/loop-control\n',
      );
    }));

  test('with less than 256 MiB free a run with volumes does not start; where volumes may not fit it warns', () =>
    inFolder({ 'r.yml': volume, 'none.yml': 'version: 1\nname: r\ntasks:\n  a: {run: "true"}\n' }, (folder) => {
      const small = (size: string, ...args: string[]) => runIn(folder, `mkdir -p state; mount -t tmpfs -o size=${size} none state`, ...args);
      const refused = small('100m', 'run', 'r.yml');
      assert.match(refused.stderr, /^error: disk: (99|100) MiB free in \S+state; volumes need at least 256 MiB\n {2}help: free some space, or choose another/);
      assert.equal([refused.status, existsSync(join(folder, 'first'))], [3, false]);
      assert.match(small('100m', 'doctor').stdout, '✖ disk: 0.1 GiB free\n    volumes of the embedded EC2 need at least 256 MiB\n');
      assert.is(small('100m', 'run', 'none.yml').status, 0);
      const warned = small('512m', 'run', 'r.yml');
      assert.equal([warned.status, warned.stderr.split(' in /')[0]], [0, 'warning: volumes of 1 GiB are planned and 0.5 GiB are free']);
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
        'error: this host lacks sfdisk\n  help: apt-get install fdisk\n',
      );
      assert.is(
        lacks('{uses: disk.filesystem, with: {device: /dev/none, type: "{{ inputs.type }}"}}', '/usr/sbin/mkfs.vfat'),
        'error: this host lacks mkfs.vfat\n  help: apt-get install dosfstools\n',
      );
      for (const [name, from] of [
        ['mmdebstrap', 'mmdebstrap'],
        ['ansible-playbook', 'ansible'],
      ] as const)
        assert.is(
          lacks(`{run: "command -v x || true\\n${name} --version"}`, `/usr/bin/${name}`),
          `error: this host lacks ${name}\n  help: apt-get install ${from}\n`,
        );
    }));
});
