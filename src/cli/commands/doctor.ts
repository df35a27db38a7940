import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { hostShell } from '../../linux/command.js';
import { hasPool } from '../../local/pool.js';
import { assumedCost, type LayerCost } from '../../runtime/layers/cost.js';
import { LayerRecords } from '../../runtime/layers/layer_records.js';
import { commandToType } from '../../runtime/runs/command_to_type.js';
import { checkState } from '../../runtime/runs/format.js';
import { isUnfinished, listRuns } from '../../runtime/runs/run_folder.js';
import { localFolder, openLocalEc2 } from '../embedded_ec2.js';
import { exits } from '../exit_codes.js';
import type { Finding } from '../finding.js';
import { awsIdentity, debianMirror } from '../network_findings.js';
import { counted, duration } from '../reports/lines.js';
import { existing, freeFor, leastFree, loopDevicesMissing, loopHelp, privilegedHelp, sizeText, whyNoNamespace } from '../requirements.js';
import { closedIn, isRoot, ownerOf, statePath, withSudo } from '../state.js';
import { storeFindings } from '../store_findings.js';
import { print, printJson, styled } from '../terminal/output.js';
import { installing, missingTools, optionalTools, requiredTools, type Tool } from '../tools.js';
import { jsonOption, stateOption, type Verb } from '../verbs.js';

/** Declares `chrootfile doctor`. */
export const verb: Verb = (program, { exit }) => {
  program
    .command('doctor')
    .description('check whether this machine can run recipes')
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile doctor')
    .action(async (options) => exit(await doctor(options.state, options.json)));
};

/** `chrootfile doctor`: whether this host can run recipes, and what to install if it cannot. */
async function doctor(folder: string | undefined, json: boolean): Promise<number> {
  const state = statePath(folder);
  if (closedIn(state, 'read') === undefined) checkState(state);
  const findings = [
    root(),
    node(),
    ...tools(),
    ...(await kernel()),
    stateIs(state),
    disk(state),
    copies(state),
    deadRuns(state),
    ...(await store(state)),
    ...(await Promise.all([debianMirror(), awsIdentity(state)])),
  ];
  const ok = findings.every((finding) => finding.ok);
  if (json) printJson({ ok, findings });
  else {
    for (const { name, ok: good, detail, help } of findings) {
      print(`${good ? styled('green', '✔') : styled('red', '✖')} ${name}: ${detail}`);
      if (help !== undefined) print(`    ${help}`);
    }
  }
  return ok ? exits.done : exits.host;
}

function root(): Finding {
  return { name: 'root', ok: isRoot(), detail: isRoot() ? 'yes' : 'no', help: isRoot() ? undefined : 'run and undo need root: use sudo' };
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return { name: 'node', ok, detail: process.versions.node, help: ok ? undefined : 'Node 20.19 or newer is needed' };
}

function tools(): Finding[] {
  const missing = missingTools(requiredTools);
  const names = (some: readonly Tool[]) => some.map((tool) => tool.program).join(', ');
  const lacking = missingTools(optionalTools);
  const found = optionalTools.filter((tool) => !lacking.includes(tool));
  return [
    {
      name: 'programs',
      ok: missing.length === 0,
      detail: missing.length === 0 ? `all ${new Set(requiredTools.map((tool) => tool.program)).size} found` : `missing: ${names(missing)}`,
      help: missing.length === 0 ? undefined : installing(missing),
    },
    {
      name: 'optional programs',
      ok: true,
      detail: `${names(found) || 'none'} found`,
      help: lacking.length === 0 ? undefined : lacking.map((tool) => `${tool.program}, for ${tool.use}: ${installing([tool])}`).join('\n    '),
    },
  ];
}

async function kernel(): Promise<Finding[]> {
  const namespaces = await namespacesMissing();
  const loop = await loopDevicesMissing();
  return [
    {
      name: 'namespaces',
      ok: namespaces === undefined,
      detail: namespaces ?? 'mount and pid namespaces work',
      help: namespaces === undefined || !isRoot() ? undefined : privilegedHelp,
    },
    {
      name: 'loop devices',
      ok: loop === undefined,
      detail: loop ?? 'available',
      help: loop === undefined ? undefined : `${loopHelp}; only the embedded EC2 and direct volumes need them`,
    },
  ];
}

async function namespacesMissing(): Promise<string | undefined> {
  if (!isRoot()) return 'not checked: needs root';
  return hostShell.run(['unshare', '--mount', '--pid', '--fork', '--mount-proc', 'true']).then(() => undefined, whyNoNamespace);
}

function stateIs(state: string): Finding {
  const closed = closedIn(state, 'change');
  if (closed !== undefined) return { name: 'state', ok: false, detail: `${closed} belongs to ${ownerOf(closed)}`, help: withSudo(state) };
  const folder = existing(state);
  try {
    if (!statSync(folder).isDirectory()) throw new Error('not a folder');
    accessSync(folder, constants.W_OK);
    return { name: 'state', ok: true, detail: state };
  } catch {
    return { name: 'state', ok: false, detail: `${state} cannot be written`, help: 'name another folder with --state or CHROOTFILE_STATE' };
  }
}

function disk(state: string): Finding {
  const free = freeFor(state);
  const ok = free >= leastFree;
  return { name: 'disk', ok, detail: `${sizeText(free)} free`, help: ok ? undefined : `volumes of the embedded EC2 need at least ${leastFree / 2 ** 20} MiB` };
}

/** Source: statfs(2), XFS_SUPER_MAGIC and BTRFS_SUPER_MAGIC. */
const sharing: Readonly<Record<number, string>> = { 1481003842: 'xfs', 2435016766: 'btrfs' };

/** How the embedded EC2 copies disks. */
function copies(state: string): Finding {
  const shares = hasPool(localFolder(state)) ? 'the file system of "local init"' : sharing[statfsSync(existing(state)).type];
  const layer = closedIn(state, 'read') === undefined ? costOfLayer(new LayerRecords(state).cost()) : '';
  if (shares !== undefined) return { name: 'copies of disks', ok: true, detail: `instant, on ${shares}${layer}` };
  return { name: 'copies of disks', ok: true, detail: `some seconds each${layer}`, help: `to make them instant: ${commandToType(state, 'local init')}` };
}

function costOfLayer(cost: LayerCost): string {
  if (cost === assumedCost) return '';
  const perGiB = cost.msPerMiB === 0 ? '' : ` and ${duration((cost.msPerMiB * 1024) / 1000)} for each GiB in use`;
  return `; a layer takes ${duration(cost.fixedMs / 1000)}${perGiB}`;
}

/** Damage to the embedded EC2 by crashes and power cuts. */
async function store(state: string): Promise<Finding[]> {
  if (!isRoot() || !existsSync(localFolder(state))) return [];
  const found = await storeFindings(await openLocalEc2(state), state);
  const kinds = [...new Set(found.map(({ type }) => type))].map((type) => `${found.filter((each) => each.type === type).length} × ${type}`);
  return [
    {
      name: 'embedded EC2',
      ok: found.length === 0,
      detail: found.length === 0 ? 'records and disks are intact' : kinds.join(', '),
      help: found.length === 0 ? undefined : commandToType(state, 'local check'),
    },
  ];
}

function deadRuns(state: string): Finding {
  if (closedIn(state, 'read') !== undefined) return { name: 'earlier runs', ok: true, detail: 'not checked: the state cannot be read' };
  const dead = listRuns(state)
    .map((run) => run.summary())
    .filter((run) => isUnfinished(run) && (run.open > 0 || run.state === 'unreadable'));
  return {
    name: 'earlier runs',
    ok: dead.length === 0,
    detail: dead.length === 0 ? 'nothing left behind' : `${counted(dead.length, 'run')} left something behind`,
    help: dead.length === 0 ? undefined : commandToType(state, 'undo --all'),
  };
}
