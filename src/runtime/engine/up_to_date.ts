import { createHash } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { globSync } from 'tinyglobby';
import { folderOf } from '../../dsl/recipe/module.js';
import { removeFile, writeWhole } from '../../linux/atomic_write.js';
import { insideRoot } from '../../linux/rooted_path.js';
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
  if (execution.force) return stale('--force');
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
  const found = hashes(task.sources(), folderOf(task.linked.module));
  const missing = Object.entries(found).find(([, hash]) => hash === 'missing');
  if (missing !== undefined) throw new Error(`sources: no file matches ${JSON.stringify(missing[0])}`);
  return found;
}

/** Results in a chroot are named by paths inside it. On the host, paths are relative to the folder where the script runs. */
function generatedBy(task: PreparedScript): Record<string, string> {
  const { root, dir } = task.place();
  return hashes(task.generates(), root ?? dir, root);
}

/**
 * Hashes of the files that match the patterns, without those that match a pattern with `!`. On the host, links to
 * files and folders are followed. With `inside`, no link is followed, because it could lead out of that folder.
 */
function hashes(patterns: readonly string[], folder: string, inside?: string): Record<string, string> {
  const found: Record<string, string> = {};
  const relative = (pattern: string) => pattern.replace(inside === undefined ? '' : /^\/+/, '');
  const ignore = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => relative(pattern.slice(1)));
  for (const pattern of patterns.filter((each) => !each.startsWith('!'))) {
    const links = inside === undefined ? { fs: { readdirSync: listWithLinks() } } : {};
    const files = globSync(relative(pattern), { cwd: folder, ignore, dot: true, onlyFiles: true, followSymbolicLinks: false, ...links }).sort();
    // A pattern may begin with a link in the image. Its target on the host does not belong to the image.
    const own = files.filter((file) => inside === undefined || isInside(inside, file));
    if (own.length === 0) found[pattern] = 'missing';
    for (const file of own) found[file] = hashOf(join(folder, file));
  }
  return found;
}

/**
 * Lists folders, with links replaced by their targets. A folder that several links lead to is listed only once by way
 * of a link: in folders full of links to each other, such as the node_modules of pnpm, the number of paths would be
 * unlimited.
 */
function listWithLinks(): typeof readdirSync {
  const listed = new Set<string>();
  const list = (path: string, options: { withFileTypes: true }) => {
    const real = realpathSync(path);
    if (real !== resolve(path)) {
      if (listed.has(real)) return [];
      listed.add(real);
    }
    return readdirSync(path, options).map((entry) => {
      if (!entry.isSymbolicLink()) return entry;
      const target = targetOf(join(path, entry.name));
      const is = { isFile: () => target?.isFile() === true, isDirectory: () => target?.isDirectory() === true, isSymbolicLink: () => false };
      return Object.assign(entry, is);
    });
  };
  return list as typeof readdirSync;
}

/** The target of a link; undefined when it is missing or the links form a cycle. */
function targetOf(link: string): Stats | undefined {
  try {
    return statSync(link);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function isInside(root: string, file: string): boolean {
  try {
    return insideRoot(root, file) === join(root, file);
  } catch {
    // A folder of the path is missing in the image, so the file is not inside it.
    return false;
  }
}

/** The hash of a file, and whether it is executable. Reads piece by piece, because the file may be a disk image. */
function hashOf(path: string): string {
  const hash = createHash('sha256');
  const fd = openSync(path, 'r');
  try {
    const piece = Buffer.allocUnsafe(1 << 20);
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) hash.update(piece.subarray(0, read));
    return `${hash.digest('hex')}${(fstatSync(fd).mode & 0o111) === 0 ? '' : ' x'}`;
  } finally {
    closeSync(fd);
  }
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
