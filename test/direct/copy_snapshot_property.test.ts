import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { areEqual, copyIn, type Embedded, embedded, snapshotIn, volumeIn, writeAt } from '../support/direct.js';
import { inFolder } from '../support/folder.js';
import { random } from '../support/random.js';
import { suite } from '../support/suite.js';

const gib = 2 ** 30;

/** Copies the snapshots of a volume one after another, each as a difference to the one before; all must be equal. */
async function chain(folder: string, change: (disk: string, round: number) => void, sizes: readonly number[]): Promise<void> {
  const [from, to] = [await embedded(join(folder, 'from')), await embedded(join(folder, 'to'))];
  let base: { readonly from: string; readonly to: string } | undefined;
  for (const [round, size] of sizes.entries()) {
    const volume = await volumeIn(from, size, base?.from);
    change(from.disk(volume), round);
    const snapshot = await snapshotIn(from, volume);
    const { id } = await copyIn(folder, { from: from.ec2, snapshot, to: to.ec2, base });
    assert.ok(await areEqual(from.disk(snapshot), to.disk(id)), `round ${round} differs`);
    base = { from: snapshot, to: id };
  }
  mustReadLess(from, sizes.length);
}

/** Most of the disks is holes. */
function mustReadLess(from: Embedded, rounds: number): void {
  assert.ok(from.asked('GetSnapshotBlock') < rounds * 600, `${from.asked('GetSnapshotBlock')} blocks were read`);
}

suite('a chain of copies by EBS direct equals its snapshots', (test) => {
  test('after random writes, trims, zeroings and growth', () => {
    const seed = Number(process.env['CHROOTFILE_SEED'] ?? randomInt(1_000_000));
    const next = random(seed);
    console.log(`seed ${seed}`);
    const below = (limit: number) => Math.floor(next() * limit);
    const changes = [
      (disk: string, at: number) => writeAt(disk, at, randomBytes(1 + below(1_500_000))),
      (disk: string, at: number) => writeAt(disk, at, Buffer.alloc(1 + below(1_500_000))),
      // Whole blocks, at their edges.
      (disk: string, at: number) => writeAt(disk, at - (at % 524_288), below(2) === 0 ? Buffer.alloc(524_288) : randomBytes(524_288)),
      (disk: string, at: number) => trim(disk, at, 1 + below(3_000_000)),
      (disk: string, at: number) => trim(disk, at - (at % 524_288), 524_288 * (1 + below(4))),
    ];
    return inFolder({}, (folder) =>
      chain(
        folder,
        (disk, round) => {
          // Mostly where something is already.
          const end = below(4) === 0 ? (round > 2 ? 2 : 1) * gib : 40_000_000;
          for (let i = 0; i < 12; i += 1) changes[below(changes.length)]?.(disk, below(end - 4_000_000));
        },
        [1, 1, 1, 2, 2, 2],
      ),
    );
  }, 60_000);

  for (const [type, ...options] of [
    ['ext4', '-q', '-F'],
    ['xfs', '-q', '-f'],
    ['btrfs', '-q', '-f'],
  ] as const) {
    test(
      `with files on ${type} that are written, deleted and trimmed`,
      () =>
        inFolder({}, (folder) =>
          chain(
            folder,
            (disk, round) => {
              if (round === 0) execFileSync(`mkfs.${type}`, [...options, disk]);
              changeFiles(join(folder, 'mnt'), disk, round);
            },
            [1, 1, 1],
          ),
        ),
      60_000,
    );
  }
});

function trim(disk: string, offset: number, length: number): void {
  execFileSync('fallocate', ['--punch-hole', '--offset', String(offset), '--length', String(length), disk]);
}

function changeFiles(mount: string, disk: string, round: number): void {
  mkdirSync(mount, { recursive: true });
  execFileSync('mount', ['-o', 'loop', disk, mount]);
  try {
    const files = readdirSync(mount).filter((name) => name.startsWith('file'));
    for (const name of files.filter((_, i) => i % 2 === 0)) rmSync(join(mount, name));
    for (let i = 0; i < 20; i += 1) writeFileSync(join(mount, `file-${round}-${i}`), randomBytes(randomInt(300_000)));
    execFileSync('fstrim', [mount]);
  } finally {
    execFileSync('umount', [mount]);
  }
}
