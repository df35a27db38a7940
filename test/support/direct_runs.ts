import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultRule } from '../../src/local/fault_injection.js';
import { recordsOf } from './ec2.js';
import { inFolder } from './folder.js';
import { run, type Started, start } from './program.js';
import { type RunResult, runRecipe } from './recipe.js';
import { makeTiny, requestsOf, type Server, serveIn } from './served.js';

/** The region of the served EC2. */
const region = 'eu-west-1';

/** A served EC2, and a folder of another machine, as it were, whose runs keep disks in their own state. */
export interface Direct {
  readonly server: Server;
  /** The folder of the runs; their state is in `state` in it. */
  readonly folder: string;
  /** The environment of the runs: this machine is no instance, and no metadata service answers. */
  readonly env: Readonly<Record<string, string>>;
  /** The same with the credentials of another account. */
  as(account: string): Direct;
  /** Runs a recipe. */
  run(text: string, ...more: readonly string[]): Promise<RunResult>;
  /** Starts to run a recipe. */
  start(text: string, ...more: readonly string[]): Started;
  /** Undoes all runs; it must succeed. */
  undo(): Promise<void>;
  /** How many requests of an action the served EC2 has had. */
  count(action: string): number;
}

/** Does something with a served EC2 and runs with direct volumes. @param rules the faults of the served EC2. */
export function withDirect<T>(body: (direct: Direct) => Promise<T>, rules: readonly FaultRule[] = []): Promise<T> {
  return inFolder({ 'faults.json': JSON.stringify(rules) }, async (served) => {
    const server = await serveIn(served, '--region', region, '--faults', join(served, 'faults.json'));
    const folder = join(served, 'here');
    mkdirSync(folder);
    try {
      return await body(directIn(server, folder));
    } finally {
      const ended = await server.stop();
      if (ended.code !== 0) console.log(`the server ended with ${ended.code ?? ended.signal}: ${ended.stderr}`);
    }
  });
}

function directIn(server: Server, folder: string, more: Readonly<Record<string, string>> = {}): Direct {
  const env = { ...server.env, AWS_EC2_METADATA_DISABLED: 'true', AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:9', ...more };
  const options = ['--cloud', 'aws', '--endpoint', server.endpoint, '--volumes', 'direct'];
  return {
    server,
    folder,
    env,
    as: (account) => directIn(server, folder, { AWS_ACCESS_KEY_ID: account }),
    run: (text, ...args) => runRecipe(folder, text, [...options, ...args], env),
    start: (text, ...args) => {
      writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\n${text}`);
      return start(['run', 'r.yml', '--format', 'json', ...options, ...args], { folder, env });
    },
    undo: async () => {
      const ended = await run(['undo', '--all'], { folder, env });
      if (ended.code !== 0) throw new Error(`undo ended with ${ended.code}: ${ended.stdout}${ended.stderr}`);
    },
    count: (action) => requestsOf(server).filter((request) => request.action === action).length,
  };
}

/** The same, after the image called tiny was made there. */
export function withTiny<T>(body: (direct: Direct) => Promise<T>, rules: readonly FaultRule[] = []): Promise<T> {
  return withDirect(async (direct) => {
    await makeTiny(direct.server);
    return body(direct);
  }, rules);
}

/** A build on the image called tiny: writes to a file, and keeps what is sent as `RUN.img`. @param more of the volume. @param from what it is made from. */
export function buildOn(text: string, more = '', from = '{snapshot_id: "{{ source.snapshot_id }}"'): string {
  return `inputs: {code: {type: integer, default: 0}}
tasks:
  source: {uses: ec2.source_image, with: {filters: {name: tiny}, owners: ["000000000000"]}}
  volume: {uses: ec2.volume, with: ${from}${more}}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts: {uses: disk.root, with: {device: "{{ disk.device }}"}}
  root: {uses: mount, with: {device: "{{ parts.device }}"}}
  write: {run: 'echo "${text}" > "{{ root.path }}/direct"'}
  keep:
    needs: [write, root.released]
    run: |
      blockdev --flushbufs {{ disk.device }}
      cp --sparse=always "$(cat /sys/block/{{ disk.name }}/loop/backing_file)" "{{ run.id }}.img"
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}", description: direct, tags: {a: b}}}
  image: {uses: ec2.image, with: {name: "direct-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
  end: {needs: [image], run: "exit {{ inputs.code }}"}
outputs: {snapshot_id: "{{ snapshot.id }}"}
`;
}

/** A run must have succeeded, and what it sent must be in the served EC2, byte for byte. */
export function mustBeSent({ server, folder }: Direct, { code, outputs, events, ended }: RunResult): void {
  if (code !== 0) throw new Error(`the run ended with ${code}: ${ended.stdout}${ended.stderr}`);
  const disk = join(folder, `${events.at(-1)?.['run']}.img`);
  execFileSync('cmp', [disk, join(server.folder, 'state/local', region, 'disks', `${outputs['snapshot_id']}.img`)]);
  rmSync(disk);
}

/** The records of the snapshots in the served EC2, or with `here` in the state of the runs. */
export function snapshotsIn({ server, folder }: Direct, where: 'served' | 'here' = 'served'): Record<string, unknown>[] {
  return recordsOf(where === 'served' ? server.folder : folder, region, 'snapshots');
}

/** The record of the only copy that runs have made, as lines. */
export function copyRecord({ folder }: Direct, snapshot: unknown): string[] {
  const file = join(folder, 'state/direct', `${region}-${snapshot}.ndjson`);
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
}

/** Waits until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(20);
}
