import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { boot } from '../support/machine.js';
import { finished, repository, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const minute = 60_000;

suite('recipes/base.yml', (test) => {
  test(
    'becomes an image that boots to multi-user with no failed unit and lets the seed’s key in',
    () =>
      inFolder({}, async (folder) => {
        const built = await run(['run', join(repository, 'recipes/base.yml'), '--format', 'json'], { folder });
        assert.is(built.code, 0, built.stderr + built.stdout.slice(-2000));
        const { image_id: id } = finished(built)['outputs'] as { image_id: string };
        console.log(phases(built.stdout));
        assert.is((await run(['local', 'export', id, 'disk.img'], { folder })).code, 0);
        const disk = join(folder, 'disk.img');
        assert.is(statSync(disk).size, 4 * 1024 ** 3);
        execFileSync('cmp', [disk, diskOf(folder, id)]);

        const machine = await boot(disk, folder);
        try {
          assert.is(machine.ssh('cloud-init status --wait; systemctl is-system-running --wait || true').trim().split('\n').at(-1), 'running');
          assert.is(machine.ssh('systemctl --failed --no-legend --plain'), '');
          assert.is(machine.ssh('find /etc/systemd -lname /dev/null'), '', 'no unit is masked but by packages themselves');
          assert.is(machine.ssh('systemctl is-active multi-user.target ssh.service'), 'active\nactive\n');
          assert.is(machine.ssh('hostname').trim(), 'booted');
          assert.match(machine.ssh('cat /etc/machine-id'), /^[0-9a-f]{32}$/m);
          assert.match(machine.ssh('cat /proc/cmdline'), /root=UUID=/);
          assert.is(machine.ssh('ls -d /etc/resolv.conf && readlink /etc/resolv.conf').trim().split('\n').at(-1), '../run/systemd/resolve/stub-resolv.conf');
          assert.match(machine.console(), /login:/, 'the serial console offers a login');
        } finally {
          await machine.stop();
        }
      }),
    15 * minute,
  );
});

/** Seconds of each node of the plan. */
function phases(events: string): string {
  const ended = events
    .split('\n')
    .filter((line) => line.includes('"task.finished"'))
    .map((line) => JSON.parse(line) as { task: string; seconds: number });
  return ended.map(({ task, seconds }) => `${task} ${seconds.toFixed(2)}`).join(', ');
}

function diskOf(folder: string, image: string): string {
  const local = join(folder, 'state/local/local-1');
  const { mappings } = JSON.parse(readFileSync(join(local, 'images', `${image}.json`), 'utf8')) as { mappings: { snapshot: string }[] };
  return join(local, 'disks', `${mappings[0]?.snapshot}.img`);
}
