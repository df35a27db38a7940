import { readFileSync, readlinkSync } from 'node:fs';

/** This process, told apart from others in time and pid namespace, as a text that can be kept. */
export function thisMaker(): string {
  return `${boot()} ${readlinkSync('/proc/self/ns/pid')} ${process.pid} ${startOf(process.pid)}`;
}

/** Whether the process that was making something has died; one of another pid namespace cannot be asked and lives. */
export function hasDied(maker: string | undefined): boolean {
  if (maker === undefined) return false;
  const [booted, namespace, pid, start] = maker.split(' ');
  if (booted !== boot()) return true;
  return namespace === readlinkSync('/proc/self/ns/pid') && startOf(Number(pid)) !== start;
}

function boot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** When a process was started, in ticks since boot; undefined when there is none. Source: proc(5), stat, field 22. */
function startOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19];
  } catch {
    return undefined;
  }
}
