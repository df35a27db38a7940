import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Place } from '../faults/place.js';
import type { Case } from './case.js';

/** What is wrong with the image that a build has made: its disk is looked at, mounted read-only. */
export function faultsOfImage(place: Place, { disk, type = 'ext4', image = {} }: Case, made: readonly string[]): string[] {
  // A disk that a case has made by itself may be damaged, or have partitions.
  if (disk !== undefined) return [];
  const [region, , snapshot] = made.find((id) => id.includes('/snapshots/'))?.split('/') ?? [];
  const file = join(place.state, 'local', `${region}`, 'disks', `${snapshot}.img`);
  const wrong: string[] = [];
  if (type === 'ext4') {
    const check = spawnSync('e2fsck', ['-fn', file], { encoding: 'utf8' });
    if (check.status !== 0) wrong.push(`e2fsck: ${(check.stdout + check.stderr).trim().split('\n').at(-1)}`);
  }
  const folder = join(place.folder, 'look');
  mkdirSync(folder, { recursive: true });
  const mounted = spawnSync('mount', ['-o', type === 'xfs' ? 'ro,loop,nouuid' : 'ro,loop', file, folder], { encoding: 'utf8' });
  if (mounted.status !== 0) return [...wrong, `the image cannot be mounted: ${mounted.stderr.trim()}`];
  try {
    const traces = ['/etc', '/usr/sbin'].flatMap((path) =>
      namesIn(folder, path)
        .filter((name) => name.includes('chrootfile'))
        .map((name) => `${path}/${name}`),
    );
    wrong.push(...traces.filter((path) => image[path] === undefined).map((path) => `the image has ${path}`));
    if (textAt(folder, '/etc/resolv.conf') === readFileSync('/etc/resolv.conf', 'utf8')) wrong.push('the image has the resolv.conf of the host');
    if (/Services do not start/.test(textAt(folder, '/usr/sbin/policy-rc.d') ?? '')) wrong.push('the image has the policy-rc.d of the build');
    for (const [path, wanted] of Object.entries(image)) {
      const found = textAt(folder, path);
      const fits = wanted instanceof RegExp ? wanted.test(found ?? '') : found === (wanted ?? undefined);
      if (!fits) wrong.push(`the image has ${JSON.stringify(found ?? null)} at ${path} instead of ${wanted}`);
    }
  } finally {
    spawnSync('umount', [folder]);
  }
  return wrong;
}

/** The text of a file, `-> TARGET` of a link, or undefined; never by way of a link of the image. */
function textAt(root: string, path: string): string | undefined {
  const inside = join(root, path);
  if (!isPlain(root, path)) return undefined;
  const status = lstatSync(inside, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  if (status.isSymbolicLink()) return `-> ${readlinkSync(inside)}`;
  return status.isFile() && status.size < 1_000_000 ? readFileSync(inside, 'utf8') : `${basename(path)} is no file`;
}

function namesIn(root: string, path: string): string[] {
  return isPlain(root, `${path}/x`) && lstatSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(join(root, path)) : [];
}

/** Whether all folders above a path are folders. */
function isPlain(root: string, path: string): boolean {
  const above = path.split('/').slice(1, -1);
  return above.every((_, i) => lstatSync(join(root, ...above.slice(0, i + 1)), { throwIfNoEntry: false })?.isDirectory() === true);
}
