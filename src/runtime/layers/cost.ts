import { policy } from '../engine/policy.js';

/** What a layer takes to make. */
export interface LayerCost {
  readonly fixedMs: number;
  /** For each MiB in use: about 0 on a copy-on-write file system, elsewhere disks are copied. */
  readonly msPerMiB: number;
}

/** The cost as long as no layer was made. */
export const assumedCost: LayerCost = { fixedMs: policy.layerMs, msPerMiB: 0 };

/** The cost as one layer shows it. @param copyMs how much of the time its snapshots took. @param bytes in use on its volumes. */
export function costFrom(wholeMs: number, copyMs: number, bytes: number): LayerCost {
  // A copy-on-write file system needs some time too, and a copy of little says nothing about large ones.
  const forBytes = Math.max(0, copyMs - policy.layerMs);
  return { fixedMs: wholeMs - forBytes, msPerMiB: forBytes / Math.max(mib(bytes), policy.layerMeasuredMiB) };
}

/**
 * Whether to keep work in a layer. After the last task, an instant one is always made: images that are built again are
 * the same then. The first time, a copy may take a small part of the time of the work, since nobody may
 * ever repeat it. Work that is repeated will be repeated again.
 */
export function isWorthALayer(workMs: number, { fixedMs, msPerMiB }: LayerCost, { bytes, isRepeated, isLast }: Work): boolean {
  const copyMs = msPerMiB * mib(bytes);
  if (isLast && workMs > 0 && copyMs <= policy.layerMs) return true;
  return workMs > fixedMs + (isRepeated ? copyMs : copyMs * policy.layerCopyShare);
}

/** Work on volumes. */
interface Work {
  /** In use on the volumes. */
  readonly bytes: number;
  readonly isRepeated: boolean;
  /** Whether it ended with the last task. */
  readonly isLast: boolean;
}

function mib(bytes: number): number {
  return bytes / 2 ** 20;
}
