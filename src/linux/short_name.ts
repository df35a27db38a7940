import { createHash } from 'node:crypto';

/** Bytes a name may have in a folder, less what is put behind it (`.log`, `.lock.PID-…`). Source: limits.h, NAME_MAX 255. */
const longestName = 180;

/** A name that is short enough to be a file's; a long one ends in a hash of all of it, so that no two share one. */
export function shortName(name: string): string {
  if (Buffer.byteLength(name) <= longestName) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `${name.replace(/[^ -~]/g, '_').slice(0, longestName - hash.length - 1)}~${hash}`;
}
