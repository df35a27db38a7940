import { systemPath } from '../../linux/command.js';

/** What a script gets wherever it runs inside an image: nothing of the host but how to reach the network. */
const proxies = ['http_proxy', 'https_proxy', 'no_proxy'];
/** SYSTEMD_OFFLINE: systemctl does nothing where it would ask a running systemd, and succeeds. Source: systemd, docs/ENVIRONMENT.md. */
const insideImages = { PATH: systemPath, HOME: '/root', LANG: 'C.UTF-8', SYSTEMD_OFFLINE: '1' };
const defaultShell = ['/bin/sh', '-e'];

/** What every script has in its environment. @param program the program's own. */
export function baseEnvironment(program: Readonly<Record<string, string | undefined>>, inChroot: boolean): Record<string, string> {
  if (!inChroot) return definedOf(program);
  return definedOf({ ...insideImages, TERM: program['TERM'] ?? 'dumb', ...Object.fromEntries(proxies.map((name) => [name, program[name]])) });
}

/** Those entries of a map that have a value. */
export function definedOf(map: Readonly<Record<string, string | null | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== undefined));
}

/** The shell a task names, else the program (with at most one argument, as for the kernel) in the script's `#!` line. */
export function shellFor(named: readonly string[] | undefined, text: string): readonly string[] {
  if (named !== undefined) return named;
  const [, program, argument] = /^#![ \t]*(\S+)(?:[ \t]+(.*\S))?/.exec(text) ?? [];
  return program === undefined ? defaultShell : [program, ...(argument === undefined ? [] : [argument])];
}
