import { letNamespaceGo } from '../linux/namespace_holder.js';
import type { Left, RunEvent } from '../runtime/engine/events.js';
import { Redactor } from '../runtime/output/redactor.js';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { Journal } from '../runtime/runs/journal.js';
import { forgetKept } from '../runtime/runs/resume_state.js';
import type { RunFolder } from '../runtime/runs/run_folder.js';
import { type Damage, leftBy, salvage } from '../runtime/runs/salvage.js';
import { closeNotesIn, endUndo, undoNotes } from '../runtime/runs/undo.js';
import { ExitError, exits } from './exit_codes.js';
import { openRun } from './open_run.js';
import { pair } from './recipe_file.js';
import { interruptedText } from './reports/lines.js';
import { printLeft } from './reports/summary.js';
import { print, printError, styled } from './terminal/output.js';
import type { Interruption } from './terminal/signals.js';
import { undoByTag } from './undo_by_tag.js';

/** The options of an undo. */
export interface UndoRunOptions {
  readonly json: boolean;
  /** Values of secret inputs, as `name=value`. */
  readonly input: readonly string[];
}

/** Undoes a run, from its lock to its last line of output. @throws ExitError for one that succeeded. */
export async function undoRun(
  folder: RunFolder,
  options: UndoRunOptions,
  environment: NodeJS.ProcessEnv,
  interruption: Interruption,
): Promise<{ undone: number; left: readonly Left[] }> {
  const redactor = new Redactor();
  const secrets = new Map(options.input.map(pair));
  for (const value of secrets.values()) redactor.add(value);
  let damage: Damage | undefined;
  const run = await openRun({
    folder,
    // A running run holds this lock: exit 4.
    purpose: 'undo',
    openJournal: async () => {
      damage = await salvage(folder);
      if (damage !== undefined) printError(`error: ${damage.message}`);
      return Journal.open(folder.journal);
    },
    prepare: ({ ended }) => {
      if (ended === 'committed' || ended === 'destroyed')
        throw new ExitError(
          exits.invalid,
          `run ${folder.id} succeeded, and keeps what it created\n  help: to delete it: ${commandToType(folder.state, `destroy ${folder.id}`)}`,
        );
    },
    redactor,
    environment,
    secret: (name) => {
      const value = secrets.get(name) ?? environment[`CHROOTFILE_INPUT_${name.toUpperCase()}`];
      redactor.add(value);
      return value;
    },
    sink: options.json ? () => {} : say,
    warn: (message) => printError(`warning: ${message}`),
    interruption,
  });
  try {
    const { journal, undoers, emit } = run;
    const { sandbox } = journal.head;
    // The mounts of a sandboxed run end with its last process, or here if it was kept; so do the processes in its chroots.
    await letNamespaceGo(folder.keeper);
    forgetKept(folder);
    if (sandbox) for (const note of [...journal.open]) if (note.kind === 'chroot') closeNotesIn(note.task, journal);
    const before = journal.open.length;
    const left = await interruption.inUndo(async (signal) => {
      const undoing = { journal, undoers, host: { ...run.host, mountsGone: sandbox, signal }, emit, gates: 'all', stop: interruption.signal } as const;
      const known = await undoNotes(journal.open, undoing);
      return damage === undefined ? known : [...known, ...(await undoByTag(folder, undoing))];
    });
    const all = redactor.redactValue([...endUndo(journal, left), ...(damage === undefined ? [] : [leftBy(damage)])]);
    folder.tidy();
    if (!options.json) {
      if (all.length > 0) printLeft(all, folder);
      else print(`${styled('green', '✔')} run ${folder.id}: ${before === 0 ? 'nothing was left to undo' : 'everything was undone'}`);
    }
    return { undone: before - left.length, left: all };
  } finally {
    await run.close();
  }
}

function say(event: RunEvent): void {
  if (event.type === 'undo.entry' && event.ok) print(`${styled('yellow', '<')} undo ${event.task} (${event.kind})`);
  if (event.type === 'undo.interrupted') printError(interruptedText(event));
}
