import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { base, heldBy } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { noAccount, run } from '../support/program.js';
import { suite } from '../support/suite.js';

/** A folder with one image in the embedded EC2; gives the ids and files of its records. */
async function withImage(body: (folder: string, of: (kind: 'images' | 'snapshots') => string) => Promise<void>): Promise<void> {
  await inFolder({ 'base.yml': `version: 1\nname: base\n${base}` }, async (folder) => {
    const made = await run(['run', 'base.yml'], { folder });
    assert.is(made.code, 0, made.stdout + made.stderr);
    await body(folder, (kind) => join(folder, 'state/local/local-1', kind, readdirSync(join(folder, 'state/local/local-1', kind))[0] ?? ''));
  });
}

suite('a damaged store', (test) => {
  for (const [what, damage] of [
    ['empty', () => ''],
    ['half', (text: string) => text.slice(0, text.length / 2)],
  ] as const) {
    test(`an ${what} record of an image is named and set aside; runs and lists go on`, () =>
      withImage(async (folder, of) => {
        const file = of('images');
        writeFileSync(file, damage(readFileSync(file, 'utf8')));
        // Another region must not suffer from it.
        const listed = await run(['local', 'images'], { folder });
        assert.equal([listed.code, listed.stdout], [0, 'no images\n'], listed.stderr);
        assert.is(listed.stderr, `warning: ${file} cannot be read; it was renamed to ${basename(file)}.broken; run: chrootfile local check\n`);
        assert.equal(readdirSync(dirname(file)), [`${basename(file)}.broken`]);
        const again = await run(['run', 'base.yml'], { folder });
        assert.is(again.code, 0, again.stdout + again.stderr);
        assert.is((await run(['local', 'reset', '--yes'], { folder })).stdout, 'deleted 1 image, 2 snapshots, 0 layers, 0 volumes\n');
      }));
  }

  test('an unreadable record that a run meets is a warning of the run', () =>
    withImage(async (folder, of) => {
      const file = of('images');
      writeFileSync(file, '');
      const again = await run(['run', 'base.yml', '--format', 'json'], { folder });
      assert.is(again.code, 0, again.stdout + again.stderr);
      assert.match(again.stdout, `"type":"warning","message":"${file} cannot be read; it was renamed to ${basename(file)}.broken`);
    }));

  test('local check finds what crashes leave and changes nothing; --repair mends what can be, never a disk; then nothing is found', () =>
    withImage(async (folder, of) => {
      const [image, snapshot] = [of('images'), of('snapshots')];
      const local = join(folder, 'state/local');
      const good = [readFileSync(image, 'utf8'), readFileSync(snapshot, 'utf8')].map((text) => JSON.parse(text) as Record<string, unknown>);
      writeFileSync(image, '');
      writeFileSync(snapshot, '{"id":');
      const orphan = 'vol-0123456789abcdef0';
      writeFileSync(join(local, 'local-1/disks', `${orphan}.img`), 'data');
      truncateSync(join(local, 'local-1/disks', `${orphan}.img`), 2 ** 30);
      writeFileSync(join(local, 'local-1/volumes/vol-00000000000000001.json.99999999-1.new'), '{');
      mkdirSync(join(local, 'devices.lock'));
      mkdirSync('/dev/disk/by-id', { recursive: true });
      symlinkSync('../../loop987654', '/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0');
      const found = await run(['local', 'check', '--json'], { folder });
      assert.is(found.code, 1, found.stderr);
      const types = (text: string) => (JSON.parse(text) as { type: string }[]).map(({ type }) => type).sort();
      assert.equal(types(found.stdout), [
        'dangling link',
        'disk without a record',
        'disk without a record',
        'draft',
        'stale lock',
        'unreadable record',
        'unreadable record',
      ]);
      assert.match((await run(['local', 'check'], { folder })).stdout, new RegExp(`disk without a record +local-1 +1 MiB +2\\S+Z +\\S+${orphan}\\.img`));
      assert.match((await run(['doctor'], { folder, env: noAccount })).stdout, /embedded EC2: .*2 × unreadable record/);
      const mended = await run(['local', 'check', '--repair', '--json'], { folder });
      assert.equal([mended.code, types(mended.stdout)], [1, ['disk without a record']], mended.stderr);
      // What the run's folder and the disk say is there again.
      const [again, again2] = [image, snapshot].map((file) => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
      for (const name of ['id', 'name', 'size'] as const) assert.equal([again?.[name], again2?.[name]], [good[0]?.[name], good[1]?.[name]]);
      assert.is((await run(['local', 'export', String(good[0]?.['name']), 'base.img'], { folder })).code, 0);
      assert.ok(existsSync(join(local, 'local-1/disks', `${orphan}.img`)));
      const refused = await run(['local', 'check', '--delete-orphans', String(good[1]?.['id'])], { folder });
      assert.is(refused.code, 2, refused.stdout);
      const deleted = await run(['local', 'check', '--delete-orphans', orphan], { folder });
      assert.equal([deleted.code, deleted.stdout], [0, 'no damage found\n'], deleted.stderr);
      rmSync('/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0', { force: true });
    }));

  test('a record that nothing remembers stays aside until it is deleted by its id', () =>
    withImage(async (folder, of) => {
      const snapshot = of('snapshots');
      const id = basename(snapshot, '.json');
      writeFileSync(snapshot, '');
      rmSync(join(folder, 'state/runs'), { recursive: true });
      assert.is((await run(['local', 'check', '--repair'], { folder })).code, 1);
      assert.equal(readdirSync(dirname(snapshot)), [`${id}.json.broken`]);
      assert.is((await run(['local', 'check', '--delete-orphans', id], { folder })).code, 0);
      assert.equal(
        heldBy(folder).filter((line) => line.includes('snap')),
        [],
      );
    }));

  test(
    'local init killed between its two renames: what is there is found again, and nothing stays twice',
    () =>
      withImage(async (folder, of) => {
        const local = join(folder, 'state/local');
        const name = (JSON.parse(readFileSync(of('images'), 'utf8')) as { name: string }).name;
        // Killed after the first: no pool yet.
        renameSync(local, `${local}.old`);
        writeFileSync(`${local}.img.new`, '');
        assert.match((await run(['local', 'images'], { folder })).stdout, name);
        assert.equal(
          readdirSync(dirname(local)).filter((entry) => entry.startsWith('local')),
          ['local'],
        );
        // Killed after the second: the pool counts.
        cpSync(local, join(folder, 'copy'), { recursive: true });
        assert.is((await run(['local', 'init', '--size', '3G'], { folder })).code, 0);
        try {
          execFileSync('umount', [local]);
          renameSync(join(folder, 'copy'), `${local}.old`);
          assert.match((await run(['local', 'images'], { folder })).stdout, name);
          assert.equal(
            readdirSync(dirname(local)).filter((entry) => entry.startsWith('local')),
            ['local', 'local.img'],
          );
        } finally {
          assert.is((await run(['local', 'reset', '--yes'], { folder })).code, 0);
        }
      }),
    60_000,
  );
});
