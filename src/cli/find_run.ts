import { listRuns, RunFolder } from '../runtime/runs/run_folder.js';
import { ExitError, exits } from './exit_codes.js';

/** A run by its id or a beginning of it that only one has; the last one where none is named. */
export function findRun(state: string, id: string | undefined): RunFolder {
  const all = listRuns(state);
  const last = all.at(-1);
  if (last === undefined) throw new ExitError(exits.invalid, `there are no runs in ${state}`);
  if (id === undefined) return last;
  const found = all.filter((run) => run.id === id || run.id.startsWith(id));
  const [single, second] = found;
  if (single === undefined) throw new ExitError(exits.invalid, `there is no run ${id}\n  help: chrootfile runs`);
  if (second !== undefined && single.id !== id)
    throw new ExitError(exits.invalid, `${found.length} runs begin with ${id}: ${found.map((run) => run.id).join(', ')}`);
  return new RunFolder(state, single.id);
}
