import type { Artifact } from './kind.js';

/**
 * How a node of the plan ended. `up_to_date`: nothing had changed; `cached`: its content came from a layer; `tolerated`: it failed, and the recipe ignores that;
 * `not_run`: not started, because a task it needs failed or the run was cancelled.
 */
export type NodeOutcome = 'succeeded' | 'failed' | 'tolerated' | 'skipped' | 'up_to_date' | 'cached' | 'not_run';

/** Whether tasks that need a node may run. */
export function isSatisfied(outcome: NodeOutcome | undefined): boolean {
  return outcome !== undefined && outcome !== 'failed' && outcome !== 'not_run';
}

/** What happens during a run. Reports print events; `events.jsonl` keeps all of them except output. */
export type RunEvent =
  | {
      readonly type: 'run.started';
      /** Of the format of events; the schema is `schemas/events.schema.json`. */
      readonly version: 1;
      readonly run: string;
      readonly recipe: string;
      /** How many nodes succeeded before, when a kept run is resumed. */
      readonly done: number;
      readonly nodes: readonly { readonly id: string; readonly type: 'task' | 'release'; readonly description?: string | undefined }[];
    }
  /** What is checked before a task starts: its preconditions, or whether it is up to date. */
  | { readonly type: 'task.checking'; readonly task: string; readonly text: string }
  /** `reason`: why a task with `sources` or `status` is not up to date. */
  | { readonly type: 'task.started'; readonly task: string; readonly attempt: number; readonly reason?: string | undefined }
  | { readonly type: 'task.output'; readonly task: string; readonly lines: readonly string[] }
  /** `percent`: how far it is, as a whole number, when that is known. */
  | { readonly type: 'task.progress'; readonly task: string; readonly text: string; readonly percent?: number | undefined }
  | { readonly type: 'task.retrying'; readonly task: string; readonly error: string; readonly inMs: number }
  /** An interactive script has the terminal: reports print nothing until it is returned. */
  | { readonly type: 'terminal.lent'; readonly task: string }
  | { readonly type: 'terminal.returned'; readonly task: string }
  /** What a script left behind; it was killed or unmounted when the script ended. */
  | { readonly type: 'task.left_behind'; readonly task: string; readonly processes: readonly string[]; readonly mounts: readonly string[] }
  | {
      readonly type: 'task.finished';
      readonly task: string;
      readonly outcome: NodeOutcome;
      readonly seconds: number;
      readonly reason?: string | undefined;
      /** Whether it failed only because the run was cancelled, by the user or by the failure of another task. */
      readonly cancelled?: boolean | undefined;
      readonly error?: string | undefined;
      readonly outputs?: Readonly<Record<string, unknown>> | undefined;
      /** The key of the layer that was made after it, or that it comes from. */
      readonly layer?: string | undefined;
      /** For a cached task: how long it took when it ran. */
      readonly saved?: number | undefined;
    }
  | { readonly type: 'undo.started'; readonly reason: string; readonly entries: number }
  | { readonly type: 'undo.entry'; readonly task: string; readonly kind: string; readonly ok: boolean; readonly error?: string | undefined }
  | { readonly type: 'warning'; readonly message: string }
  /** A signal arrived, or `--timeout` expired: running tasks are cancelled, or with `again` killed. */
  | { readonly type: 'run.interrupted'; readonly reason: string; readonly again: boolean }
  /** A signal arrived during an undo. `waiting`: what EC2 is being polled for, as text. */
  | { readonly type: 'undo.interrupted'; readonly reason: string; readonly waiting: readonly string[] }
  | {
      readonly type: 'run.finished';
      readonly ok: boolean;
      readonly exit: number;
      readonly run: string;
      readonly seconds: number;
      readonly outputs: Readonly<Record<string, unknown>>;
      /** Why outputs of a successful run could not be computed. */
      readonly outputs_error?: string | undefined;
      readonly left: readonly Left[];
      /** Whether what is left was kept for `--resume`. */
      readonly kept: boolean;
      /** What a successful run created. */
      readonly artifacts: readonly Artifact[];
      /** Requests to EC2 by action, and seconds waited by reason. */
      readonly ec2?: { readonly calls: Readonly<Record<string, number>>; readonly waited: Readonly<Record<string, number>> } | undefined;
    };

/** Something a run could not undo, with commands that remove it by hand. */
export interface Left {
  readonly task: string;
  readonly kind: string;
  readonly error: string;
  readonly by_hand: readonly string[];
}

/** Receives events as they happen. */
export type EventSink = (event: RunEvent) => void;
