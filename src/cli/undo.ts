import { join } from 'node:path';
import type { Left, RunEvent } from '../runtime/events.js';
import { Journal } from '../runtime/journal.js';
import { letNamespaceGo } from '../runtime/keeper.js';
import { forgetKept } from '../runtime/kept.js';
import { removeDeadHostLocks } from '../runtime/locks.js';
import { removeMountPoint } from '../runtime/mounts.js';
import { PipeMaker } from '../runtime/pipe.js';
import { Redactor } from '../runtime/redact.js';
import { RunRecord, redacting } from '../runtime/report.js';
import { isUnfinished, listRuns, type RunFolder } from '../runtime/runs.js';
import { hostShell } from '../runtime/shell.js';
import { closeNotesIn, undoersOf, undoNotes } from '../runtime/undo.js';
import { scriptUndoer } from '../runtime/user_script.js';
import { kinds } from '../tasks/index.js';
import { ExitError, exits } from './exits.js';
import { pair } from './load.js';
import { print, printError, printJson, styled } from './output.js';
import { printLeft } from './reports/summary.js';
import { findRun } from './runs.js';
import { isRoot, stateFolder } from './state.js';
import { openWorld } from './world.js';

export interface UndoOptions {
  readonly state?: string;
  readonly all: boolean;
  readonly json: boolean;
  readonly input: readonly string[];
}

/** `chrootfile undo`: takes back what a run that died, or could not undo all, left behind. */
export async function undo(id: string | undefined, options: UndoOptions): Promise<number> {
  if (!isRoot()) throw new ExitError(exits.host, `undo needs root\n  help: sudo chrootfile undo ${options.all ? '--all' : (id ?? '')}`);
  const state = stateFolder(options.state);
  if (options.all && id !== undefined) throw new ExitError(exits.invalid, 'undo takes a run or --all, not both');
  if (!options.all && id === undefined) throw new ExitError(exits.invalid, 'say which run, or --all\n  help: chrootfile runs');
  const folders = options.all ? unfinishedRuns(state) : [findRun(state, id)];
  const results: { run: string; undone: number; left: Left[] }[] = [];
  // As it is now: what the SDK is told by it is no business of scripts.
  const environment = { ...process.env };
  for (const folder of folders) {
    try {
      results.push({ run: folder.id, ...(await undoRun(folder, options, environment)) });
    } catch (error) {
      // One run that cannot be undone does not keep the others from it.
      if (!options.all) throw error;
      results.push({ run: folder.id, undone: 0, left: [{ task: '', kind: '', error: (error as Error).message, by_hand: [] }] });
      printError(`chrootfile: ${folder.id}: ${(error as Error).message}`);
    }
  }
  removeDeadHostLocks();
  const left = results.flatMap((result) => result.left);
  if (options.json) printJson(results);
  else if (results.length === 0) print('nothing to undo');
  return left.length === 0 ? exits.done : exits.left;
}

function unfinishedRuns(state: string): RunFolder[] {
  return listRuns(state).filter((run) => {
    const summary = run.summary();
    return summary !== undefined && isUnfinished(summary);
  });
}

async function undoRun(folder: RunFolder, options: UndoOptions, environment: NodeJS.ProcessEnv): Promise<{ undone: number; left: Left[] }> {
  // A run that goes on holds this lock: exit 4.
  const release = await folder.lock('undo');
  const journal = Journal.open(folder.journal);
  const record = new RunRecord(folder);
  const pipes = new PipeMaker(join(folder.path, 'pipes'), hostShell);
  const redactor = new Redactor();
  try {
    if (journal.ended === 'committed' || journal.ended === 'destroyed') {
      throw new ExitError(exits.invalid, `run ${folder.id} ended well; what it made is yours to keep\n  help: chrootfile destroy ${folder.id} takes it away`);
    }
    const { cloud, sandbox } = journal.head;
    const world = openWorld(cloud, folder.state, new AbortController().signal, sandbox);
    const secrets = new Map(options.input.map(pair));
    for (const value of secrets.values()) redactor.add(value);
    const undoers = undoersOf(kinds);
    undoers.set(
      'script',
      scriptUndoer(
        new Map(),
        pipes,
        (name) => {
          const value = secrets.get(name) ?? environment[`CHROOTFILE_INPUT_${name.toUpperCase()}`];
          redactor.add(value);
          return value;
        },
        environment,
        (task, lines) => emit({ type: 'task.output', task, lines }),
      ),
    );
    const emit = redacting(redactor, [(event) => record.record(event), options.json ? () => {} : say]);
    // The mounts of a sandboxed run go with its last process, or here if it was kept, and with them what ran in its chroots.
    await letNamespaceGo(folder.keeper);
    forgetKept(folder);
    if (sandbox) for (const note of [...journal.open]) if (note.kind === 'chroot') closeNotesIn(note.task, journal);
    const before = journal.open.length;
    const left = await undoNotes(journal.open, { journal, undoers, world, emit, gates: 'all' });
    if (left.length === 0) journal.end('undone');
    removeMountPoint(folder.mounts);
    if (!options.json) {
      if (left.length > 0) printLeft(left, folder.id);
      else print(`${styled('green', '✔')} run ${folder.id}: ${before === 0 ? 'nothing was left' : 'everything was undone'}`);
    }
    return { undone: before - left.length, left };
  } finally {
    pipes.close();
    record.close();
    journal.close();
    await release();
  }
}

function say(event: RunEvent): void {
  if (event.type === 'undo.entry' && event.ok) print(`${styled('yellow', '<')} undo ${event.task} (${event.kind})`);
}
