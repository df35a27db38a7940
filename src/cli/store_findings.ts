import { join } from 'node:path';
import { deadLocksIn } from '../linux/lock.js';
import { danglingLinkFindings, type Finding, findingsIn } from '../local/check.js';
import type { LocalEc2 } from '../local/ec2.js';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { localFolder } from './embedded_ec2.js';

/** Damage to the embedded EC2 by crashes and power cuts, with a help text. */
export type Found = Omit<Finding, 'type'> & { readonly type: Finding['type'] | 'stale lock'; readonly help: string };

const helpFor = (state: string): Readonly<Record<Found['type'], string>> => ({
  'unreadable record': '--repair rebuilds it if the record of a run describes it; --delete-orphans ID deletes it',
  'disk without a record': '--delete-orphans ID deletes it',
  'record without a disk': '--repair sets it aside',
  unfinished: `--repair finishes it if possible; else ${commandToType(state, 'undo --all')}; if another client created it: ${commandToType(state, 'local serve')}, then its delete-volume or delete-snapshot`,
  draft: '--repair removes it',
  'dangling link': '--repair removes it',
  'stale lock': '--repair removes it',
});

/** The damage in the store of a state folder. Unreadable records are set aside. */
export async function storeFindings(ec2: LocalEc2, state: string): Promise<Found[]> {
  for (const region of ec2.regions) findingsIn(ec2.storeOf(region));
  await ec2.setUnreadableAside();
  const found = [...ec2.regions.flatMap((region) => findingsIn(ec2.storeOf(region))), ...danglingLinkFindings()];
  const help = helpFor(state);
  const locks = lockFolders(state).flatMap((folder) => deadLocksIn(folder));
  return [...found, ...locks.map((path) => ({ type: 'stale lock' as const, region: '', path }))].map((each) => ({ ...each, help: help[each.type] }));
}

/** Where locks of the embedded EC2 are. */
export function lockFolders(state: string): string[] {
  return [join(state, 'locks'), localFolder(state)];
}
