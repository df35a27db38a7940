import { type Chain, isOn, volumesOf } from '../../dsl/plan/chains.js';
import type { Cloud } from '../../dsl/recipe/types.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { handleKey, type Ingredient, type IngredientSources, ingredientsOf, keyOf, Unkeyable } from './ingredients.js';
import { layerFormat } from './layer_records.js';

/** The key of the content of a chain's volumes after one of its tasks, and what the task is made from. */
export interface TaskKey {
  readonly key: string;
  readonly ingredients: readonly Ingredient[];
}

/** The keys of the first tasks of a chain, and why the next one has none. */
export interface ChainKeys {
  readonly keys: readonly TaskKey[];
  /** Of tasks that look for something, by id: the same key means that they look in the same way at the same content. */
  readonly looks: ReadonlyMap<string, string>;
  readonly end?: { readonly task: string; readonly reason: string } | undefined;
}

/** Where the volumes are: no other place can use the layers. */
export interface Place extends Pick<Cloud, 'provider' | 'endpoint' | 'volumes'> {
  readonly region: string;
  /** The id of the account. */
  readonly account: string;
}

/**
 * The keys of the tasks of a chain, as far as they can be known before its first volume is made.
 * @param recorded the ingredients of a task when it last ran, for values that cannot be known now.
 */
export function chainKeys(
  { members, looks, end }: Chain,
  { provider, endpoint, region, account, volumes: backend }: Place,
  sources: Omit<IngredientSources, 'keys' | 'recorded' | 'handles' | 'isOnVolume'>,
  recorded: (task: string) => readonly Ingredient[] = () => [],
): ChainKeys {
  const known = new Map<string, string>();
  const volumes = volumesOf({ members });
  const isOnVolume = (task: LinkedTask) => isOn(volumes, task);
  const more = { ...sources, keys: known, handles: new Map<string, string>(), isOnVolume };
  const keys: TaskKey[] = [];
  const found = new Map<string, string>();
  let before = JSON.stringify([layerFormat, provider, region, endpoint ?? null, account, ...(backend === 'direct' ? [backend] : [])]);
  const look = (done: number) => {
    for (const { task } of looks.filter(({ after }) => after === done)) {
      const made = handleKey(task, { ...more, recorded: [] });
      if (made !== undefined) found.set(task.id, `${before} ${made}`);
    }
  };
  for (const task of members) {
    try {
      const ingredients = ingredientsOf(task, { ...more, recorded: recorded(task.id) });
      before = keyOf(before, ingredients, sources.hashKey);
      known.set(task.id, before);
      keys.push({ key: before, ingredients });
    } catch (error) {
      if (!(error instanceof Unkeyable)) throw error;
      return { keys, looks: found, end: { task: task.id, reason: error.message } };
    }
    look(keys.length);
  }
  return { keys, looks: found, end };
}
