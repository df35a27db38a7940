import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { diskOfImage, filesOn, outcomesOf } from '../support/layers.js';
import { finished, repository, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const minute = 60_000;

/** Made by the first test and removed by the last: a base image takes a minute, and all the others start from it. */
const folder = mkdtempSync(join(tmpdir(), 'chrootfile-test-'));

/** What is on a disk, by place: files, their times, file systems with their UUIDs, and what boots. */
type Content = Readonly<Record<string, string>>;

/** The base image on another file system, with a package and files whose attributes and times are set. */
const onFileSystem = `version: 1
name: other
inputs: {type: {type: string, default: xfs}}
includes:
  old:
    recipe: "chrootfile:image_from_image"
    with: {source_filters: {name: "base-*"}, name: unused, mount_options: [ro]}
tasks:
  volume: {uses: ec2.volume, with: {size: 4}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ disk.device }}", type: "{{ inputs.type }}"}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  copy: {run: "cp -a --one-file-system {{ old.root.path }}/. {{ root.path }}/"}
  sys: {needs: [copy], uses: chroot, with: {root: "{{ root.path }}"}}
  change:
    in: sys
    cache: {layer: true}
    run: |
      useradd --system --create-home builder
      mkdir -m 2750 /srv/shared && chown builder:builder /srv/shared
      echo one > /srv/shared/one && ln /srv/shared/one /srv/shared/hard && ln -s one /srv/shared/soft
      touch -d '2001-02-03 04:05:06' /srv/shared/one && chmod 4711 /srv/shared/one
      mkfifo /srv/pipe && mknod /srv/null c 1 3
      truncate -s 8M /srv/holes && echo end >> /srv/holes
      rm /etc/motd && mv /usr/share/doc/base-files /usr/share/doc/moved
  attributes:
    needs: [change]
    before: [last]
    run: |
      setcap cap_net_raw+ep {{ root.path }}/usr/bin/cat
      setfattr -n user.note -v value {{ root.path }}/srv/shared
  last:
    in: sys
    run: |
      echo two >> /srv/shared/one
      rm /srv/shared/soft
      mv /usr/share/doc/moved /srv/moved
      touch -d '2002-02-03 04:05:06' /srv/moved
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "other-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;

/** Builds a recipe. @returns the disk of the image, and the tasks that came from layers. */
async function built(recipe: string, args: readonly string[]): Promise<{ readonly disk: string; readonly cached: readonly string[] }> {
  const ended = await run(['run', recipe, '--format', 'json', ...args], { folder });
  assert.is(ended.code, 0, ended.stderr + ended.stdout.slice(-3000));
  const events = ended.stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
  const { outputs } = finished(ended) as { outputs: Record<string, unknown> };
  const cached = [...outcomesOf({ events })].filter(([, outcome]) => outcome === 'cached').map(([task]) => task);
  return { disk: diskOfImage(folder, { outputs }), cached };
}

function contentOf(disk: string): Content {
  const found: Record<string, string> = {};
  const shell = (script: string, ...args: readonly string[]) => execFileSync('/bin/sh', ['-ec', script, 'look', disk, ...args], { encoding: 'utf8' }).trim();
  const table = JSON.parse(shell('sfdisk --json "$1" 2>/dev/null || echo "{}"')) as { partitiontable?: { partitions: { start: number; size: number }[] } };
  for (const { start, size } of table.partitiontable?.partitions ?? [{ start: 0, size: 0 }]) {
    const facts = shell('blkid -p -O "$2" -o export "$1" || true', String(start * 512));
    found[`file system at ${start}`] = facts.replace(/^DEVNAME=.*\n/, '');
    if (facts.includes('USAGE=filesystem')) {
      for (const [path, is] of Object.entries(filesOn(disk, start * 512, 'with times'))) found[`${start}:${path}`] = is;
    } else found[`content at ${start}`] = shell('tail -c "+$2" "$1" | head -c "$3" | sha256sum', String(start * 512 + 1), String(size * 512));
  }
  return { ...found, 'boot sector': shell('head -c 440 "$1" | sha256sum') };
}

function differences(one: Content, other: Content): string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((place) => one[place] !== other[place]);
}

/**
 * Compares what a recipe leaves with and without layers. What differs anyway is measured: what two builds without layers
 * differ in, and what two repetitions of the last task differ in.
 * @param last the task to repeat on a restored volume. @param cached tasks that then come from a layer.
 */
async function equals(recipe: string, last: string, cached: readonly string[], args: readonly string[] = []): Promise<void> {
  const clean = await built(recipe, [...args, '--no-cache']);
  // Not at the same time: files that differ by their time only must differ here.
  const [other, first] = await Promise.all([built(recipe, [...args, '--no-cache']), built(recipe, [...args, '--cache'])]);
  const repeated = await built(recipe, [...args, '--from', last]);
  const again = await built(recipe, [...args, '--from', last]);
  for (const ran of [repeated, again]) {
    assert.equal(
      cached.filter((task) => !ran.cached.includes(task)),
      [],
    );
    assert.not.ok(ran.cached.includes(last));
  }
  const content = contentOf(repeated.disk);
  const without = contentOf(clean.disk);
  const anyway = differences(without, contentOf(other.disk));
  const byLast = differences(content, contentOf(again.disk));
  const count = Object.keys(content).length;
  console.log(`${count} values; ${counts(anyway)} differ between two builds, ${counts(byLast)} between two repetitions of "${last}"`);
  assert.equal(except(differences(without, content), anyway), [], 'with and without layers');
  assert.equal(except(differences(contentOf(first.disk), content), byLast), [], 'from a layer and from the run that made it');
  assert.ok(anyway.filter(isFile).length < count / 100, anyway.filter(isFile).join('\n'));
  assert.ok(byLast.filter(isFile).length < count / 100, byLast.filter(isFile).join('\n'));
}

const isFile = (place: string) => !place.endsWith(' (time)');
const counts = (places: readonly string[]) => `${places.filter(isFile).length} and ${places.length - places.filter(isFile).length} times`;

function except(places: readonly string[], known: readonly string[]): string[] {
  const left = new Set(known);
  return places.filter((place) => !left.has(place));
}

const recipeOf = (name: string) => join(repository, 'recipes', name);

suite('an image from layers equals one built without:', (test) => {
  test(
    'recipes/base.yml',
    async () => {
      assert.is((await run(['local', 'init', '--size', '16G'], { folder })).code, 0);
      await equals(recipeOf('base.yml'), 'grub', ['parts', 'rootfs', 'bootstrap']);
    },
    10 * minute,
  );

  test('recipes/web.yml', () => equals(recipeOf('web.yml'), 'pages', ['packages']), 5 * minute);

  test('recipes/layout.yml', () => equals(recipeOf('layout.yml'), 'bootable', ['parts', 'bootfs', 'rootfs', 'system', 'copy']), 10 * minute);

  for (const type of ['xfs', 'btrfs']) {
    test(
      `the base image on ${type}`,
      async () => {
        const recipe = join(folder, `${type}.yml`);
        writeFileSync(recipe, onFileSystem);
        await equals(recipe, 'last', ['rootfs', 'copy', 'change'], ['-i', `type=${type}`]);
      },
      5 * minute,
    );
  }

  test(
    'and nothing is left once they are reset',
    async () => {
      assert.is((await run(['undo', '--all'], { folder })).stdout, 'nothing to undo\n');
      const reset = await run(['local', 'reset', '--yes'], { folder });
      assert.is(reset.code, 0, reset.stderr);
      rmSync(folder, { recursive: true });
    },
    minute,
  );
});
