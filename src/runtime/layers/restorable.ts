import type { Ec2Opener } from '../../aws/client.js';
import { snapshotStates } from '../../aws/layer_snapshots.js';
import type { Chain } from '../../dsl/plan/chains.js';
import type { Recipe } from '../../dsl/recipe/types.js';
import type { TaskKey } from './chain_keys.js';
import type { Layer, LayerRecords, LayerTask } from './layer_records.js';

/** Which layer a run may start from, and why not from a later one. */
export interface Found {
  readonly layer: Layer | undefined;
  /** The reason why a later layer with the right key is not used. */
  readonly passed?: string | undefined;
}

/**
 * The layer with the longest beginning of a chain that a run may start from.
 * @param forced tasks that run in any case, unless they ran since `since`, a time in milliseconds.
 * @param onGone called for a layer whose snapshots do not exist any more.
 */
export async function restorable(
  { members }: Chain,
  keys: readonly TaskKey[],
  {
    records,
    recipe,
    opener,
    forced = new Set(),
    since = 0,
    onGone = () => {},
  }: {
    records: LayerRecords;
    recipe: Recipe;
    opener: Ec2Opener;
    forced?: ReadonlySet<string>;
    since?: number;
    onGone?: (key: string) => void;
  },
): Promise<Found> {
  let passed: string | undefined;
  for (let last = keys.length - 1; last >= 0; last -= 1) {
    const layer = records.read(keys[last]?.key ?? '');
    if (layer === undefined || layer.tasks.length !== last + 1) continue;
    // Another volume of this run may have run them meanwhile.
    if (layer.tasks.some((task, i) => forced.has(members[i]?.id ?? '') && begunAt(task) < since)) continue;
    const old = tooOld(layer, members, recipe);
    if (old !== undefined) {
      passed ??= old;
      continue;
    }
    const ids = Object.values(layer.snapshots);
    const states = await snapshotStates(await opener.disks(layer.region), ids);
    if (ids.every((id) => states.get(id) === 'completed')) return { layer, passed };
    const isComing = ids.every((id) => states.get(id) === 'completed' || states.get(id) === 'pending');
    passed ??= isComing ? 'the snapshot of its layer is not complete yet' : 'the snapshot of its layer was deleted';
    if (!isComing) onGone(layer.key);
  }
  return { layer: undefined, passed };
}

function begunAt({ ended, seconds }: LayerTask): number {
  return Date.parse(ended) - seconds * 1000;
}

/** Why a layer is too old: one of its tasks ran too long ago. */
function tooOld({ tasks }: Layer, members: Chain['members'], { cache }: Recipe): string | undefined {
  for (const [i, { ended }] of tasks.entries()) {
    const own = members[i]?.task.cache ?? members[i]?.module.recipe.cache;
    const most = (own || undefined)?.maxAgeMs ?? (cache || undefined)?.maxAgeMs;
    const age = Date.now() - Date.parse(ended);
    if (most !== undefined && age > most) return `"${members[i]?.id}" ran ${ageText(age)} ago; max_age is ${ageText(most)}`;
  }
  return undefined;
}

function ageText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}
