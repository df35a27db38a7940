/** Counts the requests of a run to EC2, and the time it waited. */
export class ApiMetrics {
  private readonly calls = new Map<string, number>();
  private readonly waits = new Map<string, number>();
  /** Descriptions of what the run waits for now, e.g. `volume vol-1 to be detached`. */
  readonly waitsFor = new Set<string>();

  /** Counts a request; each attempt counts. */
  called(action: string): void {
    this.calls.set(action, (this.calls.get(action) ?? 0) + 1);
  }

  /** @param what e.g. `snapshot` */
  waited(what: string, ms: number): void {
    this.waits.set(what, (this.waits.get(what) ?? 0) + ms);
  }

  /** Requests by action, and seconds waited by resource type; undefined if there was no request. */
  report(): { calls: Record<string, number>; waited: Record<string, number> } | undefined {
    if (this.calls.size === 0) return undefined;
    const sorted = <T>(map: ReadonlyMap<string, T>) => Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
    return { calls: sorted(this.calls), waited: sorted(new Map([...this.waits].map(([what, ms]) => [what, Math.round(ms) / 1000]))) };
  }
}
