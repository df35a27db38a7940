import type { EventSink } from '../../runtime/engine/events.js';

/** Shows a run as it progresses. */
export interface Report {
  readonly sink: EventSink;
  /** Waits until everything is on the screen. */
  end(): Promise<void>;
}
