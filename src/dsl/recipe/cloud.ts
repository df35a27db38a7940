import type { Cloud } from './types.js';

/** Whether the disks of volumes are in the embedded EC2: they are instant, cost nothing, and need no EC2 instance. */
export function hasLocalDisks({ provider, volumes }: Cloud): boolean {
  return provider === 'local' || volumes === 'direct';
}
