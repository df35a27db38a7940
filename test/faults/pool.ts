import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { detachAll } from './host.js';
import type { Tools } from './shim.js';

/** What a worker works with. */
export interface Bench {
  readonly program: string;
  readonly tools: Tools;
  /** Folders of prepared states, shared by the workers. */
  readonly prepared: string;
  /** The folder of this worker's cases. */
  readonly folder: string;
}

/** What the workers are. */
export interface Staff {
  readonly workers: number;
  /** The module that each of them runs. */
  readonly module: string;
  readonly bench: Omit<Bench, 'folder' | 'prepared'>;
  /** Namespaces of its own, besides those for mounts and processes: options of unshare. */
  readonly namespaces?: readonly string[];
  /** Shell commands before it starts, in its namespaces. */
  readonly before?: string;
}

/** Workers, each in mount and pid namespaces of its own: what a case leaves there is its own, and ends with the worker. */
export class Pool<Job, Answer> {
  private readonly workers: ChildProcess[] = [];

  constructor(
    private readonly staff: Staff,
    private readonly folder: string,
  ) {}

  /** Does something with each job, as many at once as there are workers, in order. */
  async each(jobs: readonly Job[], body: (job: Job, ask: (job: Job) => Promise<Answer>) => Promise<void>): Promise<void> {
    const waiting = [...jobs];
    while (this.workers.length < Math.min(this.staff.workers, jobs.length)) this.workers.push(this.start(this.workers.length));
    await Promise.all(
      this.workers.map(async (worker) => {
        for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await body(job, (one) => ask<Job, Answer>(worker, one));
      }),
    );
  }

  /** Ends the workers, and with them all they have started; what a case has attached meanwhile is detached. */
  close(): void {
    for (const worker of this.workers) worker.kill('SIGKILL');
    for (const number of this.workers.keys()) if (existsSync(this.folderOf(number))) detachAll(this.folderOf(number));
  }

  private folderOf(number: number): string {
    return join(this.folder, `case-${number}`);
  }

  private start(number: number): ChildProcess {
    const { module, namespaces = [], before = 'true' } = this.staff;
    const bench: Bench = { ...this.staff.bench, prepared: join(this.folder, 'prepared'), folder: this.folderOf(number) };
    const node = [process.execPath, '--import', import.meta.resolve('tsx'), module];
    const options = ['--mount', '--propagation', 'slave', '--pid', '--fork', '--kill-child', '--mount-proc', ...namespaces];
    return spawn('unshare', [...options, '--', 'sh', '-c', inNamespace(before), 'worker', ...node], {
      env: { ...process.env, CHROOTFILE_FAULT_WORKER: JSON.stringify(bench) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }
}

/** The shell stays, as the process that waits for those whose parents were killed. /dev/shm and /run are the worker's own. */
const inNamespace = (before: string) => `mount --make-rshared / && mount -t tmpfs shm /dev/shm && mount -t tmpfs run /run || exit
${before}
"$@"
exit $?`;

function ask<Job, Answer>(worker: ChildProcess, job: Job): Promise<Answer> {
  return new Promise((done, fail) => {
    const ended = () => fail(new Error('a worker has ended'));
    worker.once('exit', ended);
    worker.once('message', (answer) => {
      worker.off('exit', ended);
      done(answer as Answer);
    });
    worker.send(job as object);
  });
}
