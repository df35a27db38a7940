import type { Case } from './case.js';

/** Which paths of an image are not what they should be. Links lead to the canary, which stands for files of the host. */
export const pathCases: readonly Case[] = [
  ...of('/etc/resolv.conf', [
    ['a folder', 'mkdir etc/resolv.conf'],
    ['a folder with files', 'mkdir etc/resolv.conf; echo x > etc/resolv.conf/x'],
    ['a fifo', 'mkfifo etc/resolv.conf', 'well'],
    ['a socket', '$TOOLS socket etc/resolv.conf', 'well'],
    ['a character device', 'mknod etc/resolv.conf c 1 5', 'well'],
    ['a disk of the host', 'mknod etc/resolv.conf b 7 0', 'well'],
    ['a link to a file of the host', 'ln -s $CANARY/resolv.conf etc/resolv.conf', 'well'],
    ['a link up and out', 'ln -s ../../../../../../../../../../../..$CANARY/resolv.conf etc/resolv.conf', 'well'],
    ['a dangling link', 'ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf', 'well'],
    ['a link to itself', 'ln -s resolv.conf etc/resolv.conf', 'well'],
    ['a circle of links', 'ln -s loop etc/resolv.conf; ln -s resolv.conf etc/loop', 'well'],
    ['a link through /proc/1/root', 'ln -s /proc/1/root$CANARY/resolv.conf etc/resolv.conf', 'well'],
    ['a hard link to passwd', 'ln etc/passwd etc/resolv.conf', 'well'],
    ['missing', 'true', 'well'],
    ['immutable', 'echo own > etc/resolv.conf; $TOOLS flag etc/resolv.conf i'],
    ['append-only', 'echo own > etc/resolv.conf; $TOOLS flag etc/resolv.conf a'],
    ['in an immutable folder', 'echo own > etc/resolv.conf; $TOOLS flag etc i'],
    ['kept by an older build', 'echo own > etc/resolv.conf; echo older > etc/.resolv.conf.chrootfile-kept'],
    ['kept by an older build, as a folder', 'echo own > etc/resolv.conf; mkdir etc/.resolv.conf.chrootfile-kept'],
  ]).map((one) => ({ ...one, make: `rm -f etc/resolv.conf\n${one.make}` })),
  ...of('/etc', [
    ['a link to a folder of the host', 'mv etc other; ln -s $CANARY/etc etc'],
    ['a link inside the image', 'mv etc other; ln -s other etc', 'well'],
    ['a file', 'rm -r etc; echo x > etc'],
    ['missing', 'rm -r etc'],
    ['a link to itself', 'rm -r etc; ln -s etc etc'],
    ['a fifo', 'rm -r etc; mkfifo etc'],
  ]),
  ...of('/usr/sbin and policy-rc.d', [
    ['a link to a folder of the host', 'rmdir usr/sbin; ln -s $CANARY/usr/sbin usr/sbin', 'well'],
    ['a link to /bin', 'rmdir usr/sbin; ln -s ../bin usr/sbin', 'well'],
    ['a file', 'rmdir usr/sbin; echo x > usr/sbin'],
    ['missing', 'rmdir usr/sbin', 'well'],
    ['a fifo', 'rmdir usr/sbin; mkfifo usr/sbin'],
    ['policy-rc.d is a folder', 'mkdir usr/sbin/policy-rc.d; echo x > usr/sbin/policy-rc.d/x'],
    ['policy-rc.d is a link to the host', 'ln -s $CANARY/passwd usr/sbin/policy-rc.d', 'well'],
    ['policy-rc.d is immutable', 'echo own > usr/sbin/policy-rc.d; $TOOLS flag usr/sbin/policy-rc.d i'],
  ]),
  ...of('/dev, /proc, /sys, /run, /tmp', [
    ...['dev', 'proc', 'sys', 'run', 'tmp'].flatMap((name): Row[] => [
      [`/${name} is a link to a folder of the host`, `rm -r ${name}; ln -s $CANARY/${name} ${name}`],
      [`/${name} is missing`, `rm -r ${name}`, name === 'proc' || name === 'tmp' ? undefined : 'well'],
      [`/${name} is a file`, `rm -r ${name}; echo x > ${name}`],
    ]),
    ['/dev is a fifo', 'rm -r dev; mkfifo dev'],
    ['/dev is full of nodes', 'for i in $(seq 200); do mknod dev/n$i b 7 $((i % 4)); done', 'well'],
    ['/dev/pts and /dev/shm are links to the host', `rm -rf dev/*; ln -s $CANARY/dev/pts dev/pts; ln -s $CANARY/dev/shm dev/shm`, 'well'],
    ['/run and /var/run lead to each other', 'rm -r run; ln -s var/run run; ln -s ../run var/run'],
    ['/proc leads out through itself', 'rm -r proc; ln -s /proc/1/root/proc proc'],
  ]),
  ...of('/etc/passwd and /etc/group', [
    ['a fifo', 'rm etc/passwd; mkfifo etc/passwd', /passwd/],
    ['/dev/zero', 'rm etc/passwd; mknod etc/passwd c 1 5', /passwd/],
    ['a disk of the host', 'rm etc/passwd; mknod etc/passwd b 7 0', /passwd/],
    ['1 GiB, sparse', 'truncate -s 1G etc/passwd', /passwd/],
    ['a link to the host', 'ln -sf $CANARY/passwd etc/passwd', /passwd|web/],
    ['a folder', 'rm etc/passwd; mkdir etc/passwd', /passwd/],
    ['missing', 'rm etc/passwd', /passwd|web/],
    ['one line of 20 MB', `head -c 20000000 /dev/zero | tr '\\0' x > etc/passwd`, /passwd|web/],
    ['bytes', 'head -c 4096 /dev/urandom > etc/passwd', /passwd|web/],
    ['group is a fifo', 'rm etc/group; mkfifo etc/group', /group/],
  ]),
  ...of('/etc/os-release, /etc/hostname, /etc/fstab', [
    ['os-release is a fifo', 'rm etc/os-release; mkfifo etc/os-release', 'well'],
    ['os-release is a link to the host', 'ln -sf $CANARY/etc/os-release etc/os-release', 'well'],
    ['os-release is /dev/zero', 'rm etc/os-release; mknod etc/os-release c 1 5', 'well'],
    ['hostname has a newline and escapes', `printf 'a\\nb\\033]0;title\\a$(id)' > etc/hostname`, 'well'],
    ['hostname has 10,000 characters', `head -c 10000 /dev/zero | tr '\\0' h > etc/hostname`, 'well'],
    ['hostname is a fifo', 'rm etc/hostname; mkfifo etc/hostname', 'well'],
    ['hostname is a folder', 'rm etc/hostname; mkdir etc/hostname', 'well'],
    ['hostname is /dev/zero', 'rm etc/hostname; mknod etc/hostname c 1 5', 'well'],
    ['hostname is a link to the host', 'ln -sf $CANARY/etc/hostname etc/hostname', 'well'],
    [
      'fstab names what is not the image’s',
      `printf '%s\\n' '/ /x none bind 0 0' '/dev/vda /y ext4 defaults 0 0' 'tmpfs /bin tmpfs defaults 0 0' 'host:/nfs /n nfs defaults 0 0' 'none none swap sw 0 0' 'LABEL=nothing /etc ext4 defaults 0 0' '/dev/root ../../..$CANARY/empty ext4 defaults 0 0' > etc/fstab`,
      'well',
    ],
    [
      'fstab has escapes and long lines',
      `{ printf 'UUID=\\033[2J /a\\\\040b ext4 defaults 0 0\\n'; head -c 300000 /dev/zero | tr '\\0' x; } > etc/fstab`,
      'well',
    ],
    ['fstab is a fifo', 'rm -f etc/fstab; mkfifo etc/fstab', 'well'],
    ['fstab is /dev/zero', 'rm -f etc/fstab; mknod etc/fstab c 1 5', 'well'],
    ['fstab is 1 GiB, sparse', 'rm -f etc/fstab; truncate -s 1G etc/fstab', 'well'],
    [
      'fstab mounts the root itself in a link to the host',
      'ln -s $CANARY/empty out; echo "UUID=$(blkid -s UUID -o value $DEVICE) /out ext4 defaults 0 0" > etc/fstab',
      'well',
    ],
  ]),
  ...of('/opt, where a file is uploaded', [
    ['a link to a folder of the host', 'rmdir opt; ln -s $CANARY/opt opt'],
    ['the file is a link to the host', 'ln -s $CANARY/file.txt opt/file.txt', 'well'],
    ['the file is a fifo', 'mkfifo opt/file.txt', 'well'],
    ['the file is a folder', 'mkdir opt/file.txt; echo x > opt/file.txt/x'],
    ['/opt is a file', 'rmdir opt; echo x > opt', /opt/],
  ]),
];

type Row = readonly [name: string, make: string, ends?: Case['ends'] | undefined];

function of(sort: string, rows: readonly Row[]): Case[] {
  return rows.map(([name, make, ends]) => ({ part: 'images', sort, name: `${sort}: ${name}`, make, ...(ends === undefined ? {} : { ends }) }));
}
