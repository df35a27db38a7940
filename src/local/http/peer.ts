import { readFileSync } from 'node:fs';
import { isIPv4, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';

/**
 * Whether root or the user of this process opened the other end of a local connection.
 * Source: proc_net_tcp in the kernel's documentation: an address is shown as the number that its bytes are in memory,
 * a port is not.
 */
export function isFromOwner({ remoteAddress, remotePort, localAddress, localPort }: Socket): boolean {
  const client = ends(remoteAddress, remotePort);
  const server = ends(localAddress, localPort);
  for (const table of ['tcp', 'tcp6']) {
    for (const line of tableOf(table)) {
      const [, local = '', remote = '', state, , , , uid, , inode] = line.trim().split(/\s+/);
      if (!client.includes(local) || !server.includes(remote)) continue;
      // A socket that no process has open any more is shown as root's.
      return state === established && inode !== '0' && (uid === '0' || Number(uid) === process.getuid?.());
    }
  }
  return false;
}

/** The client's address, if it is another machine's. */
export function otherMachine({ remoteAddress = '' }: Socket): string | undefined {
  const address = plain(remoteAddress);
  if (/^(127\.|::1$)/.test(address)) return undefined;
  const isOwn = Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === address));
  return isOwn ? undefined : address;
}

const established = '01';

function tableOf(name: string): string[] {
  try {
    return readFileSync(`/proc/net/${name}`, 'utf8').split('\n');
  } catch {
    // A kernel without IPv6 has no such table.
    return [];
  }
}

/** An end of a connection as shown in the tables. An IPv4 address is also shown in the form that IPv6 sockets use. */
function ends(address = '', port = 0): string[] {
  const bytes = plain(address).split('.').map(Number);
  if (!isIPv4(plain(address))) return [];
  const word = wordOf(bytes);
  const at = port.toString(16).toUpperCase().padStart(4, '0');
  return [`${word}:${at}`, `${'0'.repeat(16)}${wordOf([0, 0, 255, 255])}${word}:${at}`];
}

function wordOf(bytes: readonly number[]): string {
  return new Uint32Array(Uint8Array.from(bytes).buffer)[0]?.toString(16).toUpperCase().padStart(8, '0') ?? '';
}

/** Converts an IPv4 address in IPv6 form. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=[0-9.]+$)/, '');
}
