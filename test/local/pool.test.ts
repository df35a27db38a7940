import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost, settledDifferences } from '../support/host.js';
import { finished, repository, run, start } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const tiny = join(repository, 'test/fixtures/tiny.yml');
const library = join(repository, 'recipes/lib/image_from_image.yml');

/** Runs something with a pool in the folder's state, and takes the pool away whatever happens. */
async function withPool(folder: string, type: string, body: () => Promise<void>): Promise<void> {
  const made = await run(['local', 'init', '--size', '2G', '--fs', type], { folder });
  assert.equal([made.code, made.stderr], [0, '']);
  try {
    await body();
  } finally {
    await run(['undo', '--all'], { folder });
    await run(['local', 'reset', '--yes'], { folder });
  }
}

suite('a pool for the embedded EC2', (test) => {
  for (const type of ['xfs', 'btrfs']) {
    test(
      `on ${type}: volumes and snapshots share their blocks; what was there moves along; reset leaves nothing`,
      () =>
        inFolder({}, async (folder) => {
          const base = finished(await run(['run', tiny, '--format', 'json'], { folder }))['outputs'] as Record<string, string>;
          const before = await lookAtHost();
          await withPool(folder, type, async () => {
            const disks = join(folder, 'state/local/local-1/disks');
            const ran = await runRecipe(
              folder,
              `includes: {ami: {recipe: ${library}, with: {source_ami: ${base['image_id']}, name: next}}}
tasks:
  write: {in: ami.chroot, run: "echo next > /next"}
  look: {run: "stat -f -c %T ${disks}; filefrag -v ${disks}/{{ ami.volume.id }}.img ${disks}/{{ ami.source.snapshot_id }}.img | grep -c shared"}
  export: {needs: [ami.image], run: "${repository}/bin/chrootfile local export {{ ami.image.id }} next.img && stat -c %s next.img"}
`,
            );
            assert.is(ran.code, 0, ran.ended.stdout);
            const [kind, shared] = ran.log('look').split('\n');
            assert.is(kind, type);
            assert.ok(Number(shared) >= 2, ran.log('look'));
            assert.match(ran.log('export'), '1073741824');
            const { disks: used } = JSON.parse((await run(['local', 'du', '--json'], { folder })).stdout) as {
              disks: { id: string; bytes_on_disk: number; bytes_shared: number }[];
            };
            const source = used.find(({ id }) => id === base['snapshot_id']);
            assert.ok(source !== undefined && source.bytes_shared > 0 && source.bytes_shared <= source.bytes_on_disk, JSON.stringify(used));
            const twice = await run(['local', 'init'], { folder });
            assert.equal([twice.code, twice.stderr.trim()], [2, `error: ${folder}/state/local is already on a copy-on-write file system`]);
          });
          assert.equal(differences(before, await lookAtHost()), []);
          assert.equal(readdirSync(join(folder, 'state')).sort(), ['format', 'locks', 'reserve', 'runs']);
        }),
      60_000,
    );
  }

  test(
    'is found again after a start of the machine: inside a run alone, where nobody else has mounted it; a killed run is undone',
    () =>
      inFolder({}, async (folder) => {
        const before = await lookAtHost();
        await withPool(folder, 'xfs', async () => {
          // As the machine comes up: the file is there, and nothing is mounted.
          execFileSync('umount', [join(folder, 'state/local')]);
          const unmounted = await lookAtHost();
          const made = await run(['run', tiny, '--format', 'json'], { folder });
          assert.is(made.code, 0, made.stdout + made.stderr);
          assert.equal(await settledDifferences(unmounted, 1000), [], 'the mount and its loop device went with the run');
          // Two at once mount it each for itself, by one loop device: two would be the end of the file system.
          const both = await Promise.all([0, 1].map(() => run(['run', tiny, '-i', 'script=sleep 1', '--format', 'json'], { folder })));
          assert.equal(
            both.map((each) => each.code),
            [0, 0],
          );
          assert.equal(await settledDifferences(unmounted, 1000), []);
          const killed = start(['run', tiny, '-i', 'script=echo here; sleep 100'], { folder });
          await killed.saw('here');
          const loops = execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' });
          assert.is(loops.split('\n').filter((line) => line.includes(`${folder}/state/local.img`)).length, 1);
          killed.child.kill('SIGKILL');
          await killed.ended;
          assert.is((await run(['undo', '--all'], { folder })).code, 0);
          const images = JSON.parse((await run(['local', 'images', '--json'], { folder })).stdout) as unknown[];
          assert.is(images.length, 3);
          assert.equal(JSON.parse((await run(['local', 'volumes', '--json'], { folder })).stdout), []);
          execFileSync('xfs_repair', ['-n', '-f', poolCopy(folder)], { stdio: 'ignore' });
        });
        assert.equal(await settledDifferences(before, 1000), []);
      }),
    120_000,
  );

  test(
    'is made while nobody else looks: who comes meanwhile waits, and finds it',
    () =>
      inFolder({}, async (folder) => {
        assert.is((await run(['run', tiny, '--format', 'json'], { folder })).code, 0);
        const made = run(['local', 'init', '--size', '1G'], { folder });
        try {
          while (!existsSync(join(folder, 'state/local.img.new'))) await sleep(5);
          const next = await run(['run', tiny, '--format', 'json'], { folder });
          assert.equal([(await made).code, next.code], [0, 0], next.stdout + next.stderr);
          assert.is((JSON.parse((await run(['local', 'images', '--json'], { folder })).stdout) as unknown[]).length, 2);
        } finally {
          await made;
          await run(['local', 'reset', '--yes'], { folder });
        }
      }),
    60_000,
  );

  test(
    'is refused, and nothing changed, where it cannot be: too small for what is there, in use, no such file system',
    () =>
      inFolder({}, async (folder) => {
        assert.is((await run(['run', tiny, '--format', 'json'], { folder })).code, 0);
        const disks = join(folder, 'state/local/local-1/disks');
        const before = await lookAtHost();
        const kept = readdirSync(disks);
        execFileSync('dd', ['if=/dev/urandom', `of=${disks}/filler.img`, 'bs=1M', 'count=1100', 'status=none']);
        const full = await run(['local', 'init', '--size', '1G'], { folder });
        assert.is(full.code, 3);
        assert.match(full.stderr, /^error: cannot create the file system: unshare .*failed with exit code 1\n(.*\n)*.*No space left on device/);
        assert.equal(readdirSync(disks).sort(), ['filler.img', ...kept].sort());
        assert.not.ok(existsSync(join(folder, 'state/local.img.new')) || existsSync(join(folder, 'state/local.img')));
        // Cut off while it copies, by a signal and by a kill: what it had made so far is gone, at the latest with the next use.
        const cut = start(['local', 'init', '--size', '3G'], { folder });
        while (!existsSync(join(folder, 'state/local.img.new'))) await sleep(5);
        cut.child.kill('SIGTERM');
        assert.is((await cut.ended).code, 143);
        assert.not.ok(existsSync(join(folder, 'state/local.img.new')));
        const killed = start(['local', 'init', '--size', '3G'], { folder });
        while (!existsSync(join(folder, 'state/local.img.new'))) await sleep(5);
        killed.child.kill('SIGKILL');
        await killed.ended;
        assert.is((await run(['local', 'images'], { folder })).code, 0);
        assert.equal(readdirSync(join(folder, 'state')).sort(), ['format', 'local', 'locks', 'reserve', 'runs']);
        assert.equal(readdirSync(disks).sort(), ['filler.img', ...kept].sort());
        // A host with less room than there is to copy.
        const small = join(folder, 'small');
        mkdirSync(small);
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'small', small]);
        try {
          mkdirSync(join(small, 'local'));
          execFileSync('dd', ['if=/dev/urandom', `of=${small}/local/x`, 'bs=1M', 'count=40', 'status=none']);
          const tight = await run(['local', 'init', '--state', small], { folder });
          assert.equal([tight.code, tight.stderr], [3, 'error: cannot create the file system: 40 MiB must be copied, but only 23 MiB are free\n']);
          assert.equal(readdirSync(join(small, 'local')), ['x']);
        } finally {
          execFileSync('umount', [small]);
        }
        const busy = start(['run', tiny, '-i', 'script=echo here; sleep 100'], { folder });
        await busy.saw('here');
        const used = await run(['local', 'init'], { folder });
        assert.is(used.code, 4);
        assert.match(used.stderr, /^error: run \S+ is still running\n$/);
        busy.child.kill('SIGTERM');
        await busy.ended;
        assert.is((await run(['local', 'init', '--fs', 'zfs'], { folder })).code, 2);
        assert.is((await run(['local', 'init', '--size', 'much'], { folder })).code, 2);
        mkdirSync(join(folder, 'other'));
        writeFileSync(join(folder, 'other/local'), 'a file\n');
        const blocked = await run(['local', 'init', '--state', join(folder, 'other')], { folder });
        assert.is(blocked.code, 3, blocked.stderr);
        assert.is(readFileSync(join(folder, 'other/local'), 'utf8'), 'a file\n');
        assert.equal(await settledDifferences(before, 1000), []);
      }),
    60_000,
  );
});

/** A copy of the pool's file as it is, that can be checked while the pool is in use elsewhere. */
function poolCopy(folder: string): string {
  execFileSync('umount', [join(folder, 'state/local')]);
  const copy = join(folder, 'copy.img');
  execFileSync('cp', ['--sparse=always', join(folder, 'state/local.img'), copy]);
  return copy;
}
