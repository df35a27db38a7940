import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './cases.js';
import { detachAll } from './host.js';
import type { Options } from './options.js';
import type { Tools } from './shim.js';
import type { Answer, Job } from './worker.js';

/** Asks one worker and waits for its answer. */
export type Ask = (job: Job) => Promise<Answer>;

/** Workers, each in mount and pid namespaces of its own: what a case leaves there is its own, and ends with the worker. */
export class Pool {
  private readonly workers: ChildProcess[] = [];

  constructor(
    private readonly options: Options,
    private readonly folder: string,
    private readonly tools: Tools,
  ) {}

  /** Does something with each job, as many at once as there are workers, in order. */
  async each(jobs: readonly Job[], body: (job: Job, ask: Ask) => Promise<void>): Promise<void> {
    const waiting = [...jobs];
    while (this.workers.length < Math.min(this.options.workers, jobs.length)) this.workers.push(this.start(this.workers.length));
    await Promise.all(
      this.workers.map(async (worker) => {
        for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await body(job, (one) => ask(worker, one));
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
    const { program } = this.options;
    const bench: Bench = { program, tools: this.tools, prepared: join(this.folder, 'prepared'), folder: this.folderOf(number) };
    const node = [process.execPath, '--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'worker.ts')];
    const options = ['--mount', '--propagation', 'slave', '--pid', '--fork', '--kill-child', '--mount-proc'];
    return spawn('unshare', [...options, '--', 'sh', '-c', inNamespace, 'worker', ...node], {
      env: { ...process.env, CHROOTFILE_FAULT_WORKER: JSON.stringify(bench) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }
}

/** The shell stays, as the process that waits for those whose parents were killed. /dev/shm and /run are the worker's own. */
const inNamespace = `mount --make-rshared / && mount -t tmpfs shm /dev/shm && mount -t tmpfs run /run || exit
"$@"
exit $?`;

function ask(worker: ChildProcess, job: Job): Promise<Answer> {
  return new Promise((done, fail) => {
    const ended = () => fail(new Error('a worker has ended'));
    worker.once('exit', ended);
    worker.once('message', (answer) => {
      worker.off('exit', ended);
      done(answer as Answer);
    });
    worker.send(job);
  });
}
