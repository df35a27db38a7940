import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Place } from '../faults/place.js';
import type { Bench } from '../faults/pool.js';
import { makeRoot } from '../support/root.js';
import type { Case, Part } from './case.js';
import { canary } from './guard.js';
import { prepareDebian, prepareRpm } from './packages.js';

/** Text of the file that every build uploads. */
export const uploaded = 'of the recipe\n';

/** Makes what all cases of a part start from: the root of an image, or a state with an image. */
export async function prepare(bench: Bench, part: Part): Promise<void> {
  mkdirSync(bench.prepared, { recursive: true });
  if (part === 'debian') return prepareDebian(bench);
  if (part === 'rpm') return prepareRpm(bench);
  makeSmallRoot(bench);
  if (part === 'acts') await makeImage(placeIn(bench, join(bench.prepared, part)), bench, {});
}

/** A place for the program, with a limit for each start of it. */
export function placeIn({ program, tools }: Bench, folder: string, seconds = 60): Place {
  mkdirSync(folder, { recursive: true });
  return new Place(folder, program, tools, seconds * 1000);
}

/** Makes the image `source` in a state, as a case asks for: the file system by the program, or the whole disk by a script. */
export async function makeImage(place: Place, bench: Bench, { type = 'ext4', make = 'true', disk }: Pick<Case, 'type' | 'make' | 'disk'>): Promise<void> {
  const fill = `fill() { (cd "$1"; tar -xpf ${small(bench)}\n${make}\n) }\npart() { echo \${DISK}p$1; }`;
  const variables = `TOOLS=${toolsIn(bench)} CANARY=${canary}`;
  place.write('make.sh', `set -e\nexport ${variables}\n${fill}\n${disk ?? 'mount $DISK root; export DEVICE=$DISK; fill root'}\n`);
  mkdirSync(join(place.folder, 'root'), { recursive: true });
  const format = disk === undefined ? `\n  rootfs: {uses: disk.filesystem, before: [work], with: {device: "{{ disk.device }}", type: ${type}}}` : '';
  place.write(
    'make.yml',
    `version: 1\nname: make\ntasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}${format}
  work: {env: {DISK: "{{ disk.device }}"}, run: sh -e make.sh}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: source, snapshot: "{{ snapshot.id }}"}}\n`,
  );
  await place.must(['run', 'make.yml']);
}

const small = ({ prepared }: Bench) => join(prepared, 'small.tar');
const toolsIn = ({ prepared }: Bench) => join(prepared, 'small/root/bin/hostile');

/** A root of busybox, with a user and what a system says of itself, as an archive. */
function makeSmallRoot(bench: Bench): void {
  if (existsSync(small(bench))) return;
  const folder = join(bench.prepared, 'small');
  mkdirSync(folder);
  const root = makeRoot(folder);
  for (const name of ['opt', 'var', 'mnt', 'usr/lib']) mkdirSync(join(root, name));
  const files = { 'etc/resolv.conf': 'nameserver 192.0.2.53', 'etc/os-release': 'ID=small', 'usr/lib/os-release': 'ID=small', 'etc/hostname': 'image' };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), `${text}\n`);
  execFileSync('cc', ['-O2', '-Wall', '-static', '-o', join(root, 'bin/hostile'), join(import.meta.dirname, 'tools.c')]);
  execFileSync('tar', ['-C', root, '-cf', small(bench), '.']);
}
