import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { recordsOf } from './ec2.js';
import { inFolder } from './folder.js';
import { run } from './program.js';
import { type RunResult, runRecipe } from './recipe.js';

/** Puts into a mounted file system what a chroot needs: busybox and little else. */
export const busyboxInto = (root: string) => `cd "${root}"
mkdir -p bin dev proc sys run tmp etc srv usr/sbin
cp /bin/busybox bin/busybox
chroot . /bin/busybox --install -s /bin
echo root:x:0:0:root:/root:/bin/sh > etc/passwd
echo from the image > etc/resolv.conf`;

/** A recipe that makes a source image: a disk with one file system and busybox in it. */
export const sourceImage = (name: string, more = 'true', type = 'ext4') => `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ disk.device }}", type: ${type}}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}"}}
  work:
    run: |
      ${[busyboxInto('{{ root.path }}'), more].join('\n').replaceAll('\n', '\n      ')}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: ${name}, snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;

/** Runs something in a folder with these files, whose embedded EC2 is on a file system that shares blocks. */
export function withPool(files: Readonly<Record<string, string>>, body: (folder: string) => Promise<void>, size = '2G'): Promise<void> {
  return inFolder(files, async (folder) => {
    const made = await run(['local', 'init', '--size', size], { folder });
    assert.equal([made.code, made.stderr], [0, '']);
    try {
      await body(folder);
    } finally {
      await run(['undo', '--all'], { folder });
      await run(['local', 'reset', '--yes'], { folder });
    }
  });
}

/** Runs a recipe that must succeed. */
export async function succeeding(folder: string, text: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  const ran = await runRecipe(folder, text, args, env);
  assert.is(ran.code, 0, ran.ended.stdout + ran.ended.stderr);
  return ran;
}

/** How each task ended, by name. */
export function outcomesOf({ events }: Pick<RunResult, 'events'>): ReadonlyMap<string, string> {
  return new Map(events.filter(({ type }) => type === 'task.finished').map(({ task, outcome }) => [String(task), String(outcome)]));
}

/** The tasks of some that ran, i.e. that were not taken from a layer. */
export function ranOf(ran: RunResult, tasks: readonly string[]): string[] {
  const outcomes = outcomesOf(ran);
  return tasks.filter((task) => outcomes.get(task) !== 'cached');
}

/** The disk of an image. */
export function diskOfImage(folder: string, { outputs }: Pick<RunResult, 'outputs'>): string {
  const image = recordsOf(folder, 'local-1', 'images').find(({ id }) => id === outputs['image_id']);
  const mappings = (image?.['mappings'] ?? []) as readonly { snapshot: string }[];
  return diskOf(folder, mappings[0]?.snapshot ?? '');
}

/** The disk of a snapshot. */
export function diskOf(folder: string, snapshot: string): string {
  return join(folder, 'state/local/local-1/disks', `${snapshot}.img`);
}

/**
 * Everything in a file system on a disk, by path: type, mode, owner, number and target of links, content and extended
 * attributes. Times have entries of their own, if wanted.
 * @param offset of the file system on the disk, in bytes.
 */
export function filesOn(disk: string, offset = 0, times?: 'with times'): Record<string, string> {
  const at = mkdtempSync(join(tmpdir(), 'chrootfile-look-'));
  // A journal that waits to be replayed would be one in the layer too: it is not replayed here.
  const type = execFileSync('blkid', ['-p', '-O', String(offset), '-o', 'value', '-s', 'TYPE', disk], { encoding: 'utf8' }).trim();
  const options = ['ro', `offset=${offset}`, ...({ ext4: ['noload'], xfs: ['norecovery', 'nouuid'] }[type] ?? [])];
  execFileSync('mount', ['-o', ['loop', ...options].join(','), disk, at]);
  try {
    return filesIn(at, times);
  } finally {
    execFileSync('umount', [at]);
    rmdirSync(at);
  }
}

/** As {@link filesOn}, of a folder. */
export function filesIn(folder: string, times?: 'with times'): Record<string, string> {
  const shell = (command: string) => execFileSync('/bin/sh', ['-ec', command], { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\n');
  const found = new Map(
    shell(`find . -printf '%p\\t%y %m %U:%G %n %l\\n'`)
      .filter(Boolean)
      .map((line) => line.split('\t') as [string, string]),
  );
  for (const line of shell('find . -type f -exec sha256sum {} +').filter(Boolean)) {
    const [sum = '', path = ''] = line.split('  ');
    found.set(path, `${found.get(path)} ${sum.slice(0, 16)}`);
  }
  if (times !== undefined) {
    for (const line of shell(`find . -printf '%p (time)\\t%T+\\n'`).filter(Boolean)) found.set(...(line.split('\t') as [string, string]));
  }
  let path = '';
  for (const line of shell('getfattr -R -h -P -d -m - -e hex .')) {
    if (line.startsWith('# file: ')) path = `./${line.slice('# file: '.length)}`.replace(/^\.\/\.$/, '.');
    else if (line !== '') found.set(path, `${found.get(path)} ${line}`);
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
