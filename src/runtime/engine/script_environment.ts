import { systemPath } from '../../linux/command.js';

/** The only variables of the host that scripts inside an image get: they may need a proxy to reach the network. */
const proxies = ['http_proxy', 'https_proxy', 'no_proxy'];
/** With SYSTEMD_OFFLINE, systemctl does nothing and succeeds when it would otherwise ask a running systemd. Source: systemd, docs/ENVIRONMENT.md. */
const insideImages = { PATH: systemPath, HOME: '/root', LANG: 'C.UTF-8', SYSTEMD_OFFLINE: '1' };

/** The environment of every script. @param program the environment of chrootfile. */
export function baseEnvironment(program: Readonly<Record<string, string | undefined>>, inChroot: boolean): Record<string, string> {
  if (!inChroot) return definedOf(program);
  return definedOf({ ...insideImages, TERM: program['TERM'] ?? 'dumb', ...Object.fromEntries(proxies.map((name) => [name, program[name]])) });
}

/** The entries of a map that have a value. */
export function definedOf(map: Readonly<Record<string, string | null | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== undefined));
}
