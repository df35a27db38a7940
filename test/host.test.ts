import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import * as assert from 'uvu/assert';
import { linkAlias } from '../src/local/device_links.js';
import { linkDevice } from '../src/local/loop_devices.js';
import { inFolder } from './support/folder.js';
import { differences, lookAtHost } from './support/host.js';
import { deviceNamesFor } from './support/served.js';
import { suite } from './support/suite.js';

/** What a broken program could leave behind: how it is made, taken away again, and what the look at the host says. */
const left: Readonly<Record<string, readonly [make: string, remove: string, seen: string]>> = {
  'a mount in a folder of the tests': ['mkdir m; mount -t tmpfs x m', 'umount m', '+ mounts: N / FOLDER/m tmpfs x rw'],
  'a mount elsewhere': ['mount -t tmpfs x /mnt', 'umount /mnt', '+ mounts: N / /mnt tmpfs x rw'],
  'a loop device': ['truncate -s 1M d; losetup -f d', 'losetup -d $(losetup -j d | cut -d: -f1)', '+ loops: LOOP FOLDER/d'],
  'a loop device whose file is gone': ['truncate -s 1M d; losetup -f --show d > device; rm d', 'losetup -d $(cat device)', '+ loops: LOOP FOLDER/d (deleted)'],
  'a loop device on a pool that nobody has mounted any more': [
    'truncate -s 50M p; mkfs.ext4 -qF p; mkdir m; mount -o loop p m; truncate -s 1M m/d; losetup -f --show m/d > device; umount -l m',
    'losetup -d $(cat device)',
    '+ loops: LOOP /d,+ loops: LOOP FOLDER/p',
  ],
  'a process': [
    'setsid sleep 1000 > /dev/null 2>&1 & echo $! > pid; until grep -q sleep /proc/$!/comm; do :; done',
    'kill $(cat pid)',
    '+ processes: N sleep 1000',
  ],
  'a script in memory': ['touch /dev/shm/chrootfile-9-9', 'rm /dev/shm/chrootfile-9-9', '+ temporary: /dev/shm/chrootfile-9-9'],
  // Whole at once: a run of anybody's removes a lock without an owner.
  'a lock': [
    `mkdir lock; echo "{\\"pidNamespace\\":\\"$(readlink /proc/self/ns/pid)\\"}" > lock/1
     cp -r lock /run/draft-$(basename $PWD); mv /run/draft-$(basename $PWD) /run/chrootfile-lock-$(basename $PWD).lock; rm -r lock`,
    'rm -r /run/chrootfile-lock-$(basename $PWD).lock',
    '+ temporary: /run/chrootfile-lock-NAME.lock (inode N)',
  ],
};

suite('the look at the host', (test) => {
  for (const [what, [make, remove, seen]] of Object.entries(left)) {
    test(`sees ${what}`, () =>
      inFolder({}, async (folder) => {
        const before = await lookAtHost();
        execFileSync('sh', ['-ec', make], { cwd: folder });
        let lines: string[];
        try {
          lines = differences(before, await lookAtHost());
        } finally {
          execFileSync('sh', ['-ec', remove], { cwd: folder });
        }
        const plain = lines.map((line) =>
          line
            .replaceAll(folder, 'FOLDER')
            .replaceAll(basename(folder), 'NAME')
            .replace(/\/dev\/loop\d+/, 'LOOP')
            .replace(/\d+:\d+|(?<=inode )\d+|(?<=processes: )\d+/, 'N'),
        );
        assert.equal(plain.sort(), seen.split(','));
      }));
  }

  test('sees the links of a disk of its own that is gone, not those that others have left', () =>
    inFolder({}, async (folder) => {
      const [id, other] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
      const { alias } = deviceNamesFor(`vol-${id}`);
      const { alias: theirs } = deviceNamesFor(`vol-${other}`);
      const links = [alias, linkOf(id)];
      const sh = (script: string) => execFileSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8' }).trim();
      const before = await lookAtHost();
      try {
        const device = sh(`truncate -s 1M vol-${id}.img; losetup -f --show vol-${id}.img`);
        linkDevice(device, `vol-${id}`);
        linkAlias(device, alias);
        await lookAtHost();
        sh(`losetup -d ${device}; rm vol-${id}.img; ln -s loop99 ${theirs}; ln -s ../../loop99 ${linkOf(other)}`);
        const seen = differences(before, await lookAtHost()).map((line) => line.replace(/ \(inode \d+\)$/, ''));
        assert.equal(seen.sort(), links.map((link) => `+ dev: ${link}`).sort());
      } finally {
        sh(`rm -f ${[...links, theirs, linkOf(other)].join(' ')}; rmdir /dev/disk/by-id /dev/disk 2>&1 || true`);
      }
    }));

  test('does not see what others attach, lock and link, nor their links when the disk is gone', async () => {
    const folder = mkdtempSync('/var/tmp/chrootfile-others-');
    const id = randomBytes(8).toString('hex');
    const { alias } = deviceNamesFor(`vol-${id}`);
    const sh = (script: string) => execFileSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8' }).trim();
    try {
      const before = await lookAtHost();
      const device = sh(`truncate -s 1M vol-${id}.img; losetup -f --show vol-${id}.img`);
      try {
        linkDevice(device, `vol-${id}`);
        linkAlias(device, alias);
        sh(`mkdir /run/chrootfile-lock-${id}.lock; echo '{"pidNamespace":"pid:[1]"}' > /run/chrootfile-lock-${id}.lock/1`);
        assert.equal(differences(before, await lookAtHost()), []);
      } finally {
        sh(`losetup -d ${device}`);
      }
      assert.equal(differences(before, await lookAtHost()), []);
    } finally {
      sh(`rm -rf ${alias} ${linkOf(id)} /run/chrootfile-lock-${id}.lock; rmdir /dev/disk/by-id /dev/disk 2>&1 || true`);
      rmSync(folder, { recursive: true });
    }
  });
});

function linkOf(id: string): string {
  return `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol${id}`;
}
