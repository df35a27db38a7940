import type { Case } from './case.js';

/** After each: the name of the host that builds is nowhere in the image. */
const nameless =
  "if grep -rIl --exclude-dir=proc build-host /etc /var /root /home /opt 2>/dev/null; then echo 'the name of the host is in the image'; exit 1; fi";

/** Installs of Debian's packages, and scripts as people provision images with. They run as with `set -eux`. */
export const debianCases: readonly Case[] = [
  ...of('services', [
    ['nginx-light', `${install('nginx-light procps')}; nginx -t; ${mustFail('pgrep nginx')}`],
    ['postfix and ssl-cert', `${install('postfix ssl-cert')}; openssl x509 -in /etc/ssl/certs/ssl-cert-snakeoil.pem -noout -subject; postconf myhostname`],
    ['openssh-server', `${install('openssh-server')}; ls /etc/ssh/ssh_host_ed25519_key; cat /etc/ssh/*.pub; mkdir -p /run/sshd; sshd -t`],
    ['dbus and cron', `${install('dbus cron')}; dbus-uuidgen --ensure; echo '0 0 * * * true' | crontab -`],
    [
      'postgresql, started and stopped by hand',
      `${install('postgresql')}; cluster='pg_ctlcluster 15 main'; su postgres -c "$cluster start"; su postgres -c "psql -c 'select 1'"; su postgres -c "$cluster stop"`,
    ],
    ['rpcbind and nfs-common', `${install('rpcbind nfs-common')}`],
    ['cloud-init', `${install('cloud-init')}; cloud-init clean --logs`],
  ]),
  ...of('systemd', [
    [
      'systemctl daemon-reload, start, restart, reload, stop',
      `${install('systemd cron')}; systemctl daemon-reload; systemctl start cron; systemctl restart cron; systemctl reload cron; systemctl stop cron`,
    ],
    [
      'systemctl enable, disable, mask of a unit of its own',
      `${install('systemd')}; printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' > /lib/systemd/system/x.service; systemctl daemon-reload; systemctl enable x; systemctl is-enabled x; systemctl disable x; systemctl mask x`,
    ],
    [
      'systemd-sysv, tmpfiles, sysusers and a machine id',
      `${install('systemd-sysv')}; systemd-tmpfiles --create || true; systemd-sysusers; systemd-machine-id-setup`,
    ],
    ['systemd-resolved', `${install('systemd-resolved')}; ls -l /etc/resolv.conf`, { image: { '/etc/resolv.conf': /^->/ } }],
    [
      'ischroot and systemd-detect-virt --chroot, whatever they print',
      `${install('systemd')}; ischroot || echo "ischroot: $?"; systemd-detect-virt --chroot || echo "detect-virt: $?"`,
    ],
    ['udev', `${install('udev')}; udevadm --version; udevadm control --reload || true`],
  ]),
  ...of('names and the host', [
    ['resolvconf', install('resolvconf'), { after: 'getent hosts deb.debian.org', image: { '/etc/resolv.conf': /^->/ } }],
    ['resolvconf, and packages after it', install('resolvconf'), { after: `set -eux; apt-get update; ${install('nano')}` }],
    ['sudo without "unable to resolve host"', `${install('sudo')}; sudo -n true 2>&1 | tee /said; ${mustFail('grep resolve /said')}`],
    ['hostname and FQDN', `${install('hostname')}; [ "$(hostname)" = image ]; hostname --fqdn`],
    ['hostname set by a script', 'echo other > /etc/hostname; hostname -F /etc/hostname 2>/dev/null || true', { image: { '/etc/hostname': 'other\n' } }],
    [
      'sysctl settings',
      `${install('procps')}; echo 'vm.swappiness = 10' > /etc/sysctl.d/x.conf; ${mustFail('sysctl -w kernel.panic=$(cat /proc/sys/kernel/panic)')}`,
    ],
  ]),
  ...of('packages', [
    [
      'a kernel and its initramfs',
      `${install('linux-image-cloud-amd64 initramfs-tools')}; ls /boot/initrd.img-* /boot/vmlinuz-*; update-initramfs -u; lsinitramfs /boot/initrd.img-* > /list; grep -c "[.]ko" /list`,
    ],
    ['ca-certificates', `${install('ca-certificates')}; update-ca-certificates; ls /etc/ssl/certs/ca-certificates.crt`],
    ['locales', `${install('locales')}; echo 'de_DE.UTF-8 UTF-8' > /etc/locale.gen; locale-gen; locale -a | grep de_DE`],
    ['tzdata', `ln -sf /usr/share/zoneinfo/Europe/Berlin /etc/localtime; ${install('tzdata')}; dpkg-reconfigure tzdata`],
    ['update-alternatives', `${install('nano vim-tiny')}; update-alternatives --set editor /usr/bin/vim.tiny; readlink /etc/alternatives/editor | grep vim`],
    ['iptables by update-alternatives', `${install('iptables')}; update-alternatives --set iptables /usr/sbin/iptables-legacy`],
    ['ping with its capabilities', `${install('iputils-ping libcap2-bin')}; getcap /usr/bin/ping | grep cap_net_raw`],
    ['man-db and its triggers', `${install('man-db nano')}; man -k nano`],
    [
      'gnupg, with an agent that stays',
      `${install('gnupg')}; gpg --batch --passphrase '' --quick-gen-key x@example.com; gpg --list-secret-keys; gpg-agent --daemon || true`,
    ],
    [
      'python3 and a virtual environment',
      `${install('python3 python3-venv')}; python3 -m venv /opt/env; /opt/env/bin/python -c 'import multiprocessing as m; m.Lock(); print(m.cpu_count())'`,
    ],
    ['fuse, lvm2 and mdadm', `${install('fuse3 lvm2 mdadm')}`],
    [
      'a package from a local file, with a diversion',
      `mkdir -p /p/DEBIAN; printf 'Package: local\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.com>\\nDescription: x\\n' > /p/DEBIAN/control; dpkg-deb --build /p /local.deb; dpkg-divert --rename --add /usr/bin/tac; ${install('/local.deb')}`,
    ],
    ['a whole upgrade, and removal with purge', `apt-get -y dist-upgrade; ${install('cron')}; apt-get -y purge cron; apt-get -y autoremove`],
    ['users, groups and passwords', `useradd -m -s /bin/bash op; groupadd ops; usermod -aG ops op; echo op:secret | chpasswd; su op -c id; chage -d 0 op`],
  ]),
  // Equivalents of our own of the update and cleanup scripts that public repositories of image templates have.
  ...of('scripts like those of public image repositories', [
    [
      'update: timers stopped and masked, packages upgraded',
      `${install('systemd')}; for unit in apt-daily.timer apt-daily-upgrade.timer; do systemctl stop $unit; systemctl disable $unit; systemctl mask $unit; done; systemctl daemon-reload; echo 'APT::Periodic::Enable "0";' > /etc/apt/apt.conf.d/10periodic; apt-get -y purge unattended-upgrades || true; apt-get update; apt-get -y upgrade`,
    ],
    [
      'a user with a key, sudoers and sshd',
      `${install('openssh-server sudo systemd')}; useradd -m vagrant; mkdir -pm 700 ~vagrant/.ssh; echo key > ~vagrant/.ssh/authorized_keys; chown -R vagrant ~vagrant/.ssh; echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/vagrant; chmod 440 /etc/sudoers.d/vagrant; visudo -c; sed -i 's/^#UseDNS.*/UseDNS no/' /etc/ssh/sshd_config; systemctl restart ssh; su vagrant -c 'sudo -n id -u' | grep '^0$'`,
    ],
    [
      'cleanup: purged, logs and machine id emptied',
      `${install('nano man-db')}; dpkg --list | awk '{print $2}' | grep nano | xargs apt-get -y purge; apt-get -y autoremove; apt-get clean; rm -rf /usr/share/doc/*; find /var/cache -type f -exec rm -rf {} \\;; find /var/log -type f -exec truncate --size=0 {} \\;; truncate -s 0 /etc/machine-id; rm -rf /tmp/* /var/tmp/*; rm -f /root/.wget-hsts; export HISTSIZE=0`,
    ],
    [
      'minimize: the free room of the disk filled with zeros',
      `dd if=/dev/zero of=/EMPTY bs=1M count=300 || true; rm -f /EMPTY; sync; sync; blkid -o value -s TYPE $(findmnt -no SOURCE /) || true`,
    ],
  ]),
];

/** Not by `!`, after which `set -e` does nothing. */
function mustFail(command: string): string {
  return `if ${command}; then exit 1; fi`;
}

function install(packages: string): string {
  return `apt-get install -y --no-install-recommends ${packages}`;
}

function of(sort: string, rows: readonly (readonly [name: string, act: string, more?: Partial<Case>])[]): Case[] {
  return rows.map(([name, act, more]) => ({ part: 'debian', sort, name, act: `set -eux\n${act}`, after: nameless, ends: 'well', limit: 600, ...more }));
}
