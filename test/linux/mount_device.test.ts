import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hostShell } from '../../src/linux/command.js';
import { mountDevice } from '../../src/linux/mount_device.js';
import { mountsUnder } from '../../src/linux/mounts.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

const sh = (script: string, cwd: string) => execFileSync('/bin/sh', ['-ec', script], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

suite('mounting', (test) => {
  test('a btrfs whose UUID is mounted already waits until that is unmounted', () =>
    inFolder({}, async (folder) => {
      // On two devices, because new kernels mount copies of a btrfs on one device side by side.
      for (const name of ['a1', 'a2']) {
        writeFileSync(join(folder, name), '');
        truncateSync(join(folder, name), 2 ** 28);
      }
      const devices: string[] = [];
      const attach = (name: string) => {
        devices.push(sh(`losetup --find --show ${name}`, folder));
        return devices.at(-1) as string;
      };
      const [first, copy] = [join(folder, 'first'), join(folder, 'copy')];
      try {
        const [a1, a2] = [attach('a1'), attach('a2')];
        sh(`mkfs.btrfs --quiet --force --data single ${a1} ${a2}`, folder);
        for (const name of ['1', '2']) copyFileSync(join(folder, `a${name}`), join(folder, `b${name}`));
        const [b1, b2] = [attach('b1'), attach('b2')];
        for (const path of [first, copy]) mkdirSync(path);
        sh(`mount -o device=${a2} ${a1} ${first}`, folder);
        const waited: string[] = [];
        // The first one is unmounted because the second one waits for that.
        await mountDevice({ device: b1, path: copy, type: 'btrfs', options: [`device=${b2}`] }, hostShell, new AbortController().signal, () => {
          waited.push(mountsUnder(copy).length === 0 ? 'waits' : 'is mounted');
          sh(`umount ${first}`, folder);
        });
        assert.equal([waited, mountsUnder(first).length, mountsUnder(copy).length], [['waits'], 0, 1]);
      } finally {
        for (const path of [first, copy]) if (mountsUnder(path).length > 0) sh(`umount ${path}`, folder);
        for (const device of devices) sh(`losetup --detach ${device}`, folder);
      }
    }));
});
