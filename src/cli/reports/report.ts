import type { EventSink } from '../../runtime/engine/events.js';

/** Shows a run while it goes on. */
export interface Report {
  readonly sink: EventSink;
  /** Waits until everything is on the screen. */
  end(): Promise<void>;
}
