import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { type Ended, finished, repository, run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const library = join(repository, 'recipes/lib/image_from_image.yml');
const tiny = join(repository, 'test/fixtures/tiny.yml');

/** What includes the library in a recipe, on the newest image that tiny.yml made. */
const includes = (more = '') => `includes: {ami: {recipe: ${library}, with: {source_filters: {name: "tiny-*"}, name: "next-{{ run.id }}"${more}}}}\n`;

async function makeBase(folder: string, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const made = await run(['run', tiny, ...args, '--format', 'json'], { folder });
  assert.is(made.code, 0, made.stdout + made.stderr);
  return finished(made)['outputs'] as Record<string, unknown>;
}

suite('an image from an image', (test) => {
  test(
    'has what the source has and what was put on it, is larger when asked, and carries its properties',
    () =>
      inFolder({ 'one.txt': 'one\n' }, async (folder) => {
        await makeBase(folder);
        const { image_id: newest } = await makeBase(folder, '-i', 'script=echo newest > /mark');
        const before = await lookAtHost();
        const recipe = `${includes(', size: 2, tags: {role: test}')}tasks:
  put: {uses: chroot.upload, in: ami.chroot, with: {from: one.txt, to: /srv/}}
  look: {in: ami.chroot, run: "cat /mark /srv/one.txt; df -k / | tail -n 1; cat /etc/resolv.conf"}
outputs: {image: "{{ ami.image_id }}", source: "{{ ami.source_id }}", snapshot: "{{ ami.snapshot_id }}"}
`;
        const ran = await runRecipe(folder, recipe, ['ami.image']);
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(ran.outputs['source'], newest);
        const [mark, one, size] = ran.log('look').split('\n');
        assert.equal([mark, one], ['newest', 'one']);
        assert.ok(Number(size?.split(/\s+/)[1]) > 1.8 * 2 ** 20, size);
        assert.match(ran.log('look'), readFileSync('/etc/resolv.conf', 'utf8'));
        // The next one starts from this one, by its id; the resolv.conf it finds is the image's own.
        const again = await runRecipe(
          folder,
          `includes: {ami: {recipe: ${library}, with: {source_ami: "${ran.outputs['image']}", copy_files: [], name: again}}}
tasks:
  look: {in: ami.chroot, run: "cat /mark /srv/one.txt /etc/resolv.conf; ls /usr/sbin"}
`,
        );
        assert.is(again.log('look'), 'newest\none\nfrom the image\npolicy-rc.d\n');
        const images = JSON.parse((await run(['local', 'images', '--json'], { folder })).stdout) as Record<string, unknown>[];
        const [source, made] = [newest, ran.outputs['image']].map((id) => images.find((image) => image['id'] === id)) as [
          Record<string, unknown>,
          Record<string, unknown> & { tags: { Key: string; Value: string }[] },
        ];
        for (const key of ['architecture', 'virtualization', 'rootDevice', 'ena', 'bootMode']) assert.is(made[key], source[key], key);
        assert.ok(made.tags.some((tag) => tag.Key === 'role' && tag.Value === 'test'));
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  test(
    'has the other volumes of the source too, and its properties where they are rare',
    () =>
      inFolder({}, async (folder) => {
        const { image_id: source, snapshot_id: snapshot } = await makeBase(folder);
        // As an image of somebody else's might be.
        const file = join(folder, 'state/local/local-1/images', `${source}.json`);
        const image = JSON.parse(readFileSync(file, 'utf8')) as { mappings: object[] };
        const data = { device: '/dev/sdb', snapshot, size: 5, type: 'gp3', encrypted: false, deleteOnTermination: false };
        const scratch = { device: '/dev/sdc', virtualName: 'ephemeral0', encrypted: false, deleteOnTermination: false };
        writeFileSync(
          file,
          JSON.stringify({ ...image, mappings: [...image.mappings, data, scratch], bootMode: 'uefi', tpm: 'v2.0', imds: 'v2.0', sriov: 'simple' }),
        );
        const ran = await runRecipe(folder, `${includes()}outputs: {image: "{{ ami.image_id }}"}\ntasks: {a: {in: ami.chroot, run: "true"}}\n`);
        assert.is(ran.code, 0, ran.ended.stdout);
        const made = JSON.parse(readFileSync(join(folder, 'state/local/local-1/images', `${ran.outputs['image']}.json`), 'utf8')) as Record<string, unknown> & {
          mappings: Record<string, unknown>[];
        };
        assert.equal([made['bootMode'], made['tpm'], made['imds'], made['sriov']], ['uefi', 'v2.0', 'v2.0', 'simple']);
        const [root, ...others] = made.mappings;
        assert.not.equal(root?.['snapshot'], snapshot);
        assert.equal(
          others.map(({ device, snapshot: of, size, virtualName, deleteOnTermination }) => ({ device, of, size, virtualName, deleteOnTermination })),
          [
            { device: '/dev/sdb', of: snapshot, size: 5, virtualName: undefined, deleteOnTermination: false },
            { device: '/dev/sdc', of: undefined, size: undefined, virtualName: 'ephemeral0', deleteOnTermination: true },
          ],
        );
      }),
    60_000,
  );

  test(
    'is made though its provisioners leave daemons and mounts behind: they are ended and named, and nothing holds the volume',
    () =>
      inFolder({}, async (folder) => {
        await makeBase(folder);
        const before = await lookAtHost();
        const ran = await runRecipe(
          folder,
          `${includes()}tasks:
  cwd: {in: ami.chroot, run: "cd /etc; (trap '' TERM HUP; while :; do sleep 1; done) &"}
  files: {in: ami.chroot, needs: [cwd], run: "setsid sh -c 'exec 7> /held; (sleep 999 & ) ' &"}
  mapped: {in: ami.chroot, needs: [files], run: "mkdir /copy; cp /bin/busybox /copy; /copy/busybox sleep 998 > /dev/null 2>&1 &"}
  mounted: {in: ami.chroot, needs: [mapped], run: "mkdir -p /m /srv; mount -t tmpfs m /m; mount -o bind /bin /srv; sleep 997 > /m/open &"}
  onhost: {needs: [mounted], run: "cd {{ ami.chroot.path }}; mount -t tmpfs m tmp; setsid sleep 996 > srv/left &"}
`,
          ['ami.image'],
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        const left = Object.fromEntries(
          ran.events.filter((event) => event['type'] === 'task.left_processes').map((event) => [event['task'], event['processes']]),
        );
        assert.equal(Object.keys(left), ['cwd', 'files', 'mapped', 'mounted', 'onhost']);
        assert.match(String(left['mapped']), 'busybox');
        assert.ok(Object.values(left).every((names) => (names as string[]).length > 0));
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  for (const count of [2, 4]) {
    test(
      `${count} runs at once on one host have devices of their own, and are all in their chroots at the same time`,
      () =>
        inFolder({}, async (folder) => {
          await makeBase(folder);
          const before = await lookAtHost();
          // Each waits in its image until all are there: were one to wait for another, none would ever end.
          const recipe = `version: 1
name: parallel
inputs: {who: {type: string, required: true}}
${includes()}tasks:
  meet:
    env: {AT: "{{ ami.chroot.path }}"}
    timeout: 60s
    run: |
      touch {{ inputs.who }}.here; echo "$AT" > "$AT/who"
      until [ "$(ls *.here | wc -l)" = ${count} ]; do sleep 0.02; done
  look: {in: ami.chroot, needs: [meet], run: "cat /who"}
outputs: {device: "{{ ami.disk.device }}", name: "{{ ami.disk.device_name }}", path: "{{ ami.chroot.path }}", image: "{{ ami.image_id }}"}
`;
          writeFileSync(join(folder, 'p.yml'), recipe);
          const ended: Ended[] = await Promise.all(
            Array.from({ length: count }, (_, i) => run(['run', 'p.yml', 'ami.image', 'look', '-i', `who=r${i}`, '--format', 'json'], { folder })),
          );
          for (const each of ended) assert.is(each.code, 0, each.stdout + each.stderr);
          const outputs = ended.map((each) => finished(each)['outputs'] as Record<string, string>);
          for (const key of ['device', 'name', 'path', 'image']) assert.is(new Set(outputs.map((each) => each[key])).size, count, key);
          const spans = ended.map((each) => each.stdout.split('\n').filter((line) => line.includes('"task":"meet"')));
          assert.ok(spans.every((lines) => lines.length >= 2));
          assert.equal(differences(before, await lookAtHost()), []);
        }),
      120_000,
    );
  }

  test(
    'one recipe may make several at the same time, each from a chroot of its own',
    () =>
      inFolder({}, async (folder) => {
        await makeBase(folder);
        const ran = await runRecipe(
          folder,
          `includes:
  a: {recipe: ${library}, with: {source_filters: {name: "tiny-*"}, name: next-a}}
  b: {recipe: ${library}, with: {source_filters: {name: "tiny-*"}, name: next-b}}
tasks:
  in_a: {in: a.chroot, run: "echo a > /who; until [ -e /other ]; do sleep 0.02; done", timeout: 30s}
  in_b: {in: b.chroot, run: "echo b > /who; until [ -e /other ]; do sleep 0.02; done", timeout: 30s}
  meet:
    timeout: 30s
    run: |
      until [ -e {{ a.chroot.path }}/who ] && [ -e {{ b.chroot.path }}/who ]; do sleep 0.02; done
      touch {{ a.chroot.path }}/other {{ b.chroot.path }}/other
outputs: {image_a: "{{ a.image_id }}", image_b: "{{ b.image_id }}"}
`,
          ['-j', '3'],
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(new Set(Object.values(ran.outputs)).size, 2);
      }),
    60_000,
  );
});
