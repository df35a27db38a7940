import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { removeDrafts, removeFile, syncFolder, writeWhole } from '../../linux/atomic_write.js';
import { isHeld, LockedError, lock, type Release, removeDeadLocks } from '../../linux/lock.js';
import { removeMountPoint } from '../../linux/mounts.js';
import { readJson } from '../../linux/read_json.js';
import { shortName } from '../../linux/short_name.js';
import { FormatError } from './format.js';
import { Journal, type JournalContent, JournalError, type JournalHead, readJournal } from './journal.js';
import { resultOf } from './run_result.js';

/** All states of a run, as printed by `chrootfile runs` and used in its JSON. */
export const runStates = ['running', 'succeeded', 'destroyed', 'failed', 'left_behind', 'paused', 'interrupted', 'unreadable'] as const;

/**
 * The state of a run. `destroyed`: it succeeded, and `destroy` deleted its images; `failed`: everything was rolled back;
 * `left_behind`: it failed or was interrupted, and something could not be undone; `paused`: it failed and is kept for
 * `--resume`; `interrupted`: a signal or `--timeout` ended it and everything was rolled back, or its process was killed;
 * `unreadable`: its journal is damaged.
 */
export type RunState = (typeof runStates)[number];

/** A run in the list of runs. */
export interface RunSummary {
  readonly run: string;
  readonly recipe: string;
  readonly started: string;
  readonly state: RunState;
  /** The number of changes that are not undone. */
  readonly open: number;
  /** Whether nothing remains to be undone, and its journal says so. */
  readonly isOver: boolean;
  /** Why its journal cannot be read. */
  readonly error?: string;
}

/** Whether a run has ended and its undo has not. */
export function isUnfinished({ state, isOver }: RunSummary): boolean {
  return !isOver && state !== 'running';
}

/** The folder of one run. Everything in it is readable after a crash. */
export class RunFolder {
  constructor(
    readonly state: string,
    readonly id: string,
  ) {}

  get path(): string {
    return join(this.state, 'runs', this.id);
  }
  get journal(): string {
    return join(this.path, 'journal.jsonl');
  }
  /** A copy of the journal's head. If the journal is damaged, it shows which EC2 the run used. */
  private get head(): string {
    return join(this.path, 'run.json');
  }
  /** When the copy of the head was written, in milliseconds; 0 when it is missing. */
  get begun(): number {
    return statSync(this.head, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }
  get events(): string {
    return join(this.path, 'events.jsonl');
  }
  get logs(): string {
    return join(this.path, 'logs');
  }
  /** Where the run mounts things. Empty unless the run is in progress. */
  get mounts(): string {
    return join(this.path, 'mnt');
  }
  /** Where its pipes are while the run is in progress. */
  get pipes(): string {
    return join(this.path, 'pipes');
  }
  get plan(): string {
    return join(this.path, 'plan.json');
  }

  /** What is needed to resume a kept run. */
  get kept(): string {
    return join(this.path, 'kept.json');
  }

  /** Identity of the process that holds its mount namespace. */
  get keeper(): string {
    return join(this.path, 'keeper.json');
  }

  logOf(task: string): string {
    return join(this.logs, `${fileNameOf(task)}.log`);
  }

  /** Creates the contents of the folder of a new run, readable only by the owner. Locking the run has created the folder itself. */
  create(): void {
    for (const folder of [this.logs, this.mounts]) mkdirSync(folder, { mode: 0o700 });
    for (let folder = this.path; folder.length >= this.state.length; folder = dirname(folder)) syncFolder(folder);
  }

  /** Starts the journal of a new run. */
  begin(head: JournalHead): Journal {
    const journal = Journal.create(this.journal, head);
    try {
      writeWhole(this.head, `${JSON.stringify(head)}\n`);
      return journal;
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  /** Removes the folder of a run that changed nothing. */
  discard(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Locks the run, for its whole duration or that of its undo. */
  lock(purpose: string): Promise<Release> {
    return lock(join(this.path, 'run'), purpose);
  }

  /** @throws FormatError when a newer version wrote the run. */
  summary(): RunSummary {
    try {
      const journal = readJournal(this.journal);
      const { run, recipe, started } = journal.head;
      const hasSucceeded = journal.ended === 'committed' || journal.ended === 'destroyed';
      const open = hasSucceeded ? 0 : journal.open.length;
      return { run, recipe, started, state: this.stateOf(journal), open, isOver: !this.busy && journal.ended !== undefined && open === 0 };
    } catch (error) {
      if (error instanceof FormatError) throw error;
      const salvaged = error instanceof JournalError ? error.salvaged : undefined;
      const { recipe = '?', started = '?' } = this.headOf(salvaged) ?? {};
      const state = this.busy ? 'running' : 'unreadable';
      return { run: this.id, recipe, started, state, open: salvaged?.open.length ?? 0, isOver: false, error: (error as Error).message };
    }
  }

  /** The head of a run whose journal is unreadable, as far as it is known. @param salvaged the readable part of the journal. */
  headOf(salvaged: JournalContent | undefined): JournalHead | undefined {
    if (salvaged?.head !== undefined) return salvaged.head;
    try {
      return JSON.parse(readFileSync(this.head, 'utf8')) as JournalHead;
    } catch {
      return undefined;
    }
  }

  /** Whether the run or its undo is in progress. */
  get busy(): boolean {
    return isHeld(join(this.path, 'run'));
  }

  /** Whether the run was killed before it changed anything: the head of the journal, its copy and the recipe are written in this order, before all else. */
  get isStillborn(): boolean {
    if (existsSync(this.head) || existsSync(join(this.path, 'recipe.yml'))) return false;
    return !existsSync(this.journal) || !readFileSync(this.journal, 'latin1').includes('\n');
  }

  /** The tasks that printed output. */
  get tasksLogged(): string[] {
    const ids = existsSync(this.plan) ? (readJson(this.plan) as { nodes: { id: string }[] }).nodes.map(({ id }) => id) : [];
    const known = new Map(ids.map((id) => [fileNameOf(id), id]));
    const names = existsSync(this.logs) ? readdirSync(this.logs).map((name) => name.replace(/\.log$/, '')) : [];
    return names.map((name) => known.get(name) ?? decodeURIComponent(name));
  }

  /** Removes what only a running run needs, and leftovers of a killed one. Must not be called for a kept run. */
  tidy(): void {
    rmSync(this.pipes, { recursive: true, force: true });
    for (const name of existsSync(this.mounts) ? readdirSync(this.mounts) : []) {
      const path = join(this.mounts, name);
      // A mount table, see chroot_dev.
      if (name.endsWith('.fstab')) removeFile(path);
      else removeMountPoint(path);
    }
    removeMountPoint(this.mounts);
    removeDrafts(this.path, 'all');
    removeDeadLocks(this.path);
  }

  private stateOf(journal: JournalContent): RunState {
    if (this.busy) return 'running';
    if (journal.ended === 'committed') return 'succeeded';
    if (journal.ended === 'destroyed') return 'destroyed';
    if (journal.ended === undefined && existsSync(this.kept)) return 'paused';
    const { finished, isInterrupted } = resultOf(this);
    if (finished === undefined) return 'interrupted';
    if (journal.ended === undefined || journal.open.length > 0) return 'left_behind';
    return isInterrupted ? 'interrupted' : 'failed';
  }
}

/** A task id as the name of a file that needs no quoting in scripts. */
export function fileNameOf(task: string): string {
  return shortName(task.replace(/[^A-Za-z0-9_.-]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`));
}

/** All runs of a state folder, oldest first. */
export function listRuns(state: string): RunFolder[] {
  return foldersOf(state).filter((run) => !run.isStillborn || (run.busy && existsSync(run.journal)));
}

/** Removes the folders of runs that were killed before they changed anything, and temporary files of other killed runs. */
export async function tidyRuns(state: string): Promise<void> {
  for (const run of foldersOf(state)) {
    if (existsSync(run.kept)) continue;
    let release: Release;
    try {
      release = await run.lock('undo --all');
    } catch (error) {
      if (error instanceof LockedError) continue;
      throw error;
    }
    try {
      if (run.isStillborn) run.discard();
      else run.tidy();
    } finally {
      await release();
    }
  }
}

function foldersOf(state: string): RunFolder[] {
  const folder = join(state, 'runs');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => new RunFolder(state, name))
    .sort(byStart);
}

/** Ids begin with the second of the start. Within one second, the modification time of the head's copy decides, because it is written once, at the start. */
function byStart(a: RunFolder, b: RunFolder): number {
  const [one, two] = [a, b].map(({ id }) => id.slice(0, 15)) as [string, string];
  if (one !== two) return one < two ? -1 : 1;
  return a.begun - b.begun || (a.id < b.id ? -1 : 1);
}

/** The id of a new run: time, name, and four random letters to tell apart runs of the same second. Ids sort by time. */
export function newRunId(name: string, now: Date): string {
  const time = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const letters = Math.random().toString(36).slice(2, 6).padEnd(4, '0');
  return `${time}-${shortName(name)}-${letters}`;
}
