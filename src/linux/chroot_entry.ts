import { existsSync } from 'node:fs';
import { mountTable } from './chroot_mounts.js';
import { systemProgram } from './command.js';
import { makeInside, readInside } from './rooted_path.js';

/** A folder inside a chroot, and the privileges there. */
export interface ChrootPlace {
  /** The image's root, as a path on the host. */
  readonly root: string;
  /** The working directory, as a path inside the chroot. */
  readonly dir: string;
  /** Whether programs there may change the host's kernel. */
  readonly privileged: boolean;
}

/**
 * The only way into a chroot: for tasks, checks, undo scripts and debug shells. Programs there have their own mount,
 * pid, UTS and IPC namespaces and the image's hostname. /proc/sys is read-only, and the capabilities that change the
 * host's kernel are dropped. This prevents accidents, not attacks: root with CAP_SYS_ADMIN can get out.
 *
 * In the mount namespace, the image's root is mounted over the host's root instead of replacing it with pivot_root.
 * For programs there, both have the same effect: `..` from a nested chroot leads at most to the image's root. Mounting
 * also works when the host's root is an initramfs, which pivot_root(2) refuses. Neither works when chrootfile itself
 * runs in a chroot. `/..` is the topmost mount on `/`. For processes started earlier, `/` is still the host's root, so
 * they can run its programs.
 * @param table number of the file descriptor with the mount table of {@link mountsIn}.
 * @returns the command line that runs `command`, a program of the image with its arguments, as PID 1 in the chroot. It
 * is killed when this process dies.
 */
export async function commandIn({ root, dir, privileged }: ChrootPlace, table: number, command: readonly string[]): Promise<string[]> {
  return [
    ...[programs.setpriv, '--pdeathsig', 'KILL', ...(privileged ? [] : ['--bounding-set', dropped()]), '--'],
    ...[programs.unshare, '--mount', '--propagation', 'slave', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--'],
    ...['/bin/sh', '-ec', enter(table), 'enter', programs.mount, programs.unshare, root, dir, await hostnameOf(root), ...command],
  ];
}

/** Run by the host's shell. One call of mount for everything, because starting a process takes as long as all the mounts. */
const enter = (table: number) => `mount=$1 unshare=$2 root=$3 dir=$4
printf %s "$5" > /proc/sys/kernel/hostname || echo 'the hostname of the image could not be set' >&2
"$mount" --all --fstab /proc/self/fd/${table}
[ "$root" -ef /.. ] || { echo "$root could not be mounted over /" >&2; exit 1; }
exec ${table}<&-
shift 5
exec "$unshare" --root /.. --wd "$dir" -- "$@"`;

/** The mount table for entering the chroot. */
export function mountsIn({ root, privileged }: ChrootPlace): string {
  const proc = makeInside(root, '/proc');
  const readOnly = privileged ? [] : ['sys', 'sysrq-trigger'].filter((name) => existsSync(`/proc/${name}`)).map((name) => `${proc}/${name}`);
  return mountTable([
    // Each entry needs its own source: mount skips a source that is already mounted.
    ['chrootfile', proc, 'proc', 'nosuid,nodev,noexec'],
    ...readOnly.map((path) => [path, path, 'none', 'bind,ro']),
    // Written as "//" because mount skips "/".
    [root, '//', 'none', 'rbind'],
  ]);
}

/** Full paths, because the task may set PATH. */
const programs = Object.fromEntries(['setpriv', 'unshare', 'mount'].map((name) => [name, systemProgram(name) ?? name])) as Record<
  'setpriv' | 'unshare' | 'mount',
  string
>;

/**
 * Capabilities that provisioning never needs, for setpriv. Raw sockets stay allowed, for ping. On a host with SELinux,
 * packages of the image set labels that the host's policy does not know, which needs CAP_MAC_ADMIN. Source:
 * capabilities(7).
 */
function dropped(): string {
  const names = ['sys_module', 'sys_rawio', 'sys_time', 'sys_boot', 'syslog', 'net_admin'];
  return [...names, ...(existsSync('/sys/fs/selinux/enforce') ? [] : ['mac_admin'])].map((name) => `-${name}`).join(',');
}

/** The image's hostname, if it is valid. Source: hostname(5), gethostname(2). */
async function hostnameOf(root: string): Promise<string> {
  const text = await readInside(root, '/etc/hostname', 4096).catch(() => undefined);
  const name =
    text
      ?.split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '' && !line.startsWith('#')) ?? '';
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/.test(name) ? name : 'localhost';
}
