import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Plan } from '../dsl/plan/plan.js';
import type { LinkedTask } from '../dsl/resolve/link.js';
import { isSureToRun, type KnownBefore, valueBefore } from '../dsl/resolve/matrix.js';
import { hostShell } from '../linux/command.js';
import { localFolder } from './embedded_ec2.js';
import { ExitError, exits } from './exit_codes.js';
import type { PreparedRun } from './prepared_run.js';
import { knownTo } from './recipe_file.js';
import { isRoot } from './state.js';
import { printError } from './terminal/output.js';
import { interactiveTool, localTools, mustHave, runTools, scriptTools, type Tool, toolList } from './tools.js';

/** The tools that the tasks of a plan need, as far as the values of `with` are known. */
export function toolsFor(plan: Plan, known: KnownBefore): Tool[] {
  return [...runTools, ...[...plan.tasks.values()].flatMap((task) => toolsOf(task, known))];
}

function toolsOf(linked: LinkedTask, known: KnownBefore): Tool[] {
  const { action, freshness, continueOnError } = linked.task;
  if (!isSureToRun(linked, known)) return [];
  if (action.type === 'kind') {
    return toolList({ ...action.kind.tools, ...action.kind.toolsFor?.(knownWith(linked, known)) });
  }
  if (action.type !== 'run') return [];
  const asks = action.interactive ? [interactiveTool] : [];
  // A script that may not run, may fail, or installs what it needs reports a missing program itself.
  const text = action.script.type === 'template' ? action.script.template.text : action.script.type === 'literal' ? String(action.script.value) : '';
  const code = withoutMessages(text);
  const looksItself = /\binstall\b|\bPATH=|<</.test(code) || action.env.has('PATH') || linked.module.recipe.env.has('PATH');
  if (linked.in !== undefined || freshness !== undefined || continueOnError || looksItself) return asks;
  // Indented, it may be in a function or a branch that is not taken.
  const called = scriptTools.filter(
    ({ program }) => new RegExp(`^(?:exec )?${program}\\s`, 'm').test(text) && !new RegExp(`(?:command -v|which|type|hash) +${program}\\b`).test(code),
  );
  return [...asks, ...called];
}

/** A script without the quoted texts in it. */
function withoutMessages(text: string): string {
  return text.replace(/"[^"\n]*"|'[^'\n]*'/g, '');
}

/** The `with` of a task of a kind, without the values that are not known yet or are secret. */
export function knownWith({ task: { action }, module }: LinkedTask, known: KnownBefore): Record<string, unknown> {
  if (action.type !== 'kind') return {};
  return Object.fromEntries(
    [...action.with].flatMap(([name, value]) => {
      const found = valueBefore(value, module, known);
      return found === undefined || found.value === null ? [] : [[name, found.value]];
    }),
  );
}

/** Help for a process that may not mount. */
export const privilegedHelp = 'a container must be privileged: docker run --privileged -v /dev:/dev';

/** Whether this process has CAP_SYS_ADMIN, which mounting needs. Source: proc(5), capabilities(7). */
export function canAdminister(): boolean {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return ((BigInt(`0x${effective}`) >> 21n) & 1n) === 1n;
}

/** Why this process cannot have a mount namespace. */
export function whyNoNamespace(): string {
  return canAdminister() ? 'the system refuses a mount namespace' : 'this process does not have CAP_SYS_ADMIN';
}

/** @throws ExitError where this process may not mount. @param refused whether an attempt has failed. */
export function mustBeAbleToMount(refused: boolean): void {
  if (refused || !canAdminister()) throw new ExitError(exits.host, `namespaces: ${whyNoNamespace()}\n  help: ${privilegedHelp}`);
}

/** Why no disk can be attached; undefined where one can. Only root can find out all reasons. */
export async function loopDevicesMissing(): Promise<string | undefined> {
  if (!existsSync('/dev/loop-control')) return 'no /dev/loop-control';
  if (!isRoot()) return undefined;
  try {
    const free = (await hostShell.run(['losetup', '--find'])).trim();
    return existsSync(free) ? undefined : `the next one, ${free}, is not in this /dev`;
  } catch (error) {
    return (error as Error).message.split('\n').at(-1)?.trim();
  }
}

/** @throws ExitError where no disk can be attached. */
export async function mustHaveLoopDevices(): Promise<void> {
  const missing = await loopDevicesMissing();
  if (missing !== undefined) throw new ExitError(exits.host, `loop devices: ${missing}\n  help: ${loopHelp}`);
}

/** Help for a machine without loop devices. */
export const loopHelp = 'modprobe loop; a container also needs --privileged -v /dev:/dev';

const mib = 2 ** 20;
/** Bytes that must be free for a run with volumes of the embedded EC2. */
export const leastFree = 256 * mib;

/** Bytes that are free where the embedded EC2 of a state folder keeps its disks. */
export function freeFor(state: string): number {
  const { bavail, bsize } = statfsSync(existing(localFolder(state)));
  return bavail * bsize;
}

/**
 * Warns where the volumes of a plan may not fit.
 * @throws ExitError where the embedded EC2 cannot attach volumes here, or there is hardly any room for them.
 */
export async function mustHostVolumes({ plan, loaded, folder: { state } }: Pick<PreparedRun, 'plan' | 'loaded' | 'folder'>): Promise<void> {
  const known = knownTo(loaded);
  const volumes = [...plan.tasks.values()].filter(
    (task) => task.task.action.type === 'kind' && task.task.action.kind.name === 'ec2.volume' && isSureToRun(task, known),
  );
  if (volumes.length === 0) return;
  mustHave(localTools);
  await mustHaveLoopDevices();
  const free = freeFor(state);
  if (free < leastFree)
    throw new ExitError(
      exits.host,
      `disk: ${Math.floor(free / mib)} MiB free in ${state}; volumes need at least ${leastFree / mib} MiB\n  help: free some space, or choose another folder with --state`,
    );
  const planned = volumes.reduce((sum, task) => sum + (Number(knownWith(task, known)['size']) || 0), 0) * 1024 * mib;
  if (planned > free)
    printError(`warning: volumes of ${sizeText(planned)} are planned and ${sizeText(free)} are free in ${state}; volumes are sparse, so this may be enough`);
}

/** `1.5 GiB`, or `200 MiB` for less than one. */
export function sizeText(bytes: number): string {
  const [size, unit] = bytes < 2 ** 30 ? [bytes / mib, 'MiB'] : [bytes / 2 ** 30, 'GiB'];
  return `${size.toFixed(1).replace(/\.0$/, '')} ${unit}`;
}

/** The folder, or the nearest one above it that exists. */
export function existing(folder: string): string {
  return existsSync(folder) ? folder : existing(dirname(folder));
}
