import { createHash } from 'node:crypto';

/** Maximum length in bytes of a file name, minus the longest suffix (`.log`, `.lock.PID-…`). Source: limits.h, NAME_MAX 255. */
const longestName = 180;

/** Shortens a name so that it fits a file name. A long name ends in a hash of the whole name, which keeps it unique. */
export function shortName(name: string): string {
  if (Buffer.byteLength(name) <= longestName) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `${name.replace(/[^ -~]/g, '_').slice(0, longestName - hash.length - 1)}~${hash}`;
}
