import { Heap } from '../../dsl/plan/graph.js';
import { isSatisfied, type NodeOutcome } from './events.js';

/** Something to run after other jobs. */
export interface Job {
  readonly id: string;
  readonly after: readonly { readonly from: string; readonly requires: boolean }[];
  /** Whether it counts towards `-j`. Waiting for EC2 does not. */
  readonly takesPlace: boolean;
  /** For each limit, at most `most` jobs with a limit of that name run at once. */
  readonly limits: readonly { readonly name: string; readonly most: number }[];
  /** Runs the job and returns its outcome; never rejects. */
  run(): Promise<NodeOutcome>;
}

export interface SchedulerOptions {
  /** Maximum number of jobs with `takesPlace` that run at once. */
  readonly places: number;
  /** After a failure, start the jobs that do not depend on the failed one. */
  readonly keepGoing: boolean;
  /** No new job starts once this aborts. */
  readonly signal: AbortSignal;
  /** Called at the first failure, so that running jobs can be cancelled. */
  readonly onFailure: () => void;
  /** Called for each job that will not run. */
  readonly onNotRun: (id: string, reason: string) => void;
}

/**
 * Runs each job as soon as the jobs it waits for have ended. Jobs that become ready at the same time start in the
 * given order. Resolves when no job is running.
 * @throws Error when jobs wait for each other. Plans are checked for cycles, so that is a bug.
 */
export function runJobs(jobs: readonly Job[], options: SchedulerOptions): Promise<ReadonlyMap<string, NodeOutcome>> {
  return new Promise((resolve, reject) => new Scheduler(jobs, options, resolve, reject).start());
}

class Scheduler {
  private readonly outcomes = new Map<string, NodeOutcome>();
  private readonly byId: ReadonlyMap<string, Job>;
  private readonly rank: ReadonlyMap<string, number>;
  private readonly followers = new Map<string, string[]>();
  private readonly waiting = new Map<string, number>();
  private readonly ready: Heap<string>;
  private readonly readyForFree: Heap<string>;
  /** Ready jobs that wait for a limit, by its name. */
  private readonly held = new Map<string, Heap<string>>();
  private readonly runningOf = new Map<string, number>();
  private running = 0;
  private placesTaken = 0;
  private failed = false;

  constructor(
    jobs: readonly Job[],
    private readonly options: SchedulerOptions,
    private readonly resolve: (outcomes: ReadonlyMap<string, NodeOutcome>) => void,
    private readonly reject: (error: Error) => void,
  ) {
    this.byId = new Map(jobs.map((job) => [job.id, job]));
    this.rank = new Map(jobs.map((job, i) => [job.id, i]));
    const rankOf = (id: string) => this.rank.get(id) ?? 0;
    this.ready = new Heap([], rankOf);
    this.readyForFree = new Heap([], rankOf);
    for (const job of jobs) {
      this.waiting.set(job.id, job.after.length);
      for (const { from } of job.after) {
        const list = this.followers.get(from);
        if (list === undefined) this.followers.set(from, [job.id]);
        else list.push(job.id);
      }
    }
  }

  start(): void {
    for (const [id, count] of this.waiting) if (count === 0) this.makeReady(id);
    this.startReady();
  }

  private get stopped(): boolean {
    return this.options.signal.aborted || (this.failed && !this.options.keepGoing);
  }

  private makeReady(id: string): void {
    const job = this.byId.get(id) as Job;
    (job.takesPlace ? this.ready : this.readyForFree).put(id);
  }

  private startReady(): void {
    while (!this.stopped) {
      const place = this.placesTaken < this.options.places ? this.ready.take() : undefined;
      const id = place ?? this.readyForFree.take();
      if (id === undefined) break;
      const job = this.byId.get(id) as Job;
      const missing = job.after.find((edge) => edge.requires && !isSatisfied(this.outcomes.get(edge.from)));
      if (missing !== undefined) {
        this.options.onNotRun(id, `"${missing.from}" did not succeed`);
        this.settle(id, 'not_run');
        continue;
      }
      const full = job.limits.find((limit) => !this.hasRoom(limit));
      if (full === undefined) this.begin(job);
      else this.hold(job, full.name);
    }
    if (this.running > 0) return;
    if (this.stopped) this.giveUp();
    if (this.outcomes.size === this.byId.size) this.resolve(this.outcomes);
    else {
      const stuck = [...this.byId.keys()].filter((id) => !this.outcomes.has(id));
      this.reject(new Error(`internal error: these jobs wait for each other: ${stuck.slice(0, 10).join(', ')}`));
    }
  }

  private begin(job: Job): void {
    this.running += 1;
    if (job.takesPlace) this.placesTaken += 1;
    for (const { name } of job.limits) this.runningOf.set(name, (this.runningOf.get(name) ?? 0) + 1);
    void job.run().then((outcome) => {
      this.running -= 1;
      if (job.takesPlace) this.placesTaken -= 1;
      for (const { name } of job.limits) {
        this.runningOf.set(name, (this.runningOf.get(name) ?? 1) - 1);
        this.letOneIn(name);
      }
      if (outcome === 'failed' && !this.failed) {
        this.failed = true;
        this.options.onFailure();
      }
      this.settle(job.id, outcome);
      this.startReady();
    }, this.reject);
  }

  private hasRoom({ name, most }: Job['limits'][number]): boolean {
    return (this.runningOf.get(name) ?? 0) < most;
  }

  /** Queues a job until a limit has room. Other jobs can use the room that it would have taken under its other limits. */
  private hold(job: Job, limit: string): void {
    const heap = this.held.get(limit) ?? new Heap<string>([], (id) => this.rank.get(id) ?? 0);
    this.held.set(limit, heap);
    heap.put(job.id);
    for (const other of job.limits) if (other.name !== limit && this.hasRoom(other)) this.letOneIn(other.name);
  }

  private letOneIn(limit: string): void {
    const id = this.held.get(limit)?.take();
    if (id !== undefined) this.makeReady(id);
  }

  private settle(id: string, outcome: NodeOutcome): void {
    this.outcomes.set(id, outcome);
    for (const follower of this.followers.get(id) ?? []) {
      const count = (this.waiting.get(follower) ?? 0) - 1;
      this.waiting.set(follower, count);
      if (count === 0) this.makeReady(follower);
    }
  }

  private giveUp(): void {
    for (const id of this.byId.keys()) {
      if (this.outcomes.has(id)) continue;
      this.options.onNotRun(id, this.failed ? 'another task failed' : 'cancelled');
      this.outcomes.set(id, 'not_run');
    }
  }
}
