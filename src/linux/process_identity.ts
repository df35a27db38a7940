import { readFileSync, readlinkSync } from 'node:fs';

/** Identifies a process, so that another process can check whether it is still alive. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start, because pids are reused. Source: proc(5), /proc/pid/stat field 22. */
  readonly started: string;
  readonly boot: string;
  readonly pidNamespace: string;
}

/** The identity of this process. */
export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid);
}

/** The identity of a process in this pid namespace. */
export function identityOf(pid: number): ProcessIdentity {
  return { pid, started: startTimeOf(pid) ?? '', boot: bootId(), pidNamespace: pidNamespace() };
}

/** Whether a process is alive; `unknown` when its pid namespace is not visible to this process. */
export function stateOf(identity: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (identity.boot !== bootId()) return 'dead';
  if (identity.pidNamespace !== pidNamespace()) return 'unknown';
  return startTimeOf(identity.pid) === identity.started ? 'alive' : 'dead';
}

/** When a process was started, in ticks since boot; undefined when it does not exist or is a zombie. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The kernel's id of this boot. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The kernel's name of this process's pid namespace. */
function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}
