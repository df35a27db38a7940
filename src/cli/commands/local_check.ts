import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTag, stateTag, taskTag } from '../../aws/ownership_tags.js';
import { deadLocksIn, removeDeadLocks } from '../../linux/lock.js';
import { danglingLinkFindings, type Finding, findingsIn, type Remembered, rebuild, removeOrphan, setAsideForGood } from '../../local/check.js';
import type { LocalEc2 } from '../../local/ec2.js';
import { artifactsOf } from '../../runtime/runs/artifacts.js';
import { readJournal } from '../../runtime/runs/journal.js';
import { listRuns, type RunFolder } from '../../runtime/runs/run_folder.js';
import { kinds } from '../../tasks/index.js';
import { localFolder, openLocalEc2 } from '../embedded_ec2.js';
import { ExitError, exits } from '../exit_codes.js';
import { isRoot, stateFolder } from '../state.js';
import { print, printJson, table } from '../terminal/output.js';

export interface CheckOptions {
  readonly state?: string;
  readonly repair: boolean;
  readonly deleteOrphans?: readonly string[];
  readonly json: boolean;
}

type Found = Omit<Finding, 'type'> & { readonly type: Finding['type'] | 'dead lock'; readonly help: string };

const help: Readonly<Record<Found['type'], string>> = {
  'unreadable record': '--repair rebuilds it where a run tells what it said; --delete-orphans ID deletes it',
  'disk without a record': '--delete-orphans ID deletes it',
  'record without a disk': '--repair sets it aside',
  unfinished: 'chrootfile undo --all; where another client asked for it: chrootfile local serve, then its delete-volume or delete-snapshot',
  draft: '--repair removes it',
  'dangling link': '--repair removes it',
  'dead lock': '--repair removes it',
};

/** `chrootfile local check`: what crashes and power cuts left of the embedded EC2; gives the exit code. */
export async function checkLocal(options: CheckOptions): Promise<number> {
  const state = stateFolder(options.state);
  const changes = options.repair || options.deleteOrphans !== undefined;
  if (changes && !isRoot()) throw new ExitError(exits.host, 'this needs root\n  help: sudo chrootfile local check --repair');
  if (!existsSync(localFolder(state))) {
    if (options.json) printJson([]);
    else print('nothing was made yet');
    return exits.done;
  }
  const ec2 = await openLocalEc2(state);
  for (const id of options.deleteOrphans ?? []) await deleteOrphan(ec2, id);
  if (options.repair) await repair(ec2, state);
  const found = await findings(ec2, state);
  if (options.json) printJson(found);
  else if (found.length === 0) print('everything is as it should be');
  else print(...table([['WHAT', 'REGION', 'SIZE', 'WRITTEN', 'WHERE', 'HELP'], ...found.map(rowOf)]));
  return found.length === 0 ? exits.done : exits.failed;
}

/** What is not as it should be in the store of a state folder. Records that cannot be read are set aside. */
export async function findings(ec2: LocalEc2, state: string): Promise<Found[]> {
  for (const region of ec2.regions) findingsIn(ec2.storeOf(region));
  await ec2.setUnreadableAside();
  const found = [...ec2.regions.flatMap((region) => findingsIn(ec2.storeOf(region))), ...danglingLinkFindings()];
  const locks = lockFolders(state).flatMap((folder) => deadLocksIn(folder));
  return [...found, ...locks.map((path) => ({ type: 'dead lock' as const, region: '', path }))].map((each) => ({ ...each, help: help[each.type] }));
}

function lockFolders(state: string): string[] {
  return [join(state, 'locks'), localFolder(state)];
}

async function repair(ec2: LocalEc2, state: string): Promise<void> {
  // Drafts, dangling links, attachments that were begun.
  await ec2.mend();
  const remembered = listRuns(state).flatMap(rememberedBy);
  for (const region of ec2.regions) {
    const store = ec2.storeOf(region);
    await store.exclusive(() => {
      // Snapshots first: an image is made of them.
      const found = findingsIn(store).sort((a, b) => (a.path < b.path ? 1 : -1));
      for (const each of found) {
        if (each.type === 'unreadable record') rebuild(store, each, remembered);
        if (each.type === 'record without a disk') setAsideForGood(each);
      }
    });
  }
  for (const folder of lockFolders(state)) removeDeadLocks(folder);
}

async function deleteOrphan(ec2: LocalEc2, id: string): Promise<void> {
  const store = ec2.regions.map((region) => ec2.storeOf(region)).find((each) => findingsIn(each).some((found) => found.id === id));
  if (store === undefined)
    throw new ExitError(exits.invalid, `there is no disk without a record, nor an unreadable record, called ${id}\n  help: chrootfile local check`);
  try {
    await store.exclusive(() => removeOrphan(store, id));
  } catch (error) {
    throw new ExitError(exits.invalid, (error as Error).message);
  }
}

/** What the folder of a run that succeeded tells of the images and snapshots it made. */
function rememberedBy(run: RunFolder): Remembered[] {
  try {
    const { head, open, ended } = readJournal(run.journal);
    if (ended !== 'committed' || head.cloud.provider !== 'local') return [];
    const outputs = outputsIn(run);
    return open.flatMap((note) =>
      artifactsOf([note], kinds).map(({ type, region, id }) => {
        const { name, snapshots } = outputs.find((each) => each['id'] === id) ?? {};
        const tags = Object.entries({ [runTag]: run.id, [taskTag]: note.task, [stateTag]: 'kept' }).map(([Key, Value]) => ({ Key, Value }));
        const { asked_at: created = head.started } = note.data as { asked_at?: string };
        return {
          type,
          region,
          id,
          created,
          tags,
          ...(typeof name === 'string' ? { name } : {}),
          ...(Array.isArray(snapshots) ? { snapshots: snapshots.map(String) } : {}),
        };
      }),
    );
  } catch {
    // A run whose journal cannot be read tells nothing; `chrootfile runs` says so.
    return [];
  }
}

function outputsIn(run: RunFolder): Readonly<Record<string, unknown>>[] {
  if (!existsSync(run.events)) return [];
  return readFileSync(run.events, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        const event = JSON.parse(line) as { readonly outputs?: Readonly<Record<string, unknown>> };
        return event.outputs === undefined ? [] : [event.outputs];
      } catch {
        return [];
      }
    });
}

function rowOf({ type, region, bytes, written, path, help: todo }: Found): string[] {
  return [type, region, bytes === undefined ? '' : `${Math.ceil(bytes / 2 ** 20)} MiB`, written ?? '', path, todo];
}
