import { Option } from 'commander';
import type { Ec2 } from '../../aws/client.js';
import { findLeftovers, isTerminated, type Leftover, removeLeftover } from '../../aws/leftovers.js';
import type { Cloud } from '../../dsl/recipe/types.js';
import { listRuns, type RunState } from '../../runtime/runs/run_folder.js';
import { type CloudOptions, givenCloud } from '../cloud.js';
import { ExitError, exits } from '../exit_codes.js';
import { openHostContext } from '../host_context.js';
import { stateFolder } from '../state.js';
import { print, printError, printJson, table } from '../terminal/output.js';
import { watchSignals } from '../terminal/signals.js';
import { unrecordedIn } from '../unrecorded_layers.js';
import { age, jsonOption, stateOption, type Verb } from '../verbs.js';

/** Declares `chrootfile gc`. */
export const verb: Verb = (program, { exit }) => {
  program
    .command('gc')
    .description('find leftovers of runs on lost machines by their tags, and delete them with --delete')
    .addOption(new Option('--delete', 'delete the leftovers instead of listing them').default(false))
    .addOption(new Option('--run <run>', 'only leftovers of this run, whatever their age'))
    .addOption(new Option('--older <duration>', 'minimum age of an unknown run to count as lost, e.g. 12h, 7d').argParser(age).default(7 * 86_400_000, '7d'))
    .addOption(new Option('--regions <names>', 'regions to search, separated by commas, or all (default: that of --region or the environment)'))
    .addOption(new Option('--cloud <provider>', 'EC2 to search').choices(['local', 'aws']).default('local'))
    .addOption(new Option('--region <region>', 'region to use instead of the one in the environment'))
    .addOption(new Option('--profile <profile>', 'AWS profile to use'))
    .addOption(new Option('--endpoint <url>', 'EC2 endpoint to use'))
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\ngc finds resources with the tag chrootfile:state=building. It deletes those of a run if this machine knows that the run\nhas ended, if the instance of the run was terminated, if --run names the run, or if the run is older than --older. It\nnever deletes those of a run that is running or paused on this machine.\n\nIt also finds snapshots of layers without a record: those of this state folder, older than --older, and with --run those of\nthe run, whose state folder was deleted.\n\nExamples:\n  chrootfile gc --cloud aws --regions eu-west-1,us-east-1\n  chrootfile gc --cloud aws --regions all --older 2d --delete\n  chrootfile gc --cloud aws --run 20261122-0915-web-x1y2 --delete',
    )
    .action(async (options) => exit(await gc({ ...options, ...(options.regions === undefined ? {} : { regions: regionList(options.regions) }) })));
};

interface GcOptions extends CloudOptions {
  readonly state?: string;
  readonly regions?: readonly string[];
  readonly run?: string;
  /** Milliseconds. */
  readonly older: number;
  readonly delete: boolean;
  readonly json: boolean;
}

/** A leftover, or a layer without a record. */
type Found = Leftover & { readonly isLayer?: true };

/** A leftover and its fate: `taken` is true if its run is over; `why` is the reason. */
interface Row extends Omit<Leftover, 'attachments'> {
  readonly taken: boolean;
  readonly why: string;
  readonly deleted?: boolean;
  readonly error?: string;
}

/** `chrootfile gc`: finds leftovers of runs on lost machines by their tags, and deletes them with `--delete`; returns the exit code. */
async function gc(options: GcOptions): Promise<number> {
  const cloud: Cloud = { provider: 'local', ...givenCloud(options) };
  // It must know which runs are running here, wherever their resources are.
  const state = stateFolder(options.state, cloud.provider === 'local' ? 'change' : 'read');
  const interruption = watchSignals();
  const { signal } = interruption;
  try {
    const warn = (message: string) => printError(`warning: ${message}`);
    const context = openHostContext({ cloud, state, signal, warn });
    const own = await context.ec2();
    const regions = await Promise.all((await regionsOf(own, options.regions)).map((region) => context.ec2(region)));
    const found: Found[] = [];
    const closed: string[] = [];
    for (const ec2 of regions) {
      try {
        const layers = await unrecordedIn(ec2, state, options.run);
        found.push(...(await findLeftovers(ec2, options.run)), ...layers.map((layer) => ({ ...layer, isLayer: true as const })));
      } catch (error) {
        // A region that cannot be listed completely is not touched.
        closed.push(`${ec2.region}: ${(error as Error).message}`);
      }
    }
    for (const text of closed) printError(`error: nothing is deleted in ${text}`);
    const open = regions.filter(({ region }) => !closed.some((text) => text.startsWith(`${region}: `)));
    const judge = await judgeOf(found, open, new Map(listRuns(state).map((run) => [run.id, run.summary().state])), options);
    const rows: Row[] = [];
    for (const each of found) {
      const { attachments: _, isLayer: __, ...shown } = each;
      const row = { ...shown, ...judge(each) };
      const ec2 = own.in(each.region);
      rows.push(options.delete && row.taken ? { ...row, ...(await removed(ec2, each, signal)) } : row);
    }
    if (options.json) printJson(rows);
    else printRows(rows, options);
    const failed = rows.some(({ error }) => error !== undefined) || closed.length > 0;
    return failed ? exits.left : (interruption.exit() ?? exits.done);
  } finally {
    interruption.stop();
  }
}

/** The regions named; `all` is every one that the account has. */
async function regionsOf(own: Ec2, named: readonly string[] | undefined): Promise<readonly string[]> {
  if (named === undefined) return [own.region];
  if (!named.includes('all')) return [...new Set(named)];
  const { Regions: found = [] } = await own.client.send(new own.sdk.DescribeRegionsCommand({}));
  return found.flatMap(({ RegionName }) => RegionName ?? []);
}

/** Decides for each thing whether its run is over. All things of a run are deleted, or none. */
async function judgeOf(
  found: readonly Found[],
  regions: readonly Ec2[],
  runs: ReadonlyMap<string, RunState>,
  { run: named, older }: GcOptions,
): Promise<(thing: Found) => Pick<Row, 'taken' | 'why'>> {
  const terminated = new Set<string>();
  for (const host of new Set(found.map((each) => each.host).filter((name) => /^i-[0-9a-f]+$/.test(name)))) {
    for (const ec2 of regions) {
      try {
        if (await isTerminated(ec2, host)) terminated.add(host);
      } catch (error) {
        printError(`warning: cannot find out whether ${host} was terminated: ${(error as Error).message}`);
      }
    }
  }
  const youngest = new Map<string, number>();
  for (const { run, created, isLayer } of found) if (!isLayer) youngest.set(run, Math.max(youngest.get(run) ?? 0, Date.parse(created) || Date.now()));
  return ({ run, host, created, isLayer }) => {
    const state = runs.get(run);
    if (isLayer && run !== named) {
      const isOld = Date.parse(created) <= Date.now() - older;
      return { taken: isOld, why: `a layer without a record${isOld ? '' : ', younger than --older'}` };
    }
    if (state === 'running') return { taken: false, why: 'the run is running on this machine' };
    if (state === 'paused') return { taken: false, why: 'the run is paused on this machine' };
    if (state === 'succeeded' && !isLayer) return { taken: false, why: 'the run succeeded on this machine' };
    if (run === named) return { taken: true, why: 'named by --run' };
    if (state === 'interrupted' || state === 'left_behind' || state === 'unreadable') return { taken: true, why: 'the run has ended on this machine' };
    if (terminated.has(host)) return { taken: true, why: `${host} was terminated` };
    const age = Date.now() - (youngest.get(run) ?? Date.now());
    if (age > older) return { taken: true, why: 'older than --older' };
    return { taken: false, why: 'may be running on another machine' };
  };
}

async function removed(ec2: Ec2, thing: Leftover, signal: AbortSignal): Promise<Pick<Row, 'deleted' | 'error'>> {
  if (signal.aborted) return { deleted: false, error: `not deleted: ${(signal.reason as Error).message}` };
  try {
    await removeLeftover(ec2, thing, signal);
    return { deleted: true };
  } catch (error) {
    return { deleted: false, error: (error as Error).message };
  }
}

function printRows(rows: readonly Row[], options: GcOptions): void {
  if (rows.length === 0) return print('no leftovers');
  const outcome = ({ taken, deleted, error }: Row) => (error !== undefined ? `failed: ${error}` : deleted ? 'deleted' : taken ? 'would be deleted' : 'kept');
  const titles = ['REGION', 'TYPE', 'ID', 'CREATED', 'RUN', 'HOST', 'OUTCOME', 'WHY'];
  print(...table([titles, ...rows.map((row) => [row.region, row.type, row.id, row.created, row.run, row.host, outcome(row), row.why])]));
  if (!options.delete && rows.some(({ taken }) => taken)) print('', 'To delete these leftovers, run the same command with --delete');
}

/** @throws ExitError for anything that is not a list of regions. */
function regionList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => !/^[a-z0-9-]+$/.test(name)))
    throw new ExitError(exits.invalid, `--regions ${text}: separate names with commas, e.g. eu-west-1,us-east-1, or all`);
  return names;
}
