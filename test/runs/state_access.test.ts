import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { noAccount, program, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const recipe = 'version: 1\nname: r\ntasks:\n  a: {run: "echo hello"}\n';

/** Every command that reads STATE and does not need root for what else it does. */
const readers = [
  'runs',
  'runs --failed --json',
  'runs prune --keep 1',
  'logs',
  'logs 2026 a',
  'destroy 2026 --yes',
  'gc',
  'gc --cloud aws --run 2026 --delete',
  'local images',
  'local volumes --json',
  'local snapshots',
  'local du',
  'local check',
  'local check --repair',
  'local env',
  'local export base base.img',
  'local reset --yes',
];

/** Commands that need root anyway. */
const needRoot = ['run r.yml', 'run --resume 2026', 'undo --all', 'undo 2026', 'local rm ami-1', 'local serve', 'local init', 'local detach'];

/** Runs the program as a user without any rights, in a mount namespace that a script prepares. */
function asNobody(folder: string, line: string, env: Readonly<Record<string, string>>, prepare = 'true') {
  const { code, ...ended } = asUser(folder, line, env, prepare);
  return [code, ended.stdout, ended.stderr];
}

function asUser(folder: string, line: string, env: Readonly<Record<string, string>>, prepare = 'true') {
  const script = `set -e; ${prepare}; exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"`;
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', '--', 'sh', '-c', script, 'sh', program, ...line.split(' ')], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', NO_COLOR: '1', ...noAccount, ...env },
  });
  return { code: status, stdout, stderr };
}

/** A folder that others can enter, with a state of root in which a run succeeded. */
function withState(body: (folder: string, state: string) => void) {
  return inFolder({ 'r.yml': recipe }, async (folder) => {
    assert.is((await run(['run', 'r.yml'], { folder })).code, 0);
    mkdirSync(join(folder, 'state/local'), { mode: 0o700 });
    chmodSync(folder, 0o755);
    body(folder, join(folder, 'state'));
  });
}

suite('access to STATE', (test) => {
  test(`${readers.length} commands name the owner of a state that they cannot read, and end with exit 3`, () =>
    withState((folder, state) => {
      for (const line of readers)
        assert.equal(
          asNobody(folder, line, { CHROOTFILE_STATE: state }),
          [3, '', `error: the state in ${state} cannot be read: it belongs to root\n  help: sudo chrootfile ${line} --state ${state}\n`],
          line,
        );
      chmodSync(state, 0o755);
      assert.equal(asNobody(folder, 'runs --state state', {}), [
        3,
        '',
        `error: the state in ${state} cannot be read: ${state}/runs belongs to root\n  help: sudo chrootfile runs --state state\n`,
      ]);
      for (const part of ['runs', 'format']) {
        for (const line of ['runs', 'logs', 'gc'])
          assert.match(asUser(folder, line, { CHROOTFILE_STATE: state }).stderr, `cannot be read: ${state}/${part} belongs to root\n`, line);
        chmodSync(join(state, part), 0o777);
      }
      chmodSync(state, 0o777);
      assert.match(asUser(folder, 'local images', { CHROOTFILE_STATE: state }).stderr, `cannot be changed: ${state}/local belongs to root\n`);
    }));

  test('the owner may be another user, and a folder above may be the one that is closed', () =>
    withState((folder, state) => {
      chownSync(state, 1, 1);
      assert.match(asUser(folder, 'runs', { CHROOTFILE_STATE: state }).stderr, /: it belongs to daemon\n/);
      chownSync(state, 54_321, 1);
      assert.match(asUser(folder, 'runs', { CHROOTFILE_STATE: state }).stderr, /: it belongs to the user with the id 54321\n/);
      mkdirSync(join(folder, 'closed/state'), { recursive: true });
      chmodSync(join(folder, 'closed'), 0o700);
      const inside = join(folder, 'closed/state');
      assert.equal(asNobody(folder, `runs --state ${inside}`, {}), [
        3,
        '',
        `error: the state in ${inside} cannot be read: ${folder}/closed belongs to root\n  help: sudo chrootfile runs --state ${inside}\n`,
      ]);
    }));

  test('without a named state and one of their own, other users get the help for that of root', () =>
    withState((folder) => {
      const prepare = 'mount -t tmpfs none /var/lib; mkdir -m 700 /var/lib/chrootfile';
      for (const line of readers)
        assert.equal(
          asNobody(folder, line, {}, prepare),
          [3, '', `error: the state in /var/lib/chrootfile cannot be read: it belongs to root\n  help: sudo chrootfile ${line}\n`],
          line,
        );
      assert.equal(asNobody(folder, 'runs', {}, 'mount -t tmpfs none /var/lib'), [0, 'no runs in /nonexistent/.local/state/chrootfile\n', '']);
      mkdirSync(join(folder, 'own/chrootfile'), { recursive: true });
      chownSync(join(folder, 'own/chrootfile'), 65_534, 65_534);
      assert.equal(asNobody(folder, 'runs', { XDG_STATE_HOME: join(folder, 'own') }, prepare), [0, `no runs in ${folder}/own/chrootfile\n`, '']);
    }));

  test('what would change a state that can only be read ends likewise', () =>
    withState((folder, state) => {
      spawnSync('chmod', ['-R', 'a+rX', state]);
      assert.is(asUser(folder, 'logs', { CHROOTFILE_STATE: state }).stdout, '==> a <==\nhello\n');
      for (const line of ['runs prune --keep 1', 'destroy 2026 --yes', 'local images', 'local du', 'local reset --yes'])
        assert.equal(
          asNobody(folder, line, { CHROOTFILE_STATE: state }),
          [3, '', `error: the state in ${state} cannot be changed: it belongs to root\n  help: sudo chrootfile ${line} --state ${state}\n`],
          line,
        );
    }));

  test('a state on a file system that is read-only can be read, not changed', () =>
    withState((folder, state) => {
      const asRoot = (line: string) => {
        const script = 'mount --bind state state; mount -o remount,bind,ro state; exec "$@"';
        const env = { ...process.env, CHROOTFILE_STATE: state, NO_COLOR: '1' };
        return spawnSync('unshare', ['--mount', '--', 'sh', '-ec', script, 'sh', program, ...line.split(' ')], { cwd: folder, encoding: 'utf8', env });
      };
      assert.is(asRoot('logs').stdout, '==> a <==\nhello\n');
      for (const line of ['run r.yml', 'runs prune --keep 1', 'destroy 2026 --yes', 'local images']) {
        const { status, stdout, stderr } = asRoot(line);
        const why = `the state in ${state} cannot be changed: its file system is read-only`;
        assert.equal([status, stdout, stderr], [3, '', `error: ${why}\n  help: name another folder with --state or CHROOTFILE_STATE\n`], line);
      }
    }));

  test(`${needRoot.length} commands need root whatever the state; doctor and completion do without it`, () =>
    withState((folder, state) => {
      for (const line of needRoot) {
        const { code, stdout, stderr } = asUser(folder, line, { CHROOTFILE_STATE: state });
        assert.equal([code, stdout], [3, ''], line);
        assert.match(stderr, /^error: \w+ needs root.*\n {2}help: sudo chrootfile /, line);
      }
      const { code, stdout } = asUser(folder, 'doctor', { CHROOTFILE_STATE: state });
      assert.is(code, 3);
      assert.match(stdout, `✖ state: ${state} belongs to root\n    sudo chrootfile doctor --state ${state}\n`);
      assert.match(stdout, '✔ earlier runs: not checked: the state cannot be read\n');
      assert.equal(asNobody(folder, 'complete -- logs --state state x', {}), [0, '', '']);
      assert.equal(asNobody(folder, 'plan r.yml', { CHROOTFILE_STATE: state })[0], 0);
    }));
});
