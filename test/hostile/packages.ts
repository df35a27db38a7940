import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../faults/pool.js';
import { placeIn } from './prepare.js';

const bootstrapSeconds = 600;

/** Makes a state with an image of Debian, and nothing in it but what apt needs. */
export async function prepareDebian(bench: Bench): Promise<void> {
  const place = placeIn(bench, join(bench.prepared, 'debian'), bootstrapSeconds);
  const mirror = 'http://deb.debian.org/debian';
  const sources = [`deb ${mirror} bookworm main`, `deb ${mirror} bookworm-updates main`, `deb ${mirror}-security bookworm-security main`];
  place.write(
    'make.sh',
    `set -e
mmdebstrap --quiet --mode=root --format=directory --variant=minbase --skip=check/empty,cleanup/apt/lists bookworm "$ROOT" ${sources.map((line) => `'${line}'`).join(' ')}
cd "$ROOT"
echo 'nameserver 192.0.2.53' > etc/resolv.conf
echo image > etc/hostname
echo '127.0.0.1 localhost image' > etc/hosts
find /etc/apt/apt.conf.d -name '*proxy*' -exec cp -t etc/apt/apt.conf.d {} +
`,
  );
  place.write(
    'make.yml',
    `version: 1\nname: make\ntasks:
  volume: {uses: ec2.volume, with: {size: 4}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  rootfs: {uses: disk.filesystem, with: {device: "{{ disk.device }}", type: ext4}}
  root: {uses: mount, with: {device: "{{ rootfs.device }}", options: [discard]}}
  work: {env: {ROOT: "{{ root.path }}", TMPDIR: /tmp}, run: sh -e make.sh}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: source, snapshot: "{{ snapshot.id }}"}}\n`,
  );
  await place.must(['run', 'make.yml']);
}

/** Makes a state with an image of Debian that has dnf, zypper, and a repository of RPMs. */
export async function prepareRpm(bench: Bench): Promise<void> {
  const debian = join(bench.prepared, 'debian');
  if (!existsSync(debian)) await prepareDebian(bench);
  execFileSync('cp', ['-a', '--sparse=always', '--reflink=auto', debian, join(bench.prepared, 'rpm')]);
  const place = placeIn(bench, join(bench.prepared, 'rpm'), bootstrapSeconds);
  const script = readFileSync(join(import.meta.dirname, 'rpm_repository.sh'), 'utf8');
  place.write(
    'rpm.yml',
    `version: 1\nname: rpm\nincludes:
  ami: {recipe: "${place.libraries}/image_from_image.yml", with: {source_filters: {name: source}, name: rpm}}
tasks:
  work: {in: ami.chroot, template: false, env: {DEBIAN_FRONTEND: noninteractive}, run: ${JSON.stringify(script)}}
outputs: {image_id: "{{ ami.image_id }}"}\n`,
  );
  await place.must(['run', 'rpm.yml']);
}
