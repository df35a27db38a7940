import { ownIdentity, type ProcessIdentity, stateOf } from '../linux/process_identity.js';

/** This process, told apart from others in time and pid namespace, as a text that can be kept. */
export function thisMaker(): string {
  const { boot, pidNamespace, pid, started } = ownIdentity();
  return [boot, pidNamespace, pid, started].join(' ');
}

/** Whether a process, dead or alive, is one since this machine was started. */
export function isSinceBoot(maker: string | undefined): boolean {
  return maker?.split(' ')[0] === ownIdentity().boot;
}

/** Whether the process that was making something has died; one of another pid namespace cannot be asked and lives. */
export function hasDied(maker: string | undefined): boolean {
  if (maker === undefined) return false;
  const [boot = '', pidNamespace = '', pid, started = ''] = maker.split(' ');
  const identity: ProcessIdentity = { boot, pidNamespace, pid: Number(pid), started };
  return stateOf(identity) === 'dead';
}
