import { ownIdentity, type ProcessIdentity, stateOf } from '../linux/process_identity.js';

/** Identifies this process, even across reboots and pid namespaces, as text for records. */
export function thisMaker(): string {
  const { boot, pidNamespace, pid, started } = ownIdentity();
  return [boot, pidNamespace, pid, started].join(' ');
}

/** Whether a process, dead or alive, was started since the last boot. */
export function isSinceBoot(maker: string | undefined): boolean {
  return maker?.split(' ')[0] === ownIdentity().boot;
}

/** Whether the process that was creating something has died. A process in another pid namespace cannot be checked and counts as alive. */
export function hasDied(maker: string | undefined): boolean {
  if (maker === undefined) return false;
  const [boot = '', pidNamespace = '', pid, started = ''] = maker.split(' ');
  const identity: ProcessIdentity = { boot, pidNamespace, pid: Number(pid), started };
  return stateOf(identity) === 'dead';
}
