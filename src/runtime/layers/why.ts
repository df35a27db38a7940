import type { Chain } from '../../dsl/plan/chains.js';
import type { ChainKeys } from './chain_keys.js';
import type { Ingredient } from './ingredients.js';
import type { LayerRecords } from './layer_records.js';
import type { Found } from './restorable.js';

/** Whether a run would take a task from a layer, and why not. */
export interface Verdict {
  readonly task: string;
  readonly cached: boolean;
  /** Empty for a cached task. */
  readonly reason: string;
  /** How long it took when it last ran. */
  readonly seconds?: number | undefined;
}

/** Why each task of a chain would run or not. */
export function verdictsOn(
  chain: Chain,
  { keys, end }: ChainKeys,
  { layer, passed }: Found,
  { records, recipe }: { records: LayerRecords; recipe: string },
): Verdict[] {
  const restored = layer?.tasks.length ?? 0;
  const lasts = chain.members.map(({ id }) => records.lastRun(recipe, id));
  /** The first task that leaves something else than before. */
  const other = chain.members.findIndex((_, i) => lasts[i] === undefined || lasts[i]?.key !== keys[i]?.key);
  const name = (i: number) => chain.members[i]?.id;
  const unchanged = (i: number): string => {
    if (passed !== undefined) return i === restored ? passed : `"${name(restored)}" runs`;
    if (lasts[i]?.layer) return 'its layer is gone';
    if (lasts[i]?.missing !== undefined) return `no layer could be made after it: ${lasts[i]?.missing}`;
    return other < 0 ? 'its work was too short for a layer' : `there is no layer between it and "${name(other)}"`;
  };
  const changed = (i: number): string => {
    const [last, known] = [lasts[i], keys[i]];
    if (last === undefined) return 'it never succeeded';
    const unkeyed = end === undefined || end.task !== name(i) ? [] : [end.reason];
    const reasons = known === undefined ? unkeyed : changes(last.ingredients, known.ingredients, i > other);
    const elsewhere = i === 0 ? 'it ran in another region or with another EC2' : 'other tasks are before it';
    return reasons.slice(0, mostReasons).join('; ') || (i > other ? `"${name(other)}" runs` : elsewhere);
  };
  const reasonOf = (i: number) => (other < 0 || i < other ? unchanged(i) : changed(i));
  const members = chain.members.map(({ id }, i): Verdict => {
    const assumed = (keys[i]?.ingredients ?? []).filter((each) => each.assumed).map(({ name }) => name);
    if (i >= restored) return { task: id, cached: false, reason: reasonOf(i), seconds: lasts[i]?.seconds };
    return { task: id, cached: true, reason: assumed.length === 0 ? '' : `if ${assumed.join(', ')} did not change`, seconds: layer?.tasks[i]?.seconds };
  });
  const later = chain.later.map(({ id }): Verdict => {
    const reason = chain.end !== undefined && id === chain.end.task ? chain.end.reason : `"${chain.end?.task}" runs in every run`;
    return { task: id, cached: false, reason };
  });
  return [...members, ...later];
}

const mostReasons = 3;

/** What differs between two lists of ingredients, in words. @param isOther whether a task before runs, so that what is made on the volume differs anyway. */
function changes(old: readonly Ingredient[], now: readonly Ingredient[], isOther: boolean): string[] {
  const before = new Map(old.map((each) => [each.name, each]));
  const after = new Map(now.map((each) => [each.name, each]));
  const found: string[] = [];
  let whole: string | undefined;
  for (const [name, { hash, shown, madeBy, isWhole }] of after) {
    const was = before.get(name);
    if (was === undefined && !isWhole) found.push(`${name} is new`);
    else if (was === undefined) continue;
    else if (was.hash === hash || (madeBy !== undefined && isOther)) continue;
    else if (isWhole) whole = `${name} changed`;
    else if (madeBy !== undefined) found.push(`"${madeBy}" changed`);
    else
      found.push(shown === undefined || was.shown === undefined || shown === was.shown ? `${name} changed` : `${name} changed from ${was.shown} to ${shown}`);
  }
  for (const name of before.keys()) if (!after.has(name) && !before.get(name)?.isWhole) found.push(`${name} is gone`);
  return found.length === 0 && whole !== undefined ? [whole] : [...new Set(found)];
}
