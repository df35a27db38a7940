import type { RunEvent } from '../../runtime/engine/events.js';
import { policy } from '../../runtime/engine/policy.js';
import { commandToType } from '../../runtime/runs/command_to_type.js';
import type { Report } from './report.js';

/** A report that prints nothing while a task has the terminal, and then everything that happened meanwhile. */
export function holding({ sink, end }: Report, state: string): Report {
  let held: RunEvent[] | undefined;
  let lines = 0;
  let dropped = 0;
  const hold = (event: RunEvent, into: RunEvent[]) => {
    const more = event.type === 'task.output' ? event.lines.length : 0;
    if (more > 0 && lines + more > policy.heldLines) dropped += more;
    else {
      lines += more;
      into.push(event);
    }
  };
  const showHeld = (task: string) => {
    for (const event of held ?? []) sink(event);
    if (dropped > 0)
      sink({ type: 'warning', message: `${dropped} lines of output were not printed while ${task} had the terminal; see ${commandToType(state, 'logs')}` });
    held = undefined;
    lines = 0;
    dropped = 0;
  };
  return {
    end,
    sink: (event) => {
      if (event.type !== 'terminal.returned' && held !== undefined) return hold(event, held);
      sink(event);
      if (event.type === 'terminal.lent') held = [];
      else if (event.type === 'terminal.returned') showHeld(event.task);
    },
  };
}
