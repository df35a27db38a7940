import { closeSync, openSync } from 'node:fs';
import { writeAll } from '../../linux/atomic_write.js';
import type { EventSink, RunEvent } from '../engine/events.js';
import { policy } from '../engine/policy.js';
import type { Redactor } from '../output/redactor.js';
import { TaskLog } from '../output/task_log.js';
import type { RunFolder } from './run_folder.js';

/** Writes a run's events and the output of its tasks to disk, without secrets. */
export class RunRecord {
  private events: number | undefined;
  private readonly logs = new Map<string, TaskLog>();

  /** @param logBytes limit on the size of each task's log. */
  constructor(
    private readonly folder: RunFolder,
    private readonly logBytes: number = policy.logBytes,
  ) {}

  record(event: RunEvent): void {
    if (event.type !== 'task.output') {
      this.events ??= openSync(this.folder.events, 'a', 0o600);
      writeAll(this.events, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
      if (event.type === 'task.finished') this.closeLog(event.task);
      return;
    }
    let log = this.logs.get(event.task);
    if (log === undefined) {
      log = new TaskLog(this.folder.logOf(event.task), this.logBytes);
      this.logs.set(event.task, log);
    }
    log.write(event.lines);
  }

  close(): void {
    const { events } = this;
    this.events = undefined;
    if (events !== undefined) closeSync(events);
    for (const task of [...this.logs.keys()]) this.closeLog(task);
  }

  private closeLog(task: string): void {
    const log = this.logs.get(task);
    // Delete it first, so that it counts as closed even if closing it fails.
    this.logs.delete(task);
    log?.close();
  }
}

/**
 * A sink that removes secrets from every event and passes it to other sinks. If a sink fails (full disk, lost
 * terminal), the other sinks get one warning, and the failed sink gets later events as before: the run and its undo
 * must go on.
 */
export function redacting(redactor: Redactor, sinks: readonly EventSink[]): EventSink {
  const failed = new Set<EventSink>();
  const hand = (event: RunEvent, to: readonly EventSink[]) => {
    for (const sink of to) {
      try {
        sink(event);
      } catch (error) {
        if (failed.has(sink)) continue;
        failed.add(sink);
        const message = `the record of the run is incomplete: ${redactor.message((error as Error).message)}`;
        hand(
          { type: 'warning', message },
          sinks.filter((other) => other !== sink),
        );
      }
    }
  };
  return (event) => hand(redacted(event, redactor), sinks);
}

/**
 * Fields with text of people and scripts. The other fields (type, task, outcome) hold words of chrootfile. Lines of
 * output were redacted when they were read.
 */
const free = new Set(['text', 'error', 'reason', 'message', 'outputs', 'outputs_error', 'left', 'processes', 'mounts', 'waiting', 'nodes', 'artifacts']);

function redacted(event: RunEvent, redactor: Redactor): RunEvent {
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name,
      !free.has(name) ? value : isRows(value) ? value.map((row) => redactedRow(row, redactor)) : withoutSecrets(name, value, redactor),
    ]),
  ) as unknown as RunEvent;
}

function isRows(value: unknown): value is readonly Record<string, unknown>[] {
  return Array.isArray(value) && value.every((row) => typeof row === 'object' && row !== null);
}

/** A row of a list. Names of tasks and kinds are left unchanged. */
function redactedRow(row: Record<string, unknown>, redactor: Redactor): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, ['id', 'task', 'kind'].includes(name) ? value : withoutSecrets(name, value, redactor)]),
  );
}

function withoutSecrets(name: string, value: unknown, redactor: Redactor): unknown {
  return typeof value === 'string' && ['error', 'message', 'outputs_error'].includes(name) ? redactor.message(value) : redactor.redactValue(value);
}
