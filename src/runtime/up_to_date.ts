import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { globSync } from 'tinyglobby';
import { evaluate } from '../dsl/evaluate.js';
import type { LinkedTask } from '../dsl/link.js';
import { folderOf } from '../dsl/module.js';
import type { Action, Freshness } from '../dsl/recipe.js';
import type { Value } from '../dsl/values.js';
import { checkCommand } from './checks.js';
import type { Execution } from './execution.js';
import { insideRoot } from './inside.js';
import { scriptOf } from './user_script.js';

type RunAction = Extract<Action, { type: 'run' }>;

/** What a run wrote down of a task that ended well, for later runs. */
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

/** Whether a task need not run, and why. */
export type Verdict =
  | { readonly fresh: true; readonly why: string; readonly outputs: Readonly<Record<string, unknown>> }
  | { readonly fresh: false; readonly why: string };

/** A shell task that says when it is up to date, in its place. `root`: the chroot it runs in. */
export interface FreshTask {
  readonly task: LinkedTask;
  readonly action: RunAction;
  readonly freshness: Freshness;
  readonly root: string | undefined;
}

/** Tells whether a task is up to date: its `sources`, script and results are those of a run that ended well, and its `status` commands succeed. */
export async function isUpToDate(x: Execution, fresh: FreshTask, signal: AbortSignal): Promise<Verdict> {
  const { task, action, freshness, root } = fresh;
  if (x.force) return { fresh: false, why: '--force' };
  const kept = readKept(x, task);
  if (kept === undefined && freshness.sources.length > 0) return { fresh: false, why: 'no run of it is known' };
  if (kept === undefined && action.outputs.size > 0) return { fresh: false, why: 'no outputs of it are kept' };
  if (kept !== undefined && freshness.sources.length > 0) {
    const change = changeSince(kept, stateOf(x, fresh));
    if (change !== undefined) return { fresh: false, why: change };
  }
  for (const command of freshness.status) {
    const failure = await checkCommand(x, task, command, root, signal);
    if (failure !== undefined) return { fresh: false, why: `status: ${failure.command.split('\n')[0]}: ${failure.how}` };
  }
  const whys = [
    ...(freshness.sources.length > 0 ? [`nothing changed since run ${kept?.run}`] : []),
    ...(freshness.status.length > 0 ? ['its status commands succeed'] : []),
  ];
  return { fresh: true, why: whys.join(', and '), outputs: kept?.outputs ?? {} };
}

/**
 * Looks at a task that has just ended well; gives what writes it down, so that it may be up to date in a later run.
 * Outputs that hold a secret are not kept.
 */
export function keeperOf(x: Execution, fresh: FreshTask, outputs: Readonly<Record<string, unknown>>): () => void {
  const { task } = fresh;
  if (JSON.stringify(x.redactor.redactValue(outputs)) !== JSON.stringify(outputs)) return () => {};
  const kept: Kept = { recipe: x.plan.module.recipe.document.source.path, task: task.id, run: x.folder.id, ...stateOf(x, fresh), outputs };
  return () => {
    const file = fileOf(x, task);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(kept), { mode: 0o600 });
    renameSync(draft, file);
  };
}

/** A task that failed, or was undone, is not up to date. */
export function forget(x: Execution, task: LinkedTask): void {
  rmSync(fileOf(x, task), { force: true });
}

function stateOf(x: Execution, { task, action, freshness, root }: FreshTask): Pick<Kept, 'script' | 'sources' | 'generates'> {
  const { text, shell, dir } = scriptOf(task, action, x.facts, root);
  const env = [...task.module.recipe.env, ...action.env].map(([name, value]) => [name, evaluate(value, task.module, x.facts)]);
  const rendered = (values: readonly Value[]) => values.map((value) => String(evaluate(value, task.module, x.facts)));
  return {
    script: hash(JSON.stringify([text, shell, env, dir, [...action.outputs]])),
    sources: hashes(rendered(freshness.sources), folderOf(task.module), undefined, 'sources'),
    // What a chroot holds is told by paths inside it; on the host they are relative to where the script runs.
    generates: root === undefined ? hashes(rendered(freshness.generates), dir) : hashes(rendered(freshness.generates), root, root),
  };
}

/**
 * Hashes of the files that patterns match, but for those that a pattern with `!` does. Links out of `inside` are not followed.
 * @param must what the patterns are called, where each must match a file.
 * @throws Error when one matches none.
 */
function hashes(patterns: readonly string[], folder: string, inside?: string, must?: string): Record<string, string> {
  const found: Record<string, string> = {};
  const inFolder = (pattern: string) => (inside === undefined ? pattern : pattern.replace(/^\/+/, ''));
  const ignore = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => inFolder(pattern.slice(1)));
  for (const pattern of patterns.filter((each) => !each.startsWith('!'))) {
    const files = globSync(inFolder(pattern), { cwd: folder, ignore, dot: true, onlyFiles: true, followSymbolicLinks: false }).sort();
    if (files.length === 0 && must !== undefined) throw new Error(`${must}: no file matches ${JSON.stringify(pattern)}`);
    if (files.length === 0) found[pattern] = 'missing';
    for (const file of files) {
      const path = inside === undefined ? join(folder, file) : insideRoot(inside, file);
      found[file] = hash(readFileSync(path));
    }
  }
  return found;
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

function readKept(x: Execution, task: LinkedTask): Kept | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(x, task), 'utf8')) as Kept;
  } catch {
    // None, or one that was cut off: the task runs.
    return undefined;
  }
}

function fileOf(x: Execution, task: LinkedTask): string {
  const key = hash(JSON.stringify([x.plan.module.recipe.document.source.path, task.id]));
  return join(x.folder.state, 'up_to_date', `${key.slice(0, 32)}.json`);
}

function hash(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
