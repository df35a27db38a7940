import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';

/** This machine, the only instance of the embedded EC2. Its ids never change. */
export const machine = {
  /** Its instance id. */
  instance: named('i', ''),
  /** The image it was started from, and its root volume. Both exist only as ids. */
  image: named('ami', 'image of '),
  rootVolume: named('vol', 'root of '),
  rootDevice: '/dev/sda1',
  /** The network of the instance. It exists only as ids. */
  networkInterface: named('eni', 'interface of '),
  securityGroup: named('sg', 'group of '),
  subnet: named('subnet', 'subnet of '),
  vpc: named('vpc', 'vpc of '),
  /** EC2's name of its architecture. */
  architecture: process.arch === 'arm64' ? 'arm64' : 'x86_64',
  /** An instance type that EC2 clients know. */
  type: process.arch === 'arm64' ? 't4g.nano' : 't3.nano',
  bootMode: existsSync('/sys/firmware/efi') ? 'uefi' : 'legacy-bios',
} as const;

/** The size of its root file system in GiB. */
export function rootSizeGiB(): number {
  const { bsize, blocks } = statfsSync('/');
  return Math.ceil((bsize * blocks) / 2 ** 30);
}

/** When it was booted, as an ISO 8601 time. Source: proc(5), `btime`. */
export function launched(): string {
  const [, seconds = 0] = /^btime ([0-9]+)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
  return new Date(Number(seconds) * 1000).toISOString();
}

/** Its first address that other machines can reach, or else the loopback address. */
export function privateAddress(): string {
  return networkInterface().address;
}

/** Its first network interface with an address that other machines can reach, or else the loopback interface. `network`: the subnet, e.g. 10.0.0.0/24. */
export function networkInterface(): { readonly address: string; readonly mac: string; readonly network: string } {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const found = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
  const { address, netmask, mac } = found ?? { address: '127.0.0.1', netmask: '255.0.0.0', mac: '00:00:00:00:00:00' };
  return { address, mac, network: networkOf(address, netmask) };
}

function networkOf(address: string, netmask: string): string {
  const mask = netmask.split('.').map(Number);
  const first = address.split('.').map((part, i) => Number(part) & (mask[i] ?? 0));
  const bits = mask.map((part) => part.toString(2).replaceAll('0', '').length).reduce((sum, count) => sum + count, 0);
  return `${first.join('.')}/${bits}`;
}

function named(prefix: string, what: string): string {
  return `${prefix}-0${createHash('sha256').update(`${what}${machineId()}`).digest('hex').slice(0, 16)}`;
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim() || hostname();
  } catch {
    return hostname();
  }
}
