import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A tree of the host that hostile images lead to by their links; each worker has its own. */
export const canary = '/run/canary';

/** Files that a build would change if it followed links of the image on the host. */
const bait = ['etc/resolv.conf', 'etc/passwd', 'etc/group', 'etc/os-release', 'etc/hostname', 'etc/fstab', 'resolv.conf', 'passwd', 'sbin/ls', 'file.txt'];
const folders = ['dev/pts', 'dev/shm', 'run', 'proc', 'sys', 'tmp', 'opt', 'usr/sbin', 'empty'];

/** Settings of the kernel that each namespace has for itself. */
const settings = new Map(['kernel/hostname', 'kernel/domainname', 'kernel/shmmax', 'kernel/msgmax'].map((name) => [name, textOf(join('/proc/sys', name))]));

/** Where a worker has a second copy of its /etc. */
const pristine = '/run/etc-as-it-was';

/**
 * Shell commands that set a worker up, in namespaces of its own: its /etc is a copy, and a name for the host.
 * @param alone it has no network, and a resolv.conf that can be known again.
 */
export function workerCommands(alone: boolean): string {
  const resolver = `rm -f /run/etc/resolv.conf; printf 'nameserver 198.51.100.53\\n# of the build host\\n' > /run/etc/resolv.conf; busybox ip link set lo up`;
  return `mkdir /run/etc && cp -a /etc/. /run/etc && hostname build-host || exit
${alone ? resolver : ':'}
cp -a /run/etc ${pristine} && mount --bind /run/etc /etc || exit`;
}

/** Makes the tree. */
export function makeCanary(): void {
  for (const folder of folders) mkdirSync(join(canary, folder), { recursive: true });
  for (const file of bait) {
    mkdirSync(dirname(join(canary, file)), { recursive: true });
    writeFileSync(join(canary, file), `canary:x:0:0:of the host:/:${file}\n`, { mode: 0o640 });
  }
}

let guarded: number | undefined;

/** A process of the host that must be alive after every case. */
export function guardProcess(pid: number | undefined): void {
  guarded = pid;
}

/** Puts back what a case has changed, so that the next one begins with a host as it was. */
export function restoreGuarded(): void {
  rmSync(canary, { recursive: true, force: true });
  makeCanary();
  for (const command of ['hostname build-host', 'busybox ip link set lo up', `cp -a --remove-destination ${pristine}/. /etc`]) spawnSync('sh', ['-c', command]);
  for (const [name, value] of settings) writeFileSync(join('/proc/sys', name), value);
}

/** What no case may change on the host, by name. */
export function lookAtGuarded(): ReadonlyMap<string, string> {
  return new Map([
    ...tree(canary),
    ...tree('/etc'),
    ['a process', existsSync(`/proc/${guarded}`) ? 'alive' : 'gone'],
    // Not by /sys, which is of the namespace that mounted it.
    ['loopback', `${spawnSync('busybox', ['ip', '-o', 'link', 'show', 'lo']).stdout}`],
    ['/', readdirSync('/').join()],
    [
      '/dev',
      readdirSync('/dev')
        .filter((name) => !/^(loop|xvd|pts|shm|disk)/.test(name))
        .join(),
    ], // others attach disks meanwhile
    ...[...settings.keys()].map((name) => [`/proc/sys/${name}`, textOf(join('/proc/sys', name))] as const),
  ]);
}

/** What has changed. */
export function changes(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `host changed: ${name}: ${before.get(name) ?? 'nothing'} is now ${after.get(name) ?? 'nothing'}`);
}

function tree(folder: string): [string, string][] {
  const status = lstatSync(folder);
  const about = `${status.mode.toString(8)} ${status.uid}:${status.gid} ${status.ino} ${status.isDirectory() ? '' : status.mtimeMs}`;
  if (status.isSymbolicLink()) return [[folder, `${about} -> ${readlinkSync(folder)}`]];
  if (status.isFile()) return [[folder, `${about} ${createHash('sha256').update(readFileSync(folder)).digest('hex')}`]];
  if (!status.isDirectory()) return [[folder, about]];
  return [[folder, about], ...readdirSync(folder).flatMap((name) => tree(join(folder, name)))];
}

function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
}
