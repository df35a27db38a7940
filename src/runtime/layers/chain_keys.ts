import { type Chain, isOn, volumesOf } from '../../dsl/plan/chains.js';
import type { Cloud } from '../../dsl/recipe/types.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { type Ingredient, type IngredientSources, ingredientsOf, keyOf, Unkeyable } from './ingredients.js';
import { layerFormat } from './layer_records.js';

/** The key of the content of a chain's volumes after one of its tasks, and what the task is made from. */
export interface TaskKey {
  readonly key: string;
  readonly ingredients: readonly Ingredient[];
}

/** The keys of the first tasks of a chain, and why the next one has none. */
export interface ChainKeys {
  readonly keys: readonly TaskKey[];
  readonly end?: { readonly task: string; readonly reason: string } | undefined;
}

/**
 * The keys of the tasks of a chain, as far as they can be known before its first volume is made.
 * @param recorded the ingredients of a task when it last ran, for values that cannot be known now.
 */
export function chainKeys(
  { members, end }: Chain,
  { provider, endpoint, region, volumes: backend }: Pick<Cloud, 'provider' | 'endpoint' | 'region' | 'volumes'>,
  sources: Omit<IngredientSources, 'keys' | 'recorded' | 'handles' | 'isOnVolume'>,
  recorded: (task: string) => readonly Ingredient[] = () => [],
): ChainKeys {
  const known = new Map<string, string>();
  const handles = new Map<string, string>();
  const volumes = volumesOf({ members });
  const isOnVolume = (task: LinkedTask) => isOn(volumes, task);
  const keys: TaskKey[] = [];
  let before = JSON.stringify([layerFormat, provider, region ?? null, endpoint ?? null, ...(backend === 'direct' ? [backend] : [])]);
  for (const task of members) {
    try {
      const ingredients = ingredientsOf(task, { ...sources, keys: known, handles, isOnVolume, recorded: recorded(task.id) });
      before = keyOf(before, ingredients, sources.hashKey);
      known.set(task.id, before);
      keys.push({ key: before, ingredients });
    } catch (error) {
      if (!(error instanceof Unkeyable)) throw error;
      return { keys, end: { task: task.id, reason: error.message } };
    }
  }
  return { keys, end };
}
