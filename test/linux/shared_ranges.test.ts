import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { runCommand } from '../../src/cli/embedded_ec2.js';
import { sharedRanges, without } from '../../src/linux/shared_ranges.js';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

const bytes = 16 * 2 ** 20;

/** Changes a copy of a file at random places; nothing of it is written to the disk yet. */
function changeAtRandom(file: string): void {
  const fd = openSync(file, 'r+');
  try {
    for (let i = 0; i < 20; i += 1) writeSync(fd, randomBytes(randomInt(1, 10_000)), 0, undefined, randomInt(0, bytes - 10_000));
  } finally {
    closeSync(fd);
  }
  for (let i = 0; i < 3; i += 1) execFileSync('fallocate', ['--punch-hole', '--offset', String(randomInt(0, bytes - 100_000)), '--length', '70000', file]);
}

suite('shared ranges', (test) => {
  for (const type of ['xfs', 'btrfs']) {
    test(`on ${type}: what two files share has the same content, also right after a write`, () =>
      inFolder({}, async (folder) => {
        assert.is((await run(['local', 'init', '--size', '2G', '--fs', type], { folder })).code, 0);
        try {
          const place = join(folder, 'state/local/files');
          mkdirSync(place);
          const [one, two] = [join(place, 'one'), join(place, 'two')];
          for (let round = 0; round < 5; round += 1) {
            writeFileSync(one, randomBytes(bytes));
            execFileSync('cp', ['--reflink=always', one, two]);
            changeAtRandom(two);
            const shared = await sharedRanges((command) => runCommand(command), one, two);
            const [a, b] = [readFileSync(one), readFileSync(two)];
            for (const [start, end] of shared) assert.ok(a.subarray(start, end).equals(b.subarray(start, end)), `${start} to ${end}`);
            const rest = without([[0, bytes]], shared).reduce((sum, [start, end]) => sum + end - start, 0);
            assert.ok(rest > 0 && rest < bytes / 4, String(rest));
          }
        } finally {
          execFileSync('rm', ['-rf', join(folder, 'state/local/files')]);
          await run(['local', 'reset', '--yes'], { folder });
        }
      }));
  }

  test('ranges without others', () => {
    assert.equal(
      without(
        [
          [0, 10],
          [5, 20],
          [30, 40],
        ],
        [
          [2, 4],
          [8, 12],
          [30, 40],
        ],
      ),
      [
        [0, 2],
        [4, 8],
        [5, 8],
        [12, 20],
      ],
    );
  });
});
