import type { Case } from './case.js';

const own = 'nameserver 192.0.2.53\n';
/** A link that a package like resolvconf leaves. */
const link = 'ln -sf ../run/resolvconf/resolv.conf /etc/resolv.conf';
const policy = '/usr/sbin/policy-rc.d';
const kept = '/etc/.resolv.conf.chrootfile-kept';
/** Says whether a file can be opened for writing; nothing is written. */
const opens = (file: string) => `if (: >> ${file}) 2>/dev/null; then echo allowed; else echo refused; fi`;

/** What scripts in a chroot do, that later work of the build and the host must survive. */
export const actCases: readonly Case[] = [
  ...of('mounts', [
    ['umount -a', { act: 'umount -a || true' }],
    ['umount -a -l', { act: 'umount -a -l || true' }],
    ['umount -l /', { act: 'umount -l / || true' }],
    ['umount /dev, /sys, /run, /proc', { act: 'umount -l /dev /sys /run /proc || true' }],
    ['the root made read-only', { act: 'mount -o remount,ro /  || true' }],
    ['the root made read-only, while a file is written', { act: 'sleep 300 > /open & mount -o remount,ro / || true' }],
    ['a tmpfs over /', { act: 'mount -t tmpfs over / || true', ends: 'well' }],
    ['a tmpfs over /etc', { act: 'mount -t tmpfs over /etc || true', ends: 'well' }],
    [
      'mounts that are left, one in the other',
      { act: 'mkdir /a; mount -t tmpfs a /a; mkdir /a/b; mount -t tmpfs b /a/b; mount --bind / /a/b; mount -t proc p /mnt 2>/dev/null || true', ends: 'well' },
    ],
    ['a bind mount at a file that is uploaded', { act: 'touch /opt/file.txt; mount --bind /etc/passwd /opt/file.txt', ends: 'well' }],
    ['shared mounts', { act: 'mount --make-rshared /; mkdir -p /a; mount -t tmpfs a /a', ends: 'well' }],
    ['/dev replaced', { act: 'mount -t tmpfs new /dev; mknod /dev/null c 1 3 || true', ends: 'well' }],
  ]),
  ...of('folders', [
    ['/etc swapped for a link to the host', { act: 'mv /etc /other; ln -s $CANARY/etc /etc' }],
    ['/etc swapped for another folder', { act: 'cp -a /etc /other; rm -r /etc; mv /other /etc' }],
    ['/usr/sbin swapped for a link to the host', { act: 'mv /usr/sbin /usr/other; ln -s $CANARY/usr/sbin /usr/sbin' }],
    ['rm -rf /etc', { act: 'rm -rf /etc' }],
    ['rm -rf /usr /var /opt /root', { act: 'rm -rf /usr /var /opt /root' }],
    ['rm -rf of everything', { act: '/bin/busybox rm -rf /* 2>/dev/null || true' }],
    ['/tmp, /etc and / for nobody', { act: 'chmod 000 /tmp /etc /', ends: 'well' }],
    ['/bin/sh removed', { act: 'rm /bin/sh', ends: /\/bin\/sh/ }],
    ['/opt swapped for a link to the host', { act: 'rmdir /opt; ln -s $CANARY/opt /opt' }],
    ['the working folder removed', { act: 'mkdir /w; cd /w; rmdir /w', ends: 'well' }],
  ]),
  ...of('/etc/resolv.conf and policy-rc.d', [
    ['replaced by a link', { act: link, ends: 'well', image: { '/etc/resolv.conf': '-> ../run/resolvconf/resolv.conf' } }],
    ['names resolve after it was replaced by a link', { act: link, after: 'grep -q nameserver /etc/resolv.conf', ends: 'well' }],
    [
      'replaced by a dangling link to a folder that is missing',
      { act: 'ln -sf ../run/a/b/c/resolv.conf /etc/resolv.conf', after: 'grep -q nameserver /etc/resolv.conf', ends: 'well' },
    ],
    [
      'replaced by a link to the host',
      { act: 'ln -sf $CANARY/resolv.conf /etc/resolv.conf', ends: 'well', image: { '/etc/resolv.conf': '-> /run/canary/resolv.conf' } },
    ],
    ['replaced by a file', { act: 'echo new > /etc/n; mv /etc/n /etc/resolv.conf', after: 'true', ends: 'well', image: { '/etc/resolv.conf': 'new\n' } }],
    ['removed', { act: 'rm /etc/resolv.conf', after: 'true', ends: 'well', image: { '/etc/resolv.conf': null } }],
    ['names resolve after it was removed', { act: 'rm /etc/resolv.conf', after: 'grep -q nameserver /etc/resolv.conf', ends: 'well' }],
    ['written into', { act: 'echo more >> /etc/resolv.conf', ends: 'well', warns: /resolv\.conf/, image: { '/etc/resolv.conf': own } }],
    ['left alone', { act: 'true', ends: 'well', image: { '/etc/resolv.conf': own, [policy]: null } }],
    ['replaced by a folder', { act: 'rm /etc/resolv.conf; mkdir /etc/resolv.conf' }],
    ['immutable', { act: '$TOOLS flag /etc/resolv.conf i' }],
    ['in an immutable folder', { act: '$TOOLS flag /etc i' }],
    ['what was kept of it removed', { act: `rm -f ${kept}`, image: { '/etc/resolv.conf': /^(?!.*10\.255)/ } }],
    ['what was kept of it replaced by a folder', { act: `rm -f ${kept}; mkdir ${kept}` }],
    ['a policy-rc.d of its own', { act: `echo own > /p; mv /p ${policy}`, ends: 'well', image: { [policy]: 'own\n' } }],
    ['policy-rc.d written into', { act: `echo '# more' >> ${policy}`, ends: 'well', image: { [policy]: null } }],
    ['policy-rc.d removed', { act: `rm ${policy}`, ends: 'well', image: { [policy]: null } }],
    ['policy-rc.d is a folder', { act: `rm ${policy}; mkdir ${policy}` }],
  ]),
  ...of('processes', [
    ['kill -9 -1', { act: 'sleep 100 & kill -9 -1 || true' }],
    ['300 processes at once', { act: 'for i in $(seq 300); do sleep 300 & done', ends: 'well' }],
    ['a daemon that is left', { act: 'sleep 300 > /dev/null 2>&1 &', ends: 'well' }],
    ['a daemon in a session of its own', { act: '(setsid sh -c "sleep 300 & sleep 300" &) > /dev/null 2>&1', ends: 'well' }],
    ['a daemon that ignores TERM and HUP', { act: '(trap "" TERM HUP INT; sleep 300) > /dev/null 2>&1 & true', ends: 'well' }],
    ['a daemon that holds the output', { act: 'sleep 300 &', ends: 'well' }],
    ['a daemon whose working folder is in the image', { act: 'cd /opt; sleep 300 < /etc/passwd > /busy 2>&1 &', ends: 'well' }],
    ['a stopped process that is left', { act: 'sleep 300 & kill -STOP $!', ends: 'well' }],
    ['a script that stops itself', { act: 'kill -STOP $$', keys: 'timeout: 2s', ends: /time|longer/ }],
    ['a script that ignores TERM', { act: 'trap "" TERM INT HUP; while :; do sleep 1; done', keys: 'timeout: 2s', ends: /time|longer/ }],
    ['a script that kills its parent', { act: 'kill -9 $PPID; sleep 1' }],
    ['a script that kills itself', { act: 'kill -9 $$', ends: /exit code|SIGKILL|killed/ }],
    ['a script that goes into namespaces of its own', { act: 'unshare -m -p -f sh -c "mount -t tmpfs x /opt; sleep 300 &" > /dev/null || true', ends: 'well' }],
  ]),
  ...of('the kernel and the host', [
    ['/proc/sys', { act: opens('/proc/sys/kernel/panic'), ends: 'well', log: /refused/ }],
    ['/proc/sysrq-trigger', { act: opens('/proc/sysrq-trigger'), ends: 'well', log: /refused/ }],
    ['the host name', { act: 'hostname evil; hostname', ends: 'well' }],
    ['the domain name, by /proc', { act: 'echo evil > /proc/sys/kernel/domainname || true', ends: 'well' }],
    ['the clock', { act: '$TOOLS clock', ends: 'well', log: /refused/ }],
    ['a module', { act: '$TOOLS module', ends: 'well', log: /refused/ }],
    ['the log of the kernel', { act: '$TOOLS syslog', ends: 'well', log: /refused/ }],
    ['/dev/mem', { act: 'mknod /mem c 1 1; $TOOLS open /mem', ends: 'well', log: /refused/ }],
    ['ip link set lo down', { act: 'ip link set lo down || true', ends: 'well' }],
    ['a shared memory segment’s limit', { act: 'echo 1 > /proc/sys/kernel/shmmax || true', ends: 'well' }],
    ['the name of the host is not the image’s', { act: 'hostname', ends: 'well', log: /^(image|localhost)$/m }],
    ['chroot("x") and up', { act: '$TOOLS escape $CANARY/escaped || true', ends: 'well' }],
    ['chroot("x") and up, once / is unmounted', { act: 'umount -l /; $TOOLS escape $CANARY/escaped || true', ends: 'well' }],
    ['/.. and a mount namespace of its own', { act: 'unshare -m sh -c "umount -l /; cd /..; cd ..; echo escaped > .$CANARY/escaped" || true', ends: 'well' }],
    ['/proc/1/root', { act: 'echo escaped > /proc/1/root$CANARY/escaped || true', ends: 'well' }],
    ['a node in /dev', { act: 'touch /dev/hostile; mknod /dev/hostile-disk b 7 0', ends: 'well' }],
    ['a mount from /proc/1/root', { act: 'mkdir /h; mount --bind /proc/1/root /h && echo escaped > /h$CANARY/escaped || true', ends: 'well' }],
  ]),
  ...of('disk, limits and output', [
    ['the disk filled', { act: 'dd if=/dev/zero of=/fill bs=1M || true' }],
    [
      '/run and /dev/shm filled with 64 MB',
      { act: 'dd if=/dev/zero of=/run/fill bs=1M count=64; dd if=/dev/zero of=/dev/shm/fill bs=1M count=64', ends: 'well' },
    ],
    ['limits of zero', { act: 'ulimit -f 0; ulimit -n 3; ulimit -c 0', ends: 'well' }],
    ['all files closed', { act: 'exec 0<&- 1>&- 2>&- 3>&- 4>&- 5>&- || true', ends: 'well' }],
    ['an output without a name', { act: 'echo garbage >> $CHROOTFILE_OUTPUT', ends: /name=value/ }],
    ['outputs of bytes', { act: 'head -c 100000 /dev/urandom > $CHROOTFILE_OUTPUT', ends: /name=value|output/ }],
    ['outputs replaced by a fifo', { act: 'rm -f $CHROOTFILE_OUTPUT; mkfifo $CHROOTFILE_OUTPUT' }],
    ['outputs replaced by a link to the host', { act: 'ln -sf $CANARY/passwd $CHROOTFILE_OUTPUT' }],
    ['outputs of 100 MB', { act: 'yes name=value | head -c 100000000 > $CHROOTFILE_OUTPUT' }],
    ['100 MB without a newline', { act: '$TOOLS line 100000000', ends: 'well' }],
    ['output of bytes', { act: 'head -c 1000000 /dev/urandom', ends: 'well' }],
    ['escapes for the terminal', { act: `printf '\\033]0;title\\007\\033[2J\\033]52;c;aGk=\\007\\n'; exit 3`, ends: /exit code 3/, terminal: true }],
    ['exit code 255', { act: 'exit 255', ends: /255/ }],
    ['the file of the script removed', { act: 'rm -f /dev/fd/3 /proc/self/fd/3 || true', ends: 'well' }],
  ]),
];

function of(sort: string, rows: readonly (readonly [name: string, more: Partial<Case>])[]): Case[] {
  return rows.map(([name, more]) => ({ part: 'acts', sort, name: `${sort}: ${name}`, ...more }));
}
