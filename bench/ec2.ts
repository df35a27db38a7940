import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { latencies } from '../src/local/fault_injection.js';
import { type Contender, type Figure, inTurn, median, peakMemory, program, type Row, timed } from './measure.js';

const recipes = import.meta.dirname;

interface Server {
  readonly endpoint: string;
  readonly log: string;
  /** Environment variables for its clients. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Serves EC2 with the image `tiny` in it. */
async function serve(folder: string, latency: 'instant' | 'ec2'): Promise<Server> {
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'log.ndjson');
  const args = ['local', 'serve', '--state', join(folder, 'ec2'), '--port', '0', '--metadata-port', '0', '--json', '--latency', latency, '--log', log];
  timed([program, 'run', '-q', join(recipes, 'tiny.yml')], { CHROOTFILE_STATE: join(folder, 'ec2') });
  // With delays its snapshot is not complete before they are over.
  await sleep(latencies[latency].snapshot);
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = new Promise<void>((done) => child.on('close', () => done()));
  const line = await new Promise<string>((printed, fail) => {
    child.stdout?.once('data', (chunk) => printed(String(chunk)));
    void closed.then(() => fail(new Error('local serve ended')));
  });
  return {
    ...(JSON.parse(line) as Pick<Server, 'endpoint' | 'env'>),
    log,
    stop: async () => {
      child.kill('SIGTERM');
      await closed;
      const left = '/mnt/packer-amazon-chroot-volumes';
      // Packer leaves a folder for each device.
      if (existsSync(left) && readdirSync(left).every((name) => readdirSync(join(left, name)).length === 0)) rmSync(left, { recursive: true });
    },
  };
}

/** The programs that build the same image, each with its own image name and device. */
function contenders(folder: string, { endpoint, env }: Server) {
  const name = () => `bench ${randomUUID()}`;
  const ours = (): Contender => ({
    who: 'chrootfile',
    command: () => [program, 'run', join(recipes, 'amazon_chroot.yml'), '-q', '-i', `name=${name()}`, '--cloud', 'aws', '--endpoint', endpoint],
    env: { CHROOTFILE_STATE: join(folder, 'state'), ...env },
  });
  const script = (letter = 'g'): Contender => ({
    who: 'bench/amazon_chroot.sh',
    command: () => [join(recipes, 'amazon_chroot.sh'), endpoint, name(), letter],
    env,
  });
  const packer = (letter: string, poll?: string): Contender => ({
    who: `Packer 1.6.6, ${poll === undefined ? 'its own polling' : `${poll} s polling`}`,
    command: () => {
      const file = join(folder, `packer-${letter}.json`);
      const builder = {
        type: 'amazon-chroot',
        region: 'local-1',
        custom_endpoint_ec2: endpoint,
        source_ami_filter: { filters: { name: 'tiny' }, owners: ['self'] },
        device_path: `/dev/xvd${letter}`,
        ami_name: name(),
      };
      writeFileSync(file, JSON.stringify({ builders: [builder], provisioners: [{ type: 'shell', inline: ['true'] }] }));
      return ['packer', 'build', file];
    },
    env: { ...env, CHECKPOINT_DISABLE: '1', ...(poll === undefined ? {} : { AWS_POLL_DELAY_SECONDS: poll, AWS_MAX_ATTEMPTS: '300' }) },
  });
  return { ours, script, packer };
}

/** The number of requests and the peak memory of one run. */
async function withCosts(figure: Figure, one: Contender, { log }: Server): Promise<Figure> {
  const before = countOf(log);
  timed(one.command(0), one.env);
  const calls = countOf(log) - before;
  return { ...figure, calls, memory_mb: await peakMemory(one.command(0), one.env) };
}

function countOf(log: string): number {
  return readFileSync(log, 'utf8').split('\n').length;
}

/** amazon-chroot without provisioning on an EC2 without delays: all time is the builder's own. */
export async function instant(folder: string, rounds: number): Promise<Row[]> {
  const server = await serve(join(folder, 'instant'), 'instant');
  try {
    const { ours, script, packer } = contenders(folder, server);
    const all = [ours(), packer('h'), script()];
    const figures = inTurn(all, rounds);
    for (const [i, one] of all.entries()) figures[i] = await withCosts(figures[i] as Figure, one, server);
    const [we, peer] = figures as [Figure, Figure];
    const plan =
      'chrootfile spends a fifth of its time on the start of Node, a fifth on reading the recipe and its two libraries, a tenth on loading the AWS SDK and a tenth on checking permissions, all in code that V8 runs for the first time. A V8 snapshot would save most of that, but works with one version of Node only.';
    return [{ work: 'amazon-chroot on an EC2 without delays', figures, bound: '≤ Packer', held: we.seconds <= peer.seconds, plan }];
  } finally {
    await server.stop();
  }
}

/** The same with the delays of EC2. */
export async function delayed(folder: string, rounds: number): Promise<Row[]> {
  const server = await serve(join(folder, 'ec2'), 'ec2');
  const { volume, attach, detach, snapshot, image } = latencies.ec2;
  const sum = (volume + attach + detach + snapshot + image) / 1000;
  try {
    const { ours, script, packer } = contenders(folder, server);
    // Packer's own polling takes the same time to a tenth of a second: it sleeps for most of it.
    const all = [ours(), packer('h', '1'), script(), { ...packer('i'), runs: 3 }];
    const figures = inTurn(all, rounds);
    for (const i of [0, 1, 3]) figures[i] = await withCosts(figures[i] as Figure, all[i] as Contender, server);
    const [we] = figures as [Figure];
    const one: Row = {
      work: `amazon-chroot on an EC2 with delays of ${sum} s in total`,
      figures,
      bound: `≤ 1.06 × ${sum} s = ${(1.06 * sum).toFixed(1)} s; fewer than 42 calls`,
      held: we.seconds <= 1.06 * sum && (we.calls ?? 0) < 42,
    };
    const four = [
      await atOnce([1, 2, 3, 4].map(ours), Math.ceil(rounds / 2)),
      await atOnce(
        [...'jklm'].map((letter) => packer(letter, '1')),
        3,
      ),
      await atOnce(
        [...'jklm'].map((letter) => packer(letter)),
        1,
      ),
    ];
    const slowest = four[0]?.seconds ?? 0;
    return [one, { work: 'Four of these builds at the same time: the slowest', figures: four, bound: '≤ 1.15 × one run', held: slowest <= 1.15 * we.seconds }];
  } finally {
    await server.stop();
  }
}

/** Several builds at the same time, repeatedly: the time of the slowest. */
async function atOnce(all: readonly Contender[], rounds: number): Promise<Figure> {
  const slowest: number[] = [];
  for (let round = 0; round < rounds; round += 1) slowest.push(Math.max(...(await Promise.all(all.map(secondsOf)))));
  return { who: all[0]?.who ?? '', runs: rounds, seconds: median(slowest), least: Math.min(...slowest), most: Math.max(...slowest) };
}

function secondsOf({ command, env }: Contender): Promise<number> {
  const [name = '', ...args] = command(0);
  const started = performance.now();
  const child = spawn(name, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
  return new Promise((done, fail) => {
    child.on('close', (code) => (code === 0 ? done((performance.now() - started) / 1000) : fail(new Error(`${name} exits ${code}`))));
  });
}
