import { existsSync, readFileSync } from 'node:fs';
import { Option } from 'commander';
import { runTag, stateTag, taskTag } from '../../../aws/ownership_tags.js';
import { removeDeadLocks } from '../../../linux/lock.js';
import { findingsIn, type Remembered, rebuild, removeOrphan, setAsideForGood } from '../../../local/check.js';
import type { LocalEc2 } from '../../../local/ec2.js';
import { artifactsOf } from '../../../runtime/runs/artifacts.js';
import { commandToType } from '../../../runtime/runs/command_to_type.js';
import { readJournal } from '../../../runtime/runs/journal.js';
import { listRuns, type RunFolder } from '../../../runtime/runs/run_folder.js';
import { kinds } from '../../../tasks/index.js';
import { localFolder, openLocalEc2 } from '../../embedded_ec2.js';
import { ExitError, exits } from '../../exit_codes.js';
import { mustBeRoot, stateFolder } from '../../state.js';
import { type Found, lockFolders, storeFindings } from '../../store_findings.js';
import { print, printJson, table } from '../../terminal/output.js';
import { jsonOption, stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local check`. */
export const verb: Verb = (local, { exit }) => {
  local
    .command('check')
    .description('find damage from crashes and power cuts: unreadable records, disks without a record, stale locks, dangling links')
    .addOption(
      new Option(
        '--repair',
        'rebuild records from runs, finish interrupted copies of disks, and remove drafts, stale locks and dangling links; no disk is deleted',
      ).default(false),
    )
    .addOption(new Option('--delete-orphans <ids...>', 'delete these disks, which have no record'))
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sudo chrootfile local check\n  sudo chrootfile local check --repair\n  sudo chrootfile local check --delete-orphans snap-0123456789abcdef0',
    )
    .action(async (options) => exit(await checkLocal(options)));
};

interface CheckOptions {
  readonly state?: string;
  readonly repair: boolean;
  readonly deleteOrphans?: readonly string[];
  readonly json: boolean;
}

/** `chrootfile local check`: finds damage from crashes and power cuts in the embedded EC2; returns the exit code. */
async function checkLocal(options: CheckOptions): Promise<number> {
  const state = stateFolder(options.state, 'change');
  const changes = options.repair || options.deleteOrphans !== undefined;
  if (changes) mustBeRoot('this needs root', 'local check --repair', options.state);
  if (!existsSync(localFolder(state))) {
    if (options.json) printJson([]);
    else print('the embedded EC2 is empty');
    return exits.done;
  }
  const ec2 = await openLocalEc2(state);
  for (const id of options.deleteOrphans ?? []) await deleteOrphan(ec2, id, state);
  if (options.repair) await repair(ec2, state);
  const found = await storeFindings(ec2, state);
  if (options.json) printJson(found);
  else if (found.length === 0) print('no damage found');
  else print(...table([['WHAT', 'REGION', 'SIZE', 'WRITTEN', 'WHERE', 'HELP'], ...found.map(rowOf)]));
  return found.length === 0 ? exits.done : exits.failed;
}

async function repair(ec2: LocalEc2, state: string): Promise<void> {
  // Drafts, dangling links, attachments and unfinished disks.
  await ec2.recover();
  await ec2.settled();
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

async function deleteOrphan(ec2: LocalEc2, id: string, state: string): Promise<void> {
  const store = ec2.regions.map((region) => ec2.storeOf(region)).find((each) => findingsIn(each).some((found) => found.id === id));
  if (store === undefined)
    throw new ExitError(exits.invalid, `no disk without a record and no unreadable record has the id ${id}\n  help: ${commandToType(state, 'local check')}`);
  try {
    await store.exclusive(() => removeOrphan(store, id));
  } catch (error) {
    throw new ExitError(exits.invalid, (error as Error).message);
  }
}

/** What the folder of a successful run records about its images and snapshots. */
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
    // The journal is unreadable; `chrootfile runs` reports it.
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
