import type { Artifact } from './kind.js';

/**
 * How a node of the plan ended. `up_to_date`: it had nothing to do; `tolerated`: it failed, which the recipe allows;
 * `unreached`: not started, because of what it waits for or of a cancel.
 */
export type NodeOutcome = 'done' | 'failed' | 'tolerated' | 'skipped' | 'up_to_date' | 'unreached';

/** Whether what waits for a node may run. */
export function endedWell(outcome: NodeOutcome | undefined): boolean {
  return outcome !== undefined && outcome !== 'failed' && outcome !== 'unreached';
}

/** What a run says while it goes on. Reports draw these; `events.jsonl` keeps them but for output. */
export type RunEvent =
  | {
      readonly type: 'run.started';
      readonly run: string;
      readonly recipe: string;
      /** How many nodes ended well before, where a kept run is gone on with. */
      readonly done: number;
      readonly nodes: readonly { readonly id: string; readonly description?: string | undefined }[];
    }
  /** `reason`: why it is not up to date, where it could be. */
  | { readonly type: 'task.started'; readonly task: string; readonly attempt: number; readonly reason?: string | undefined }
  | { readonly type: 'task.output'; readonly task: string; readonly lines: readonly string[] }
  | { readonly type: 'task.progress'; readonly task: string; readonly text: string }
  | { readonly type: 'task.retrying'; readonly task: string; readonly error: string; readonly inMs: number }
  /** A script that may ask has the terminal: nothing else is shown until it is returned. */
  | { readonly type: 'terminal.lent'; readonly task: string }
  | { readonly type: 'terminal.returned'; readonly task: string }
  /** What a script left behind; it ended with it. */
  | { readonly type: 'task.left_behind'; readonly task: string; readonly processes: readonly string[]; readonly mounts: readonly string[] }
  | {
      readonly type: 'task.finished';
      readonly task: string;
      readonly outcome: NodeOutcome;
      readonly seconds: number;
      readonly reason?: string | undefined;
      readonly error?: string | undefined;
      readonly outputs?: Readonly<Record<string, unknown>> | undefined;
    }
  | { readonly type: 'undo.started'; readonly reason: string; readonly entries: number }
  | { readonly type: 'undo.entry'; readonly task: string; readonly kind: string; readonly ok: boolean; readonly error?: string | undefined }
  | { readonly type: 'warning'; readonly message: string }
  /** A signal came while something is being undone. `waiting`: what EC2 is waited for, in words. */
  | { readonly type: 'undo.interrupted'; readonly reason: string; readonly waiting: readonly string[] }
  | {
      readonly type: 'run.finished';
      readonly ok: boolean;
      readonly exit: number;
      readonly run: string;
      readonly seconds: number;
      readonly outputs: Readonly<Record<string, unknown>>;
      /** Why outputs of a run that ended well could not be computed. */
      readonly outputs_error?: string | undefined;
      readonly left: readonly Left[];
      /** Whether what is left was kept, to go on with. */
      readonly kept: boolean;
      /** What was made and is kept, of a run that ended well. */
      readonly artifacts: readonly Artifact[];
      /** Requests to EC2 by action, and seconds waited by what was waited for. */
      readonly ec2?: { readonly calls: Readonly<Record<string, number>>; readonly waited: Readonly<Record<string, number>> } | undefined;
    };

/** Something a run could not undo: what to do by hand. */
export interface Left {
  readonly task: string;
  readonly kind: string;
  readonly error: string;
  readonly by_hand: readonly string[];
}

/** Takes events as they happen. */
export type EventSink = (event: RunEvent) => void;
