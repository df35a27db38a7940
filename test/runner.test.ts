import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { inFolder } from './support/folder.js';
import { followed, repository, type Started } from './support/program.js';
import { suite } from './support/suite.js';

/** A file of tests, each a name and what it does. */
function file(tests: Readonly<Record<string, string>>): string {
  const declared = Object.entries(tests).map(([name, body]) => `test(${JSON.stringify(name)}, async () => { ${body} });`);
  return `import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from '${repository}/test/support/suite.js';
suite('things', (test) => { ${declared.join('\n')} });\n`;
}

/** Starts the tests of files in a folder; what they print is without the time and the stack. */
function startTests(folder: string, ...args: readonly string[]): Started {
  const command = [...process.execArgv, join(repository, 'test/run.ts'), ...args];
  // What is compiled for them stays in the folder.
  return followed(spawn(process.execPath, command, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: folder } }));
}

const inFolderOf = (files: Readonly<Record<string, string>>, body: (folder: string) => Promise<void>) =>
  inFolder({ 'package.json': '{"type": "module"}', ...files }, body);

/** Waits for a file that a test writes, as long as that goes on. */
async function appears(path: string, { child }: Started): Promise<void> {
  while (!existsSync(path)) {
    assert.is(child.exitCode, null, `ended without ${path}`);
    await sleep(10);
  }
}

suite('the tests', (test) => {
  test('of all files are counted together; what fails, dies or has no test is a failure, and named', () =>
    inFolderOf(
      {
        'good.test.ts': file({ one: '', two: '' }),
        'bad.test.ts': file({ one: '', two: 'throw new Error("it is so")' }),
        'dies.test.ts': file({ one: '', two: 'process.exit(0)' }),
        'killed.test.ts': file({ one: 'process.kill(process.pid, "SIGKILL")' }),
        'empty.test.ts': file({}),
        'broken.test.ts': 'throw new Error("cannot be read");\n',
      },
      async (folder) => {
        const names = ['good', 'bad', 'dies', 'killed', 'empty', 'broken'].map((name) => `${name}.test.ts`);
        const { code, stdout } = await startTests(folder, ...names).ended;
        assert.is(code, 1);
        assert.is(stdout.trimEnd().split('\n').at(-1), '3 passed, 5 failed, 0 skipped');
        const failed = [...stdout.matchAll(/^failed: .*?(\w+)\.test\.ts$/gm)].map(([, name]) => name);
        assert.equal(failed.sort(), ['bad', 'broken', 'dies', 'empty', 'killed']);
        for (const why of ['it is so', 'dies.test.ts died: exit code 1', 'killed.test.ts died', 'empty.test.ts has no test', 'cannot be read'])
          assert.match(stdout, why, stdout);
      },
    ));

  test('-t runs those with the text in their names, and none is a failure', () =>
    inFolderOf(
      { 'a.test.ts': file({ 'one way': '', another: 'throw new Error()' }), 'b.test.ts': file({ 'no such': 'throw new Error()' }) },
      async (folder) => {
        const one = await startTests(folder, 'a.test.ts', 'b.test.ts', '-t', 'things: one').ended;
        assert.equal([one.code, one.stdout.trimEnd().split('\n').at(-1)], [0, '1 passed, 0 failed, 0 skipped']);
        const none = await startTests(folder, 'a.test.ts', '-t', 'nothing').ended;
        assert.equal([none.code, none.stdout.trimEnd().split('\n').at(-1)], [1, 'no test passed']);
      },
    ));

  test('run as many files at once as is said, the longest first', () =>
    inFolderOf(
      {
        // Each ends when the other has begun.
        'a.test.ts': `${file({ meets: 'writeFileSync("a", ""); while (!existsSync("b")) await sleep(10);' })}${'/'.repeat(100)}`,
        'b.test.ts': file({ meets: 'writeFileSync("b", ""); while (!existsSync("a")) await sleep(10);' }),
        'c.test.ts': `${file({ last: '' })}`.replace(/^import .*(?:existsSync|sleep).*\n/gm, ''),
      },
      async (folder) => {
        const { code, stdout } = await startTests(folder, 'c.test.ts', 'b.test.ts', 'a.test.ts', '-j', '2').ended;
        assert.is(code, 0, stdout);
        assert.is([...stdout.matchAll(/^=== .*?(\w)\.test\.ts$/gm)].at(-1)?.[1], 'c');
      },
    ));

  const leftovers = {
    mount: 'execFileSync("mount", ["-t", "tmpfs", "x", "/mnt"])',
    'loop device': 'execFileSync("sh", ["-ec", "truncate -s 1M $TMPDIR/d; losetup -f $TMPDIR/d"])',
    process: 'execFileSync("sh", ["-c", "setsid sleep 1000 > /dev/null 2>&1 &"])',
    'temporary file': 'writeFileSync(process.env["TMPDIR"] + "/x", "")',
  };
  test('are red where they leave a mount, a loop device, a process or a temporary file behind, which is then taken away', () =>
    inFolderOf(Object.fromEntries(Object.entries(leftovers).map(([what, body]) => [`${what}.test.ts`, file({ leaves: body })])), async (folder) => {
      const { code, stdout } = await startTests(folder, ...Object.keys(leftovers).map((what) => `${what}.test.ts`)).ended;
      assert.equal([code, stdout.trimEnd().split('\n').at(-1)], [1, '4 passed, 4 failed, 0 skipped']);
      for (const seen of ['+ mounts: .* /mnt tmpfs', '+ loops: /dev/loop', '+ processes: \\d+ .*sleep 1000', '+ temporary: .*/x$']) {
        assert.match(stdout, new RegExp(seen.replace('+', '\\+'), 'm'));
      }
      assert.not.match(execFileSync('losetup', ['--list', '--noheadings'], { encoding: 'utf8' }), folder);
    }));

  test('are green whatever others mount, attach, start and write meanwhile', () =>
    inFolderOf({ 'a.test.ts': file({ waits: 'writeFileSync("begun", ""); while (!existsSync("go")) await sleep(10);' }) }, async (folder) => {
      const others = mkdtempSync('/var/tmp/chrootfile-others-');
      const sh = (script: string) => execFileSync('sh', ['-ec', script], { cwd: others, encoding: 'utf8' });
      const started = startTests(folder, 'a.test.ts');
      await appears(join(folder, 'begun'), started);
      try {
        sh(
          'mkdir m; mount -t tmpfs x m; mount -t tmpfs x /mnt; truncate -s 1M d; losetup -f --show d > device; setsid sleep 1000 > /dev/null 2>&1 & echo $! > pid; touch /tmp/chrootfile-others',
        );
        writeFileSync(join(folder, 'go'), '');
        const { code, stdout } = await started.ended;
        assert.is(code, 0, stdout);
        assert.match(readFileSync('/proc/self/mountinfo', 'utf8'), `${others}/m `);
      } finally {
        sh('kill $(cat pid); losetup -d $(cat device); umount m /mnt; rm /tmp/chrootfile-others');
        rmSync(others, { recursive: true });
      }
    }));

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`end with ${signal}: all that they have started, and their folders`, () =>
      inFolderOf(
        {
          'a.test.ts': file({ waits: 'writeFileSync("a", process.env["TMPDIR"]); await sleep(1e6)' }),
          'b.test.ts': file({ waits: 'writeFileSync("b", ""); execFileSync("sleep", ["1000"])' }),
        },
        async (folder) => {
          const started = startTests(folder, 'a.test.ts', 'b.test.ts', '-j', '2');
          for (const name of ['a', 'b']) await appears(join(folder, name), started);
          started.child.kill(signal);
          assert.is((await started.ended).code, signal === 'SIGINT' ? 130 : 143);
          assert.not.ok(existsSync(readFileSync(join(folder, 'a'), 'utf8')));
        },
      ));
  }
});
