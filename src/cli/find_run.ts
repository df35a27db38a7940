import { commandToType } from '../runtime/runs/command_to_type.js';
import { listRuns, RunFolder } from '../runtime/runs/run_folder.js';
import { ExitError, exits } from './exit_codes.js';

/** A run by its id or any unique prefix of it; the last run when none is named. */
export function findRun(state: string, id: string | undefined): RunFolder {
  const all = listRuns(state);
  const last = all.at(-1);
  if (last === undefined) throw new ExitError(exits.invalid, `no runs in ${state}`);
  if (id === undefined) return last;
  const found = all.filter((run) => run.id === id || run.id.startsWith(id));
  const [single, second] = found;
  if (single === undefined) throw new ExitError(exits.invalid, `unknown run "${id}"\n  help: ${commandToType(state, 'runs')}`);
  if (second !== undefined && single.id !== id)
    throw new ExitError(exits.invalid, `"${id}" matches ${found.length} runs; give more characters\n  help: ${found.map((run) => run.id).join(', ')}`);
  return new RunFolder(state, single.id);
}
