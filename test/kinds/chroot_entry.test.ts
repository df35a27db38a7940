import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';
import { Terminal } from '../support/terminal.js';

/** Numbers of capabilities. Source: linux/capability.h. */
const capabilities = { net_admin: 12, sys_module: 16, sys_rawio: 17, sys_admin: 21, sys_boot: 22, sys_time: 25, mac_admin: 33, syslog: 34, net_raw: 13 };

/** Tries to change the kernel of the host, each to the value it has; says which it could. */
const attempts = `
name=$(hostname)
hostname changed && echo "hostname of $name"
{ cat /proc/sys/kernel/pid_max > /proc/sys/kernel/pid_max; } 2>/dev/null && echo setting
date -s "@$(date +%s)" 2>&1 | grep -q "not permitted" || echo clock
ip link set lo mtu $(cat /sys/class/net/lo/mtu) 2>/dev/null && echo network
grep CapBnd /proc/self/status
`;

/** Leaves a chroot by a folder that stays open: what is above the outer root comes to light. */
const escape = `
mkdir -p /jail/bin /jail/proc; cp /bin/busybox /jail/bin; ln -sf busybox /jail/bin/sh
exec 3< /
chroot /jail /bin/busybox sh -c 'busybox mount -t proc proc /proc; cd -P /proc/self/fd/3; for i in 1 2 3 4 5 6 7 8 9; do cd -P ..; done; echo out > ./escaped; busybox ls .'
`;

/** Whether there is something above the root of this process: then that is a chroot itself. */
function hasRootAbove(root: string): boolean {
  const above = execFileSync('nsenter', [`--root=${root}`, '--wd=/', '--', '/bin/busybox', 'stat', '-c', '%d %i', '..'], { encoding: 'utf8' });
  const { dev, ino } = statSync('/');
  return above.trim() !== `${dev} ${ino}`;
}

function has(log: string, name: keyof typeof capabilities): boolean {
  const [, set = '0'] = /CapBnd:\s*([0-9a-f]+)/.exec(log) ?? [];
  return (BigInt(`0x${set}`) >> BigInt(capabilities[name])) % 2n === 1n;
}

suite('in a chroot', (test) => {
  test('a script sees the name of the image and changes nothing of the kernel; its undo and a shell for a person neither', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      writeFileSync(join(root, 'etc/hostname'), '# a name\nweb-1\n');
      writeFileSync(join(root, 'attempts'), attempts);
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  first: {in: sys, run: sh /attempts, undo: {run: sh /attempts}}
  second: {in: sys, needs: [first], run: "hostname; exit 1"}
`,
      );
      assert.is(ran.code, 1);
      assert.match(ran.log('second'), /^web-1\n/);
      const undone = ran.log('first').split('CapBnd').length - 1;
      assert.is(undone, 2, ran.log('first'));
      assert.is(ran.log('first').match(/^hostname of web-1$/gm)?.length, 2);
      assert.not.match(ran.log('first'), /^(setting|clock|network)$/m);
      assert.is(hostname(), readFileSync('/proc/sys/kernel/hostname', 'utf8').trim());
      assert.is.not(hostname(), 'changed');
      for (const name of ['net_admin', 'sys_module', 'sys_rawio', 'sys_boot', 'sys_time', 'syslog'] as const) assert.not.ok(has(ran.log('first'), name), name);
      for (const name of ['sys_admin', 'net_raw'] as const) assert.ok(has(ran.log('first'), name), name);
      writeFileSync(join(folder, 'chrootfile.yml'), `version: 1\ntasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  a: {in: sys, run: exit 1}\n`);
      const terminal = new Terminal('chrootfile run --on-failure shell', folder);
      await terminal.sees('[a in sys] # ');
      terminal.type('sh /attempts');
      await terminal.sees('hostname of web-1');
      await terminal.sees('CapBnd:');
      terminal.type('exit');
      await terminal.sees('[u]ndo? ');
      terminal.type('u');
      assert.is(await terminal.ended, 1);
      assert.is.not(readFileSync('/proc/sys/kernel/hostname', 'utf8').trim(), 'changed');
    }));

  test('leaving the chroot ends at the root of the image', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      if (hasRootAbove(root)) return console.log('skipped: these tests run in a chroot themselves, and leave that too');
      const ran = await runRecipe(
        folder,
        `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  a:\n    in: sys\n    run: |${escape.replaceAll('\n', '\n      ')}\n`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.not.ok(existsSync('/escaped'));
      assert.is(readFileSync(join(root, 'escaped'), 'utf8'), 'out\n');
      assert.match(ran.log('a'), 'escaped');
      assert.not.match(ran.log('a'), /^boot$/m);
    }));

  const names: Record<string, (path: string) => void> = {
    'is missing': () => {},
    'is a link to a file of the host': (path) => symlinkSync('/etc/hostname', path),
    'holds escapes': (path) => writeFileSync(path, 'a\u001b[2Jb\n'),
    'is very long': (path) => writeFileSync(path, 'x'.repeat(10_000)),
  };
  for (const [how, make] of Object.entries(names)) {
    test(`the name is localhost where /etc/hostname ${how}`, () =>
      inFolder({}, async (folder) => {
        const root = makeRoot(folder);
        make(join(root, 'etc/hostname'));
        const ran = await runRecipe(folder, `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  a: {in: sys, run: hostname}\n`);
        assert.is(ran.log('a'), 'localhost\n');
        rmSync(root, { recursive: true });
      }));
  }

  test('"privileged" leaves settings of the kernel and all capabilities to a script', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      writeFileSync(join(root, 'attempts'), attempts);
      const ran = await runRecipe(folder, `tasks:\n  sys: {uses: chroot, with: {root: ${root}, privileged: true}}\n  a: {in: sys, run: sh /attempts}\n`);
      assert.match(ran.log('a'), /^hostname of localhost$/m);
      assert.match(ran.log('a'), /^setting$/m);
      assert.match(ran.log('a'), /^network$/m);
      for (const name of ['net_admin', 'sys_module'] as const) assert.ok(has(ran.log('a'), name), name);
      assert.is.not(readFileSync('/proc/sys/kernel/hostname', 'utf8').trim(), 'changed');
    }));

  test('systemctl asks no running systemd', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const ran = await runRecipe(folder, `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  a: {in: sys, run: 'echo "$SYSTEMD_OFFLINE"'}\n`);
      assert.is(ran.log('a'), '1\n');
    }));
});
