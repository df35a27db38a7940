import { createHash } from 'node:crypto';
import { type Chain, volumesOf } from '../../dsl/plan/chains.js';
import type { OpenChain } from './open_chain.js';

/**
 * What the content of a chain's volume is from, when a task freezes it after all others: the keys of its tasks and when each of them
 * ran. Two volumes with the same content are from the same layer. A key alone does not say that, because a task that
 * runs again, e.g. after `max_age`, may fetch something newer.
 * @returns undefined if something may be on the volume that no key determines.
 */
export function contentOfChain({ chain, keys, tasks, broken }: OpenChain, freezer: string): string | undefined {
  const { members } = chain;
  const isWhole = broken === undefined && tasks.length === members.length && keys.length === members.length;
  if (!isWhole || !isDetermined(chain, freezer)) return undefined;
  // The first one is the volume itself, which is made in every run.
  const work = tasks.slice(1).map(({ key, outcome, ended }) => [key, outcome === 'skipped' ? outcome : ended]);
  return createHash('sha256')
    .update(JSON.stringify([tasks[0]?.key, work]))
    .digest('hex')
    .slice(0, 32);
}

/** Whether only tasks with keys write to the volume. A script that releases something on it has no key. */
function isDetermined(chain: Chain, freezer: string): boolean {
  const releases = chain.members.some(({ lifetime, task: { action } }) => lifetime === 'resource' && action.type === 'run');
  const isLast = chain.end === undefined || (chain.end.task === freezer && chain.later.length === 0);
  return isLast && volumesOf(chain).size === 1 && !releases;
}
