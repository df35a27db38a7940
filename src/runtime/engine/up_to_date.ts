import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { folderOf } from '../../dsl/recipe/module.js';
import { removeFile, writeWhole } from '../../linux/atomic_write.js';
import { hashesOfPatterns } from '../../linux/file_hashes.js';
import type { Execution } from './execution.js';
import { checkCommand } from './preconditions.js';
import type { PreparedScript } from './prepared_script.js';

/** What a run recorded about a task that succeeded, for later runs. */
interface Kept {
  readonly recipe: string;
  readonly task: string;
  readonly run: string;
  /** Hash of the script as rendered, its interpreter, environment and folder. */
  readonly script: string;
  /** Hashes of the files, by path. */
  readonly sources: Readonly<Record<string, string>>;
  readonly generates: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** Whether a task is up to date, and why. */
export type Verdict =
  | { readonly fresh: true; readonly why: string; readonly outputs: Readonly<Record<string, unknown>> }
  /** `sources`: their hashes before the task runs. */
  | { readonly fresh: false; readonly why: string; readonly sources: Kept['sources'] };

/** Checks whether a task is up to date: its `sources`, script and results are those of a run that succeeded, and its `status` commands succeed. */
export async function isUpToDate(execution: Execution, task: PreparedScript, signal: AbortSignal): Promise<Verdict> {
  const hasSources = task.sources().length > 0;
  const sources = sourcesOf(task);
  const stale = (why: string): Verdict => ({ fresh: false, why, sources });
  if (execution.forced.has(task.id)) return stale('forced');
  const kept = readKept(execution, task);
  if (kept === undefined && hasSources) return stale('never run before');
  if ([...task.action.outputs.keys()].some((name) => kept?.outputs[name] === undefined)) return stale('its outputs were not saved');
  if (kept !== undefined && hasSources) {
    const change = changeSince(kept, { script: scriptHash(task), sources, generates: generatedBy(task) });
    if (change !== undefined) return stale(change);
  }
  const status = task.status();
  for (const command of status) {
    const failure = await checkCommand(task, command(), execution.pipes, signal);
    if (failure !== undefined) return stale(`status: ${command().split('\n')[0]}: ${failure.how}`);
  }
  const whys = [...(hasSources ? [`nothing changed since run ${kept?.run}`] : []), ...(status.length > 0 ? ['its status commands succeed'] : [])];
  return { fresh: true, why: whys.join(', and '), outputs: kept?.outputs ?? {} };
}

/**
 * Returns a function that records a task that has just succeeded, so that later runs can treat it as up to date.
 * Outputs that contain a secret are not recorded.
 * @param sources the hashes before the task ran: a source that changed while it ran is newer than its results.
 */
export function recordUpToDate(execution: Execution, task: PreparedScript, sources: Kept['sources'], outputs: Readonly<Record<string, unknown>>): () => void {
  const { redactor, folder } = execution;
  if (JSON.stringify(redactor.redactValue(outputs)) !== JSON.stringify(outputs)) return () => {};
  const kept: Kept = { recipe: recipeOf(execution), task: task.id, run: folder.id, script: scriptHash(task), sources, generates: generatedBy(task), outputs };
  return () => {
    const file = fileOf(execution, task);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeWhole(file, JSON.stringify(kept));
  };
}

/** Forgets a task that failed or was undone, so that it is not up to date. */
export function forget(execution: Execution, task: PreparedScript): void {
  removeFile(fileOf(execution, task));
}

function scriptHash(task: PreparedScript): string {
  const { text, shell, dir } = task.script();
  return createHash('sha256')
    .update(JSON.stringify([text, shell, task.variables(), dir, [...task.action.outputs]]))
    .digest('hex');
}

/** @throws Error when a pattern matches no file. Otherwise a task with a mistyped pattern would always be up to date. */
function sourcesOf(task: PreparedScript): Record<string, string> {
  const found = hashesOfPatterns(task.sources(), folderOf(task.linked.module));
  const missing = Object.entries(found).find(([, hash]) => hash === 'missing');
  if (missing !== undefined) throw new Error(`sources: no file matches ${JSON.stringify(missing[0])}`);
  return found;
}

/** Results in a chroot are named by paths inside it. On the host, paths are relative to the folder where the script runs. */
function generatedBy(task: PreparedScript): Record<string, string> {
  const { root, dir } = task.place();
  return hashesOfPatterns(task.generates(), root ?? dir, root);
}

function changeSince(kept: Kept, now: Pick<Kept, 'script' | 'sources' | 'generates'>): string | undefined {
  if (kept.script !== now.script) return 'its script, environment or outputs changed';
  return difference('source', kept.sources, now.sources) ?? difference('result', kept.generates, now.generates);
}

function difference(what: string, before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string | undefined {
  for (const [file, is] of Object.entries(now)) {
    if (is === 'missing') return `the ${what} ${file} is missing`;
    if (before[file] === undefined) return `the ${what} ${file} is new`;
    if (before[file] !== is) return `the ${what} ${file} changed`;
  }
  const gone = Object.keys(before).find((file) => now[file] === undefined);
  return gone === undefined ? undefined : `the ${what} ${gone} is gone`;
}

function readKept(execution: Execution, task: PreparedScript): Kept | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(execution, task), 'utf8')) as Kept;
  } catch {
    // There is no record, or it was cut off: the task runs.
    return undefined;
  }
}

function fileOf(execution: Execution, task: PreparedScript): string {
  const key = createHash('sha256')
    .update(JSON.stringify([recipeOf(execution), task.id]))
    .digest('hex');
  return join(execution.folder.state, 'up_to_date', `${key.slice(0, 32)}.json`);
}

function recipeOf({ plan }: Execution): string {
  return plan.module.recipe.document.source.path;
}
