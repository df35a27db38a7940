import { readFileSync, readlinkSync } from 'node:fs';

/** Who a process is, so that another one can tell whether it still lives. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and its start: a pid alone is used again. Source: proc(5), /proc/pid/stat field 22. */
  readonly started: string;
  readonly boot: string;
  readonly pidNamespace: string;
}

/** The identity of this process. */
export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid);
}

/** The identity of a process of this pid namespace. */
export function identityOf(pid: number): ProcessIdentity {
  return { pid, started: startTimeOf(pid) ?? '', boot: bootId(), pidNamespace: pidNamespace() };
}

/** Whether a process lives; `unknown` when it belongs to a pid namespace that cannot be seen from here. */
export function stateOf(identity: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (identity.boot !== bootId()) return 'dead';
  if (identity.pidNamespace !== pidNamespace()) return 'unknown';
  return startTimeOf(identity.pid) === identity.started ? 'alive' : 'dead';
}

/** When a process was started, in ticks since boot; undefined when there is none, or only its exit code is left of it. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The id that the kernel gave to this boot. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The pid namespace of this process, as the kernel names it. */
function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}
