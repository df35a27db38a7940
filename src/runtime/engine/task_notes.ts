import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { Note } from '../runs/journal.js';
import { undoNotes } from '../runs/undo.js';
import type { Left } from './events.js';
import type { Execution } from './execution.js';

/** Writes the notes of a run's tasks to its journal: what each task changed, and which other changes that one uses. */
export class TaskNotes {
  private readonly ancestors = new Map<string, ReadonlySet<string>>();

  constructor(private readonly execution: Pick<Execution, 'plan' | 'journal' | 'undoers' | 'host' | 'inUndo'>) {}

  /** Records how to undo a change before it is made. @param kind whose `undo` is called. @returns the number of the note. */
  add(task: LinkedTask, kind: string, data: object): number {
    const { journal } = this.execution;
    const { open } = journal;
    const below = this.ancestorsOf(task.id);
    return journal.add({
      task: task.id,
      kind,
      on: open.filter((note) => note.task === task.id || below.has(note.task)).map((note) => note.id),
      standsOn: task.lifetime === 'resource' ? open.filter((note) => task.uses.has(note.task)).map((note) => note.id) : [],
      in: kind === 'script' ? task.in : undefined,
      data,
    }).id;
  }

  /** Undoes all changes of a task. @returns what could not be undone. */
  undo(task: string): Promise<Left[]> {
    return this.undoOnly(this.execution.journal.open.filter((note) => note.task === task).map(({ id }) => id));
  }

  /** Undoes what a failed attempt of a task changed, before the next one; except what that one continues. */
  undoAttempt(task: string): Promise<Left[]> {
    const continued = this.continued(task).map(({ id }) => id);
    const all = this.execution.journal.open.filter((note) => note.task === task).map(({ id }) => id);
    return this.undoOnly(all.filter((id) => !continued.includes(id)));
  }

  /** What the next attempt of a task continues. */
  continued(task: string): Note[] {
    return this.execution.journal.open.filter((note) => note.task === task && (note.data as { continues?: boolean }).continues === true);
  }

  /** Undoes the changes of some notes. @returns what could not be undone. */
  undoOnly(ids: readonly number[]): Promise<Left[]> {
    const { journal, undoers, host } = this.execution;
    const notes = journal.open.filter((note) => ids.includes(note.id));
    return this.execution.inUndo((signal) => undoNotes(notes, { journal, undoers, host: { ...host, signal }, emit: () => {}, gates: 'resources' }));
  }

  /** The tasks that a task depends on, directly or indirectly. */
  private ancestorsOf(id: string): ReadonlySet<string> {
    const known = this.ancestors.get(id);
    if (known !== undefined) return known;
    const found = new Set<string>();
    const open = [id];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const link of this.execution.plan.tasks.get(at)?.links ?? []) {
        if (link.released || found.has(link.to)) continue;
        found.add(link.to);
        open.push(link.to);
      }
    }
    this.ancestors.set(id, found);
    return found;
  }
}
