import type { RunState } from '../runtime/runs/run_folder.js';

/** The state of a run as it is printed. */
export function stateText(state: RunState): string {
  return state === 'left_behind' ? 'failed, left behind' : state;
}
