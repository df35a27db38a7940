import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from './journal.js';
import { isHeld, lock, type Release } from './locks.js';

/**
 * What became of a run. `kept`: it failed, and what it made was kept to go on with; `dead`: its process is gone and what
 * it made may still be there.
 */
export type RunState = 'running' | 'committed' | 'destroyed' | 'undone' | 'left' | 'kept' | 'dead';

/** A run as it is listed. */
export interface RunSummary {
  readonly run: string;
  readonly recipe: string;
  readonly started: string;
  readonly state: RunState;
  /** How many changes are not undone. */
  readonly open: number;
}

/** Whether a run is over and its undo is not. */
export function isUnfinished({ state }: RunSummary): boolean {
  return state === 'dead' || state === 'left' || state === 'kept';
}

/** The folder of one run: everything it did, readable after a crash. */
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
  get events(): string {
    return join(this.path, 'events.jsonl');
  }
  get logs(): string {
    return join(this.path, 'logs');
  }
  /** Where the run mounts things. Empty but while it goes on. */
  get mounts(): string {
    return join(this.path, 'mnt');
  }

  /** What a kept run is gone on with. */
  get kept(): string {
    return join(this.path, 'kept.json');
  }

  /** The process that keeps its mounts, with the process's identity. */
  get keeper(): string {
    return join(this.path, 'keeper.json');
  }

  logOf(task: string): string {
    return join(this.logs, `${fileNameOf(task)}.log`);
  }

  /** Makes the folder of a new run, for its owner's eyes only. */
  create(): void {
    mkdirSync(this.logs, { recursive: true, mode: 0o700 });
    mkdirSync(this.mounts, { mode: 0o700 });
  }

  /** The lock that a run, or the undo of it, holds all the time. */
  lock(purpose: string): Promise<Release> {
    return lock(join(this.path, 'run'), purpose);
  }

  summary(): RunSummary | undefined {
    let journal: Journal;
    try {
      journal = Journal.open(this.journal);
    } catch {
      return undefined;
    }
    try {
      const { run, recipe, started } = journal.head;
      return { run, recipe, started, state: this.stateOf(journal), open: ['committed', 'destroyed'].includes(journal.ended ?? '') ? 0 : journal.open.length };
    } finally {
      journal.close();
    }
  }

  /** Whether the run goes on, or somebody undoes it. */
  get busy(): boolean {
    return isHeld(join(this.path, 'run'));
  }

  private stateOf(journal: Journal): RunState {
    if (this.busy) return 'running';
    if (journal.ended === 'committed' || journal.ended === 'destroyed') return journal.ended;
    if (journal.ended === 'undone') return journal.open.length === 0 ? 'undone' : 'left';
    return existsSync(this.kept) ? 'kept' : 'dead';
  }
}

/** The id of a task as the name of a file, which scripts may use unquoted; {@link taskOfFile} gives it back. */
export function fileNameOf(task: string): string {
  return task.replace(/[^A-Za-z0-9_.-]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** The task whose id gave the name of a file. */
export function taskOfFile(name: string): string {
  return decodeURIComponent(name);
}

/** All runs of a state folder, oldest first. */
export function listRuns(state: string): RunFolder[] {
  const folder = join(state, 'runs');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((id) => new RunFolder(state, id))
    .filter((run) => existsSync(run.journal));
}

/** A new run's id: when, what, and four letters against two in one second. Sorts by time. */
export function newRunId(name: string, now: Date): string {
  const time = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const letters = Math.random().toString(36).slice(2, 6).padEnd(4, '0');
  return `${time}-${name}-${letters}`;
}
