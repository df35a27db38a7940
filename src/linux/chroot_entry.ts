import { existsSync } from 'node:fs';
import { mountTable } from './chroot_mounts.js';
import { systemProgram } from './command.js';
import { makeInside, readInside } from './rooted_path.js';

/** A place inside a chroot. */
export interface ChrootPlace {
  /** The image's root, as a path of the host. */
  readonly root: string;
  /** The working directory, as a path inside. */
  readonly dir: string;
  /** Whether what runs there may change the host's kernel. */
  readonly privileged: boolean;
}

/**
 * The one way into a chroot: for tasks, checks, undo scripts and shells for a person. What runs there has mount, pid,
 * UTS and IPC namespaces of its own and the image's hostname; /proc/sys can be read only, and the capabilities that
 * change the host's kernel are gone. This stops accidents, not attacks: root with CAP_SYS_ADMIN finds a way.
 *
 * The root is mounted over that of the host in the mount namespace, where pivot_root would replace it: the same for
 * whoever runs there (`..` of a chroot that was left ends at the image's root), and it also works where the host's root
 * is an initramfs, which pivot_root(2) refuses. Neither helps where this program itself is in a chroot. `/..` is the
 * topmost mount on `/`; `/` itself stays that of the host for who has been there before, and its programs can be run.
 * @param table the number of the file descriptor it gets {@link mountsIn} by.
 * @returns the command line that runs `command`, a program of the image with its arguments, as PID 1 there; it is
 * killed when this process dies.
 */
export async function commandIn({ root, dir, privileged }: ChrootPlace, table: number, command: readonly string[]): Promise<string[]> {
  return [
    ...[programs.setpriv, '--pdeathsig', 'KILL', ...(privileged ? [] : ['--bounding-set', dropped()]), '--'],
    ...[programs.unshare, '--mount', '--propagation', 'slave', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--'],
    ...['/bin/sh', '-ec', enter(table), 'enter', programs.mount, programs.unshare, root, dir, await hostnameOf(root), ...command],
  ];
}

/** Run by the host's shell. One call of mount for all: a process costs as much as all that it mounts. */
const enter = (table: number) => `mount=$1 unshare=$2 root=$3 dir=$4
printf %s "$5" > /proc/sys/kernel/hostname || echo 'the hostname of the image could not be set' >&2
"$mount" --all --fstab /proc/self/fd/${table}
[ "$root" -ef /.. ] || { echo "$root could not be mounted over /" >&2; exit 1; }
exec ${table}<&-
shift 5
exec "$unshare" --root /.. --wd "$dir" -- "$@"`;

/** What is mounted on the way in, as a table of mounts. */
export function mountsIn({ root, privileged }: ChrootPlace): string {
  const proc = makeInside(root, '/proc');
  const readOnly = privileged ? [] : ['sys', 'sysrq-trigger'].filter((name) => existsSync(`/proc/${name}`)).map((name) => `${proc}/${name}`);
  return mountTable([
    // A source of its own: mount leaves out what is mounted already from the same.
    ['chrootfile', proc, 'proc', 'nosuid,nodev,noexec'],
    ...readOnly.map((path) => [path, path, 'none', 'bind,ro']),
    // Written so because mount leaves out "/".
    [root, '//', 'none', 'rbind'],
  ]);
}

/** By their paths: the PATH of a task is its own. */
const programs = Object.fromEntries(['setpriv', 'unshare', 'mount'].map((name) => [name, systemProgram(name) ?? name])) as Record<
  'setpriv' | 'unshare' | 'mount',
  string
>;

/**
 * What no provisioning needs, for setpriv. Raw sockets stay, for ping. Where the host runs SELinux, packages of the
 * image set labels its policy does not know, which takes CAP_MAC_ADMIN. Source: capabilities(7).
 */
function dropped(): string {
  const names = ['sys_module', 'sys_rawio', 'sys_time', 'sys_boot', 'syslog', 'net_admin'];
  return [...names, ...(existsSync('/sys/fs/selinux/enforce') ? [] : ['mac_admin'])].map((name) => `-${name}`).join(',');
}

/** The image's own name, where it has a valid one. Source: hostname(5), gethostname(2). */
async function hostnameOf(root: string): Promise<string> {
  const text = await readInside(root, '/etc/hostname', 4096).catch(() => undefined);
  const name =
    text
      ?.split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '' && !line.startsWith('#')) ?? '';
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/.test(name) ? name : 'localhost';
}
