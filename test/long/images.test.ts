import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { type BootOptions, boot, keyIn, type Machine } from '../support/machine.js';
import { finished, repository, run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';
import { follow } from '../support/tutorial.js';

const minute = 60_000;

/** Made by the first test and removed by the last: a base image takes a minute, and all the others start from it. */
const shop = mkdtempSync(join(tmpdir(), 'chrootfile-test-'));
const state = { CHROOTFILE_STATE: join(shop, 'state') };

/** Builds a recipe of this repository; gives its outputs and its events. */
async function build(recipe: string, ...args: readonly string[]): Promise<{ outputs: Record<string, string>; events: string }> {
  const built = await run(['run', join(repository, 'recipes', recipe), ...args, '--format', 'json'], { folder: shop, env: state });
  assert.is(built.code, 0, built.stderr + built.stdout.slice(-3000));
  return { outputs: finished(built)['outputs'] as Record<string, string>, events: built.stdout };
}

/** Builds a recipe a second time, with some tasks from layers of the first; gives its outputs. */
async function rebuilt(recipe: string, cached: readonly string[]): Promise<Record<string, string>> {
  const { outputs, events } = await build(recipe);
  const ended = events.split('\n').filter((line) => line.includes('"outcome":"cached"'));
  const found = ended.map((line) => (JSON.parse(line) as { task: string }).task);
  assert.equal(
    cached.filter((task) => !found.includes(task)),
    [],
  );
  return outputs;
}

/** Boots an image, and stops the machine again. */
async function booted(image: string, options: BootOptions, look: (machine: Machine) => Promise<void> | void, prepared?: string): Promise<void> {
  await inFolder({}, async (folder) => {
    const disk = join(folder, 'disk.img');
    assert.is((await run(['local', 'export', image, disk], { folder, env: state })).code, 0);
    const machine = await boot(disk, prepared ?? folder, options);
    try {
      await look(machine);
    } finally {
      await machine.stop();
    }
  });
}

/** Size of a machine's root file system in GiB. */
function rootGiB(machine: Machine): number {
  return Number(machine.ssh('df --output=size -k / | tail -n 1')) / 2 ** 20;
}

function isWell(machine: Machine): void {
  assert.is(machine.ssh('systemctl is-system-running --wait || true').trim(), 'running');
  assert.is(machine.ssh('systemctl --failed --no-legend --plain'), '');
}

suite('images that boot', (test) => {
  test(
    'recipes/base.yml, built from its layers: to multi-user with no failed unit, lets the seed’s key in, and fills a larger disk',
    async () => {
      const { events } = await build('base.yml');
      console.log(phases(events));
      const id = String((await rebuilt('base.yml', ['parts', 'rootfs', 'bootstrap']))['image_id']);
      await inFolder({}, async (folder) => {
        assert.is((await run(['local', 'export', id, 'disk.img'], { folder, env: state })).code, 0);
        assert.is(statSync(join(folder, 'disk.img')).size, 4 * 1024 ** 3);
        execFileSync('cmp', [join(folder, 'disk.img'), diskOf(id)]);
      });
      await booted(id, { sizeGiB: 6 }, (machine) => {
        machine.ssh('cloud-init status --wait');
        isWell(machine);
        assert.is(machine.ssh('find /etc/systemd -lname /dev/null'), '', 'no unit is masked but by packages themselves');
        assert.is(machine.ssh('systemctl is-active multi-user.target ssh.service'), 'active\nactive\n');
        assert.is(machine.ssh('hostname').trim(), 'booted');
        assert.match(machine.ssh('cat /etc/machine-id'), /^[0-9a-f]{32}$/m);
        assert.match(machine.ssh('cat /proc/cmdline'), /root=UUID=/);
        assert.is(machine.ssh('readlink /etc/resolv.conf').trim(), '../run/systemd/resolve/stub-resolv.conf');
        assert.match(machine.console(), /login:/, 'the serial console offers a login');
        assert.ok(rootGiB(machine) > 5.7, `cloud-init grows the root: ${rootGiB(machine)} GiB`);
      });
    },
    15 * minute,
  );

  test(
    'docs/tutorial.md does what it says; it leaves the state on a pool',
    () =>
      inFolder({}, (folder) => {
        assert.equal(follow(join(repository, 'docs/tutorial.md'), folder, state), { ran: 8, compared: 7 });
      }),
    5 * minute,
  );

  test(
    'the recipe of README.md builds on the image of the demo',
    () =>
      inFolder({}, async (folder) => {
        const [, recipe = ''] = /^```yaml\n(.*?)^```$/ms.exec(readFileSync(join(repository, 'README.md'), 'utf8')) ?? [];
        writeFileSync(join(folder, 'chrootfile.yml'), recipe);
        const built = await run(['run', '-q'], { folder, env: state });
        assert.is(built.code, 0, built.stderr);
        assert.match(built.stdout, /^image_id = ami-[0-9a-f]{17}$/m);
      }),
    5 * minute,
  );

  test(
    'recipes/web.yml: serves its page to this host; 10 GiB of a base of 4 are its root file system; what makes a machine the one it is, is new',
    async () => {
      const { outputs, events } = await build('web.yml', '-i', 'size=10');
      console.log(phases(events));
      await booted(String(outputs['image_id']), { forward: 80 }, async (machine) => {
        const page = await fetch(`http://127.0.0.1:${machine.port}/`);
        assert.equal([page.status, page.headers.get('server')], [200, `nginx/${outputs['nginx']}`]);
        assert.is(await page.text(), readFileSync(join(repository, 'recipes/files/www/index.html'), 'utf8'));
        machine.ssh('cloud-init status --wait');
        isWell(machine);
        assert.ok(rootGiB(machine) > 9.5, `${rootGiB(machine)} GiB`);
        assert.match(machine.ssh('cat /etc/machine-id'), /^[0-9a-f]{32}$/m);
        assert.match(machine.ssh('ls /etc/ssh'), 'ssh_host_ed25519_key.pub');
        assert.is(
          machine.ssh('readlink /etc/resolv.conf; ls /usr/sbin/policy-rc.d 2>&1 | grep -c "No such"').trim().split('\n').join(),
          '../run/systemd/resolve/stub-resolv.conf,1',
        );
      });
    },
    15 * minute,
  );

  test(
    'a base of 4 GiB made one of 10 fills them on first boot without cloud-init too',
    () =>
      inFolder({}, async (folder) => {
        const key = readFileSync(`${keyIn(folder)}.pub`, 'utf8').trim();
        const ran = await runRecipe(
          folder,
          `includes: {ami: {recipe: ${repository}/recipes/lib/image_from_image.yml, with: {source_filters: {name: "base-*"}, name: plain, size: 10}}}
tasks:
  plain: {in: ami.chroot, run: "touch /etc/cloud/cloud-init.disabled; mkdir -p -m 700 /root/.ssh; echo '${key}' > /root/.ssh/authorized_keys"}
outputs: {image: "{{ ami.image_id }}"}
`,
          [],
          state,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        await booted(
          String(ran.outputs['image']),
          { user: 'root' },
          (machine) => {
            isWell(machine);
            assert.match(machine.ssh('cloud-init status || true'), 'disabled');
            assert.ok(rootGiB(machine) > 9.5, `${rootGiB(machine)} GiB`);
          },
          folder,
        );
      }),
    15 * minute,
  );

  test(
    'recipes/layout.yml, built from its layers: /boot apart, / and /home on subvolumes of btrfs',
    async () => {
      await build('layout.yml');
      const outputs = await rebuilt('layout.yml', ['parts', 'bootfs', 'rootfs', 'system', 'copy', 'bootable']);
      await booted(String(outputs['image_id']), {}, (machine) => {
        machine.ssh('cloud-init status --wait');
        isWell(machine);
        const mounts = machine.ssh('for at in / /home /boot; do findmnt --noheadings --output FSTYPE,FSROOT $at; done');
        assert.equal(
          mounts
            .trim()
            .split('\n')
            .map((line) => line.trim().replace(/\s+/g, ' ')),
          ['btrfs /@', 'btrfs /@home', 'ext4 /'],
        );
      });
    },
    15 * minute,
  );

  test(
    'recipes/variants.yml: two images from one base, built at the same time',
    async () => {
      const { outputs, events } = await build('variants.yml');
      for (const [image, program] of [
        [outputs['web_image'], 'nginx'],
        [outputs['cache_image'], 'memcached'],
      ]) {
        await inFolder({}, async (folder) => {
          const look = `includes: {ami: {recipe: ${repository}/recipes/lib/image_from_image.yml, with: {source_ami: "${image}", name: unused}}}\ntasks: {look: {in: ami.chroot, run: command -v ${program}}}\n`;
          assert.is((await runRecipe(folder, look, [], state)).code, 0, program);
        });
      }
      const at = (type: string, task: string) => events.indexOf(events.split('\n').find((line) => line.includes(`"${type}","task":"${task}"`)) ?? 'none');
      for (const [one, other] of [
        ['nginx', 'memcached'],
        ['memcached', 'nginx'],
      ] as const) {
        assert.ok(at('task.started', one) >= 0 && at('task.started', one) < at('task.finished', other), `${one} starts before ${other} ends`);
      }
    },
    5 * minute,
  );

  test(
    'recipes/lib/ansible.yml: a playbook is played on an image by the chroot connection',
    () =>
      inFolder(
        {
          'site/site.yml': `- hosts: all
  tasks:
    - user: {name: operator, uid: 1500}
    - template: {src: motd.j2, dest: /etc/motd, mode: "0644"}
    - service_facts:
    - command: cat /proc/1/comm
      register: init
    - copy: {content: "{{ init.stdout }}", dest: /etc/init-was}
`,
          'site/motd.j2': '{{ greeting }} from {{ ansible_distribution }}\n',
        },
        async (folder) => {
          const ran = await runRecipe(
            folder,
            `includes:
  ami: {recipe: ${repository}/recipes/lib/image_from_image.yml, with: {source_filters: {name: "base-*"}, name: played}}
  site:
    recipe: ${repository}/recipes/lib/ansible.yml
    with: {chroot: "{{ ami.chroot.path }}", playbook: site/site.yml, variables: {greeting: "it's me"}, arguments: [--diff, --skip-tags, "not these"]}
tasks:
  look: {in: ami.chroot, needs: [site.play], run: "cat /etc/motd; id -u operator; mount | grep -c ' /proc '"}
`,
            ['look'],
            state,
          );
          assert.is(ran.code, 0, ran.ended.stdout);
          const kept = readFileSync(join(state.CHROOTFILE_STATE, 'runs', String(ran.events.at(-1)?.['run']), 'logs/look.log'), 'utf8');
          assert.is(kept, "it's me from Debian\n1500\n1\n");
        },
      ),
    5 * minute,
  );

  test(
    'leave nothing once they are reset',
    async () => {
      assert.is((await run(['undo', '--all'], { folder: shop, env: state })).stdout, 'nothing to undo\n');
      const reset = await run(['local', 'reset', '--yes'], { folder: shop, env: state });
      assert.is(reset.code, 0, reset.stderr);
      assert.not.ok(existsSync(join(state.CHROOTFILE_STATE, 'local')));
      rmSync(shop, { recursive: true });
    },
    minute,
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

function diskOf(image: string): string {
  const local = join(state.CHROOTFILE_STATE, 'local/local-1');
  const { mappings } = JSON.parse(readFileSync(join(local, 'images', `${image}.json`), 'utf8')) as { mappings: { snapshot: string }[] };
  return join(local, 'disks', `${mappings[0]?.snapshot}.img`);
}
