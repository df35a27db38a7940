import { type Chain, makesDisk } from '../../dsl/plan/chains.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { ChainKeys } from './chain_keys.js';
import type { Layer, LayerTask } from './layer_records.js';
import type { Making } from './making.js';

/** A chain in this run. */
export interface OpenChain {
  readonly chain: Chain;
  /** Of its first tasks: what each is made from, and the key of the content after it. */
  readonly keys: ChainKeys['keys'];
  /** The keys of the tasks that look for something on its volumes. */
  readonly looks: ChainKeys['looks'];
  /** What they found, in this run and in those of the layer: their outputs, by key. */
  readonly found: Record<string, Readonly<Record<string, unknown>>>;
  /** The layer from which its volumes are made. */
  readonly restored: Layer | undefined;
  /** The tasks that ended in this run, and those of the layer. */
  readonly tasks: LayerTask[];
  readonly making: Making;
  /** Seconds of work since the last layer. */
  since: number;
  /** The last layer: how many tasks it has, and its snapshots. */
  last: { readonly tasks: number; readonly snapshots: Layer['snapshots'] };
  /** Why the last layer could not be made. */
  warned?: string;
  /** Why what is on the volumes is not what the keys say, e.g. a task failed. No more layers are made. */
  broken?: string;
}

/** A volume of a chain that was made already. */
export interface ChainVolume {
  readonly task: LinkedTask;
  readonly key: string;
  /** How many members of the chain come up to the last one that uses it. */
  readonly end: number;
}

/** The volumes that were made so far. */
export function madeVolumes({ chain: { members }, tasks }: OpenChain): ChainVolume[] {
  return members.slice(0, tasks.length).flatMap((task, i) => {
    if (!makesDisk(task)) return [];
    return { task, key: tasks[i]?.key ?? '', end: members.findLastIndex((each) => each === task || each.uses.has(task.id)) + 1 };
  });
}
