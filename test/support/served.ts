import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Latency } from '../../src/local/fault_injection.js';
import { inFolder } from './folder.js';
import { type Ended, followed, program, repository, start } from './program.js';

/** A served embedded EC2, as clients see it. */
export interface Server {
  readonly endpoint: string;
  readonly metadata: string;
  readonly child: ChildProcess;
  /** The folder its state is in, as `state`, and its log, as `log.ndjson`. */
  readonly folder: string;
  /** What clients of AWS are told by the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<Ended>;
}

/** Starts `chrootfile local serve` on free ports. */
export async function serveIn(folder: string, ...args: readonly string[]): Promise<Server> {
  const started = start(['local', 'serve', '--port', '0', '--metadata-port', '0', '--json', '--log', join(folder, 'log.ndjson'), ...args], { folder });
  let printed = '';
  started.child.stdout?.on('data', (chunk) => {
    printed += chunk;
  });
  await started.saw('\n');
  const { endpoint, metadata, env } = JSON.parse(printed) as Pick<Server, 'endpoint' | 'metadata' | 'env'>;
  return {
    endpoint,
    metadata,
    child: started.child,
    folder,
    env: { ...env, AWS_PAGER: '' },
    stop: async () => {
      started.child.kill('SIGINT');
      const ended = await started.ended;
      // Where the logs of all servers are wanted in one.
      const wire = process.env['CHROOTFILE_OUTSIDE_LOG'];
      if (wire !== undefined) appendFileSync(wire, readFileSync(join(folder, 'log.ndjson')));
      return ended;
    },
  };
}

/** Runs something with a server in a folder of its own; it must end well, with nothing attached. */
export async function withServer<T>(body: (server: Server) => Promise<T>, region = 'local-1', latency: Partial<Latency> = {}): Promise<T> {
  return inFolder({ 'latency.json': JSON.stringify(latency) }, async (folder) => {
    const server = await serveIn(folder, '--region', region, '--latency', join(folder, 'latency.json'));
    let result: T;
    try {
      result = await body(server);
    } catch (error) {
      await server.stop();
      throw error;
    }
    const ended = await server.stop();
    if (ended.code !== 0) throw new Error(`the server ended with ${ended.code ?? ended.signal}: ${ended.stderr}`);
    return result;
  });
}

/**
 * A name to attach a volume as, and the node clients find it at. Another by each volume's random id: the nodes are
 * all of the host's, and somebody else may serve EC2 too.
 */
export function deviceNamesFor(volume: string): { readonly device: string; readonly alias: string } {
  const letter = (at: number, from: number) => String.fromCharCode(97 + from + (Number.parseInt(volume.slice(at).slice(0, 4), 16) % (26 - from)));
  // xvda… is the root disk of some machines.
  const letters = letter(-8, 1) + letter(-4, 0);
  return { device: `/dev/sd${letters}`, alias: `/dev/xvd${letters}` };
}

/** Runs another program to its end, with the environment of the server's clients. */
export function runProgram([name = '', ...args]: readonly string[], server: Server, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return followed(spawn(name, args, { cwd: server.folder, env: { ...process.env, ...server.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })).ended;
}

/** Types a line of the AWS command line, Debian's. */
export async function aws(server: Server, line: string): Promise<{ code: number | null; text: string; error: string }> {
  const { code, stdout, stderr } = await runProgram(['sh', '-c', `aws() { /usr/bin/aws --endpoint-url ${server.endpoint} "$@"; }\n${line}`], server);
  return { code, text: stdout.trim(), error: stderr.trim() };
}

/** Makes the image called `tiny` through the server; gives its id. */
export async function makeTiny(server: Server): Promise<string> {
  const recipe = join(repository, 'bench/tiny.yml');
  const ended = await runProgram([program, 'run', recipe, '--cloud', 'aws', '--endpoint', server.endpoint, '--state', join(server.folder, 'runs')], server);
  const [, id] = /image_id = (ami-\w+)/.exec(ended.stdout) ?? [];
  if (id === undefined) throw new Error(`${ended.stdout}${ended.stderr}`);
  return id;
}

/** The requests that the server had so far. */
export function requestsOf({ folder }: Server): { service: string; action: string; status?: number; code?: string; region: string; ms: number }[] {
  return readFileSync(join(folder, 'log.ndjson'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** The keys of a server, with an access key id of another account where one is named. */
export function keysOf({ env }: Pick<Server, 'env'>, accessKeyId = '000000000000'): { accessKeyId: string; secretAccessKey: string } {
  return { accessKeyId, secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' };
}

/** Packer leaves an empty folder of its own for each device, and a lock. */
export function tidyAfterPacker(devices: readonly string[]): void {
  const folder = '/mnt/packer-amazon-chroot-volumes';
  for (const device of devices) rmSync(join(folder, device), { recursive: true, force: true });
  if (existsSync(folder) && readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}
