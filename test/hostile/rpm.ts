import type { Case } from './case.js';

const zypper = 'zypper --non-interactive';

const rows: readonly (readonly [name: string, act: string, more?: Partial<Case>])[] = [
  [
    '%pre, %post and %posttrans run in order',
    'dnf install order-1; dnf upgrade order; dnf remove order; cat /var/log/order',
    { image: { '/var/log/order': 'pre 1\npost 1\nposttrans 1\npre 2\npost 2\npreun 1\npostun 1\nposttrans 2\npreun 0\npostun 0\n' } },
  ],
  [
    'capabilities and set-uid bits',
    'dnf install capabilities; getcap /usr/bin/capable | grep cap_net_bind_service,cap_net_raw=ep; [ $(stat -c %a /usr/bin/privileged) = 4755 ]; rpm -V capabilities',
  ],
  ['hard links', 'dnf install links; [ $(stat -c %h /opt/links/one) = 2 ]; [ /opt/links/one -ef /opt/links/two ]; rpm -V links'],
  [
    'a configuration file that was changed is kept',
    'dnf install settings-1; echo mine > /etc/settings.conf; dnf upgrade settings; ls /etc/settings.conf.rpmnew',
    { image: { '/etc/settings.conf': 'mine\n' } },
  ],
  ['a service, by systemctl in %post and %preun', 'dnf install service; systemctl is-enabled hostile; dnf remove service'],
  ['an account, by useradd in %pre', 'dnf install account; [ "$(stat -c %U /var/lib/account)" = account ]'],
  [
    '%posttrans that makes /etc/resolv.conf a link',
    'dnf install resolver',
    { after: 'getent hosts deb.debian.org', image: { '/etc/resolv.conf': '-> ../run/resolver/resolv.conf' } },
  ],
  ['%post that leaves a daemon', 'dnf install daemon'],
  ['%pre that fails', 'dnf install failing', { ends: /exit code 1/ }],
  ['a script in Lua', 'dnf install lua', { image: { '/opt/from-lua': 'lua\n' } }],
  ['a trigger on files', 'dnf install triggering; dnf install links; grep /opt/links/one /var/log/triggered'],
  ['3,000 files and one with holes', 'dnf install large; rpm -V large'],
  [
    'the order of scripts, by zypper',
    `${zypper} install order=1; ${zypper} update order; ${zypper} remove order`,
    { image: { '/var/log/order': /^pre 1\npost 1\nposttrans 1\npre 2\npost 2\n/ } },
  ],
  [
    'capabilities and hard links, by zypper',
    `${zypper} install capabilities links; getcap /usr/bin/capable | grep cap_net_raw; [ $(stat -c %h /opt/links/one) = 2 ]`,
  ],
  ['a root inside the image, by dnf --installroot', 'mkdir -p /inner; dnf --installroot=/inner install links lua; ls /inner/opt/links/one'],
  ['history and undo of dnf', 'dnf install links; dnf history undo last; if rpm -q links; then exit 1; fi'],
  [
    'cleanup.yml, its dnf half',
    'dnf makecache; dnf install links; ls /var/cache/dnf/*/repodata',
    { cleanup: true, after: 'set -eux; if ls /var/cache/dnf/*/repodata; then exit 1; fi; rpm -q links; dnf install lua', image: { '/opt/from-lua': 'lua\n' } },
  ],
];

/** Installs of RPMs from a local repository, by dnf, zypper and rpm. */
export const rpmCases: readonly Case[] = rows.map(([name, act, more]) => {
  const sort = act.includes(zypper) ? 'RPMs by zypper' : 'RPMs by dnf';
  return { part: 'rpm', sort, name, act: `set -eux\n${act}`, ends: 'well', limit: 600, ...more };
});
