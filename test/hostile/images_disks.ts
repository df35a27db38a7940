import type { Case } from './case.js';

/** One partition with a system. */
const partitioned = partitions('gpt', 1);
const twice = partitions('gpt', 2);

/** Files, programs and file systems of an image that are hostile, and disks without a system. */
export const diskCases: readonly Case[] = [
  ...of('/bin/sh', [
    ['missing', { make: 'rm bin/sh', ends: /\/bin\/sh/ }],
    ['not executable', { make: 'cp --remove-destination bin/busybox bin/sh; chmod 644 bin/sh', ends: /\/bin\/sh/ }],
    [
      'of another architecture',
      { make: `cp --remove-destination bin/busybox bin/sh; printf '\\267' | dd of=bin/sh bs=1 seek=18 conv=notrunc status=none`, ends: /\/bin\/sh/ },
    ],
    ['a script that is its own interpreter', { make: `rm bin/sh; printf '#!/bin/sh\\n' > bin/sh; chmod 755 bin/sh`, ends: /\/bin\/sh/ }],
    ['a link to a program of the host', { make: 'ln -sf $CANARY/sbin/ls bin/sh', ends: /\/bin\/sh/ }],
    ['empty', { make: 'rm bin/sh; : > bin/sh; chmod 755 bin/sh', ends: /\/bin\/sh|Exec format/ }],
    ['a folder', { make: 'rm bin/sh; mkdir bin/sh', ends: /\/bin\/sh/ }],
  ]),
  ...of('files', [
    ['set-uid and set-gid programs', { make: 'cp --remove-destination bin/busybox bin/su; chmod 6755 bin/su', ends: 'well' }],
    ['immutable files', { make: 'echo x > opt/fixed; $TOOLS flag opt/fixed i; $TOOLS flag var i', ends: 'well' }],
    ['names with a newline, latin-1, and -rf', { make: `touch -- -rf "$(printf 'a\\nb')" "$(printf 'caf\\351')" '$(id)' '; id'`, ends: 'well' }],
    ['extended attributes', { make: '$TOOLS xattr etc/passwd user.note "x"; $TOOLS xattr bin/busybox trusted.note y', ends: 'well' }],
    ['1,000 folders, each in the other', { make: `d=deep; mkdir deep; (cd deep; for i in $(seq 1000); do mkdir x; cd -P x; done)`, ends: 'well' }],
    ['a file of 1 TiB with holes', { make: 'truncate -s 1T huge', ends: 'well' }],
    ['an ld.so.preload', { make: `echo $CANARY/evil.so > etc/ld.so.preload`, ends: 'well' }],
    [
      'traps in place of mount, umount, unshare, setpriv, cat',
      {
        make: `for p in mount umount unshare setpriv chroot pivot_root cat env; do mkdir -p usr/local/sbin; printf '#!/bin/sh\\necho trap >> /trap\\nexit 1\\n' > usr/local/sbin/$p; chmod 755 usr/local/sbin/$p; done`,
        act: 'echo built > /built',
        ends: 'well',
        image: { '/trap': null },
      },
    ],
    ['a profile and an rc file with traps', { make: `echo 'exit 3' | tee etc/profile root/.profile root/.bashrc root/.ashrc > /dev/null`, ends: 'well' }],
    ['access for nobody', { make: 'chmod 000 etc tmp var root opt usr; chmod 700 .', ends: 'well' }],
    ['owners that the host lacks', { make: 'chown -Rh 4000000000:4000000000 etc opt usr', ends: 'well' }],
  ]),
  ...of('file systems', [
    ['xfs', { type: 'xfs', make: 'true', ends: 'well' }],
    ['btrfs', { type: 'btrfs', make: 'true', ends: 'well' }],
    ['xfs with a link for /etc/resolv.conf', { type: 'xfs', make: 'ln -sf $CANARY/resolv.conf etc/resolv.conf', ends: 'well' }],
    ['btrfs with a folder at /etc/resolv.conf', { type: 'btrfs', make: 'rm etc/resolv.conf; mkdir etc/resolv.conf' }],
    ['full', { make: 'for size in 1M 4k 1; do dd if=/dev/zero of=fill$size bs=$size status=none || true; sync; done', ends: /[Nn]o space|ENOSPC|full/ }],
    [
      'without free inodes',
      { make: 'mkdir full; cd full; i=0; while touch f$i; do i=$((i + 1)); done 2>/dev/null', disk: plain('-N 600'), ends: /[Nn]o space|ENOSPC|full/ },
    ],
    ['read-only by a feature of ext4', { disk: `${plain()}\numount root\ntune2fs -O read-only $DISK`, ends: /read-only/i }],
    [
      'errors=panic',
      { disk: `${plain()}\numount root\ntune2fs -e panic $DISK`, act: 'grep " / " /proc/mounts; echo built > /built', ends: 'well', log: /errors=remount-ro/ },
    ],
    ['a label with quotes and blanks', { disk: plain(`-L 'a"b $(id)'`), ends: 'well' }],
    ['a label with a newline and escapes', { disk: plain(`-L "$(printf 'a\\nb\\033[2J')"`), ends: 'well' }],
    [
      'larger than its disk',
      { disk: `truncate -s 2G big; ${plain('', 'big', 'loop')}\numount root; dd if=big of=$DISK bs=1M count=900 status=none`, ends: /./ },
    ],
    [
      'a superblock of garbage',
      { disk: 'mkfs.ext4 -q $DISK; dd if=/dev/urandom of=$DISK bs=1k seek=1 count=1 conv=notrunc status=none', ends: /no root file system|file system/ },
    ],
    ['with options of mount that do not exist', { disk: `${plain()}\numount root\ntune2fs -E mount_opts=evil=1 $DISK` }],
  ]),
  ...of('disks', [
    ['zeros', { disk: 'true', ends: /file system/ }],
    ['noise', { disk: 'dd if=/dev/urandom of=$DISK bs=1M count=16 status=none', ends: /file system/ }],
    ['swap', { disk: 'mkswap $DISK', ends: /file system|swap/ }],
    ['an empty GPT', { disk: 'echo label: gpt | sfdisk -q --no-reread --no-tell-kernel $DISK', ends: /file system|partition/ }],
    ['a GPT with a damaged first header', { disk: `${partitioned}\ndd if=/dev/urandom of=$DISK bs=512 seek=1 count=1 conv=notrunc status=none` }],
    ['a GPT with a damaged second header', { disk: `${partitioned}\ndd if=/dev/urandom of=$DISK bs=512 seek=2097151 count=1 conv=notrunc status=none` }],
    [
      'an MBR whose partition ends beyond the disk',
      { disk: `${partitions('dos', 1)}\nprintf '\\377\\377\\377\\177' | dd of=$DISK bs=1 seek=458 conv=notrunc status=none` },
    ],
    ['two systems', { disk: twice, ends: /partition/ }],
    ['two systems, one of them named', { disk: twice, with: 'partition: 2', ends: 'well' }],
    ['two systems with the same UUID', { disk: `${twice}\ndd if=$(part 1) of=$(part 2) bs=1M status=none`, with: 'partition: 1', ends: 'well' }],
    [
      '100 partitions',
      {
        disk: `{ echo label: gpt; for i in $(seq 100); do echo ', 1MiB'; done; } | sfdisk -q --no-reread --no-tell-kernel $DISK`,
        ends: /file system|partition/,
      },
    ],
    [
      'names of partitions with quotes and escapes',
      { disk: `${partitioned}\nsfdisk -q --no-reread --no-tell-kernel --part-label $DISK 1 '"; $(id)'`, ends: 'well' },
    ],
  ]),
];

/** A disk with one file system and no partitions, its root mounted at `root`. */
function plain(options = '', disk = '$DISK', mount = ''): string {
  return `mkfs.ext4 -q -F ${options} ${disk}; mount ${mount === '' ? '' : `-o ${mount} `}${disk} root; fill root`;
}

function partitions(label: string, count: number): string {
  const table = [`label: ${label}`, ...Array.from({ length: count }, () => ', 400MiB, L')].join('\\n');
  const each = Array.from({ length: count }, (_, i) => `mkfs.ext4 -q $(part ${i + 1}); mount $(part ${i + 1}) root; fill root; umount root`);
  return [`printf '${table}\\n' | sfdisk -q --no-reread --no-tell-kernel $DISK; partx --update $DISK`, ...each].join('\n');
}

function of(sort: string, rows: readonly (readonly [name: string, more: Partial<Case>])[]): Case[] {
  return rows.map(([name, more]) => ({ part: 'images', sort, name: `${sort}: ${name}`, ...more }));
}
