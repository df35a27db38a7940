import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { heldBy } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { program, run, start } from '../support/program.js';
import { suite } from '../support/suite.js';

/** Runs something in a folder whose `state` is a file system of its own, of this size. */
async function withSmallState(megabytes: number, body: (folder: string) => Promise<void>): Promise<void> {
  await inFolder({}, async (folder) => {
    const [image, state] = [join(folder, 'disk.img'), join(folder, 'state')];
    execFileSync('truncate', ['--size', `${megabytes}M`, image]);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', '-O', '^has_journal', image]);
    mkdirSync(state);
    execFileSync('mount', ['-o', 'loop', image, state]);
    try {
      await body(folder);
    } finally {
      execFileSync('umount', [state]);
    }
  });
}

/** A volume that fills the host's disk: that is what becomes of sparse files. */
const growing = (then: string) => `version: 1
name: r
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  fill: {run: "dd if=/dev/urandom of={{ disk.device }} bs=1M count=400 2>&1 || true; ${then}"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
`;

suite('a full disk', (test) => {
  test(
    'of the state folder, filled by a growing volume: the run fails and undoes all',
    () =>
      withSmallState(320, async (folder) => {
        const before = await lookAtHost();
        writeFileSync(join(folder, 'r.yml'), growing('dd if=/dev/zero of=state/more bs=1k 2>/dev/null; exit 1'));
        const ran = await run(['run', 'r.yml'], { folder });
        assert.is(ran.code, 1, ran.stdout + ran.stderr);
        assert.match(ran.stderr, 'everything it created was rolled back');
        assert.equal(heldBy(folder), []);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  test(
    'left by a killed run is undone, although not a byte is free',
    () =>
      withSmallState(320, async (folder) => {
        const before = await lookAtHost();
        writeFileSync(join(folder, 'r.yml'), growing('dd if=/dev/zero of=state/more bs=1k 2>/dev/null || echo full; sleep 100'));
        const started = start(['run', 'r.yml'], { folder });
        await started.saw('fill | full');
        started.child.kill('SIGKILL');
        await started.ended;
        const undone = await run(['undo', '--all'], { folder });
        assert.is(undone.code, 0, undone.stdout + undone.stderr);
        assert.equal(heldBy(folder), []);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  test('is told once, where it keeps the record of the run from being written', () =>
    withSmallState(320, async (folder) => {
      writeFileSync(
        join(folder, 'r.yml'),
        'version: 1\nname: r\ntasks:\n  a: {run: "dd if=/dev/zero of=state/more bs=1k 2>/dev/null || true; for i in 1 2 3; do head -c 20000 /dev/zero | tr \'\\\\0\' x; echo; sleep 0.1; done; rm state/more"}\n',
      );
      const ran = await run(['run', 'r.yml', '--format', 'json'], { folder });
      const warnings = ran.stdout.split('\n').filter((line) => line.includes('"warning"'));
      assert.is(ran.code, 0, ran.stdout.slice(-1000) + ran.stderr);
      assert.is(warnings.length, 1, warnings.join('\n'));
      assert.match(warnings[0] ?? '', 'the record of the run is incomplete: ENOSPC');
    }));

  test('in memory: a script that does not fit is an error, not cut off', () =>
    inFolder({}, async (folder) => {
      const script = `${'# a comment that makes the script long\n'.repeat(5_000)}echo end\n`;
      writeFileSync(join(folder, 'long.sh'), script);
      writeFileSync(join(folder, 'r.yml'), 'version: 1\nname: r\ntasks:\n  a: {run: {file: long.sh}}\n');
      const inner = 'mount -t tmpfs -o size=64k none /dev/shm; "$@" 2>&1; echo "exit $?"';
      const shown = execFileSync('unshare', ['--mount', 'sh', '-c', inner, 'sh', program, 'run', 'r.yml', '--state', join(folder, 'state')], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, NO_COLOR: '1' },
      });
      assert.match(shown, /a script of \d+ bytes does not fit in \/dev\/shm: ENOSPC/);
      assert.match(shown, /exit 1\n$/);
    }));

  test('leaves no drafts', () =>
    withSmallState(320, async (folder) => {
      writeFileSync(
        join(folder, 'r.yml'),
        'version: 1\nname: r\ntasks:\n  a: {run: "dd if=/dev/zero of=state/more bs=1k 2>/dev/null || true"}\n  b: {needs: [a], uses: ec2.volume, with: {size: 1}}\n',
      );
      const ran = await run(['run', 'r.yml'], { folder });
      assert.ok(ran.code === 1 || ran.code === 5, String(ran.code));
      assert.equal(heldBy(folder), []);
      const all = readdirSync(join(folder, 'state'), { recursive: true, encoding: 'utf8' });
      assert.equal(
        all.filter((name) => name.endsWith('.new') || name.includes('.lock')),
        [],
      );
      assert.ok(existsSync(join(folder, 'state/more')));
    }));
});
