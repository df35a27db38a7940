import { existsSync } from 'node:fs';
import { makeInside, readInside } from './inside.js';
import { systemProgram } from './shell.js';

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
 * is an initramfs, which pivot_root(2) refuses. `/..` is the topmost mount on `/`; `/` itself stays that of the host
 * for who has been there before, and its programs can be run.
 * @returns the command line that runs `command`, a program of the image with its arguments, as PID 1 there; it is
 * killed when this process dies.
 */
export async function commandIn({ root, dir, privileged }: ChrootPlace, command: readonly string[]): Promise<string[]> {
  const proc = makeInside(root, '/proc');
  const readOnly = privileged ? [] : ['sys', 'sysrq-trigger'].filter((name) => existsSync(`/proc/${name}`));
  return [
    ...[programs.setpriv, '--pdeathsig', 'KILL', ...(privileged ? [] : ['--bounding-set', dropped()]), '--'],
    ...[programs.unshare, '--mount', '--propagation', 'slave', '--uts', '--ipc', '--pid', '--fork', '--kill-child', `--mount-proc=${proc}`, '--'],
    ...['/bin/sh', '-ec', enter, 'enter', programs.mount, programs.unshare],
    ...[root, dir, await hostnameOf(root), proc, readOnly.join(' '), ...command],
  ];
}

/** Run by the host's shell, with builtins where there are any: each process costs as much as all mounts do. */
const enter = `mount=$1 unshare=$2 root=$3 dir=$4 proc=$6
printf %s "$5" > /proc/sys/kernel/hostname
for name in $7; do "$mount" --bind -o ro -- "$proc/$name" "$proc/$name"; done
"$mount" --rbind -- "$root" /
shift 7
exec "$unshare" --root /.. --wd "$dir" -- "$@"`;

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
  const text = await readInside(root, '/etc/hostname').catch(() => undefined);
  const name =
    text
      ?.split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '' && !line.startsWith('#')) ?? '';
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/.test(name) ? name : 'localhost';
}
