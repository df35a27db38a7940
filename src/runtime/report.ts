import { closeSync, openSync, writeSync } from 'node:fs';
import type { EventSink, RunEvent } from './events.js';
import type { Redactor } from './redact.js';
import type { RunFolder } from './runs.js';

/** Keeps a run's events and the output of its tasks on disk, secrets taken out. */
export class RunRecord {
  private readonly events: number;
  private readonly logs = new Map<string, number>();

  constructor(private readonly folder: RunFolder) {
    this.events = openSync(folder.events, 'a', 0o600);
  }

  record(event: RunEvent): void {
    if (event.type !== 'task.output') {
      writeSync(this.events, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
      if (event.type === 'task.finished') this.closeLog(event.task);
      return;
    }
    let log = this.logs.get(event.task);
    if (log === undefined) {
      log = openSync(this.folder.logOf(event.task), 'a', 0o600);
      this.logs.set(event.task, log);
    }
    writeSync(log, `${event.lines.join('\n')}\n`);
  }

  close(): void {
    closeSync(this.events);
    for (const task of [...this.logs.keys()]) this.closeLog(task);
  }

  private closeLog(task: string): void {
    const log = this.logs.get(task);
    if (log !== undefined) closeSync(log);
    this.logs.delete(task);
  }
}

/** A sink that takes secrets out of every event and hands it on. */
export function redacting(redactor: Redactor, sinks: readonly EventSink[]): EventSink {
  return (event) => {
    const clean = redacted(event, redactor);
    for (const sink of sinks) {
      try {
        sink(clean);
      } catch {
        // A full disk or a lost terminal: whoever is told of it cannot be told, and the undo must go on.
      }
    }
  };
}

/** What people and scripts wrote in an event; its own words (type, task, outcome) stay as they are. */
const free = new Set(['lines', 'text', 'error', 'reason', 'message', 'outputs', 'left', 'processes', 'nodes']);

function redacted(event: RunEvent, redactor: Redactor): RunEvent {
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name,
      !free.has(name) ? value : name === 'left' || name === 'nodes' ? redactRows(value, redactor) : redactor.redactValue(value),
    ]),
  ) as unknown as RunEvent;
}

/** Rows whose names of tasks and kinds stay as they are. */
function redactRows(rows: readonly Record<string, unknown>[], redactor: Redactor): unknown {
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, ['id', 'task', 'kind'].includes(name) ? value : redactor.redactValue(value)])),
  );
}
