import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** This machine, which is the only instance there is. */
export const machine = {
  /** Its instance id, always the same. */
  instance: `i-0${createHash('sha256').update(machineId()).digest('hex').slice(0, 16)}`,
  /** EC2's name for its architecture. */
  architecture: process.arch === 'arm64' ? 'arm64' : 'x86_64',
  /** A type that EC2's own clients know. */
  type: process.arch === 'arm64' ? 't4g.nano' : 't3.nano',
} as const;

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim() || hostname();
  } catch {
    return hostname();
  }
}
