import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CreateSnapshotCommand, CreateVolumeCommand, DescribeSnapshotsCommand } from '@aws-sdk/client-ec2';
import { type Ec2, openEc2 } from '../../src/aws/client.js';
import type { RequestHandler } from '../../src/aws/credentials.js';
import { type CopyContext, copySnapshot, type SnapshotCopy } from '../../src/aws/direct/copy_snapshot.js';
import { localEc2, runCommand } from '../../src/cli/embedded_ec2.js';
import { dataRanges } from '../../src/linux/data_ranges.js';
import type { LocalEc2 } from '../../src/local/ec2.js';
import { FaultInjection, type FaultRule, type Latency, latencyFrom } from '../../src/local/fault_injection.js';

export const blockBytes = 524_288;

/** An embedded EC2 in this process, and what it was asked. */
export interface Embedded {
  readonly local: LocalEc2;
  readonly ec2: Ec2;
  /** The file of a volume or snapshot. */
  disk(id: string): string;
  /** How many requests of an action it had. */
  asked(action: string): number;
}

/** Opens an embedded EC2 whose state is in a folder. @param through changes its answers on their way. */
export async function embedded(
  folder: string,
  {
    rules = [],
    latency = {},
    through = (handler) => handler,
  }: { rules?: readonly FaultRule[]; latency?: Partial<Latency>; through?: (handler: Handler) => Handler } = {},
): Promise<Embedded> {
  const asked = new Map<string, number>();
  const injection = new FaultInjection(latencyFrom(latency), rules);
  const log = ({ action }: { readonly action: string }) => asked.set(action, (asked.get(action) ?? 0) + 1);
  const local = localEc2(folder, 'local-1', { injection, log });
  const handler = through(local.requestHandler as unknown as Handler) as unknown as RequestHandler;
  const ec2 = await openEc2({ provider: 'local' }, { handler, region: 'local-1', consistent: injection.consistent, isInstant: injection.isInstant });
  return { local, ec2, disk: (id) => local.store.diskOf(id), asked: (action) => asked.get(action) ?? 0 };
}

/** What answers the requests of the SDK. */
export interface Handler {
  handle(
    request: { readonly method: string; readonly path: string },
    options?: object,
  ): Promise<{ response: { statusCode: number; body: unknown; headers: Record<string, string> } }>;
}

/** A new volume, from a snapshot where one is named. */
export async function volumeIn({ ec2, local }: Embedded, size: number, SnapshotId?: string): Promise<string> {
  const made = await ec2.client.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: size, SnapshotId }));
  await local.settled();
  return made.VolumeId ?? '';
}

export async function snapshotIn({ ec2, local }: Embedded, VolumeId: string): Promise<string> {
  const made = await ec2.client.send(new CreateSnapshotCommand({ VolumeId }));
  await local.settled();
  return made.SnapshotId ?? '';
}

/** The state of a snapshot, with its tags; undefined if there is none. */
export async function stateIn({ ec2 }: Embedded, id: string): Promise<string | undefined> {
  const { Snapshots: [found] = [] } = await ec2.client.send(new DescribeSnapshotsCommand({ Filters: [{ Name: 'snapshot-id', Values: [id] }] }));
  return found?.State;
}

/** Writes data into a disk. */
export function writeAt(disk: string, offset: number, data: Uint8Array): void {
  const fd = openSync(disk, 'r+');
  try {
    writeSync(fd, data, 0, data.length, offset);
  } finally {
    closeSync(fd);
  }
}

/** Whether two disks have the same size and bytes. Only what one of them has written is read: most of a disk is a hole. */
export async function areEqual(one: string, other: string): Promise<boolean> {
  const size = statSync(one).size;
  if (statSync(other).size !== size) return false;
  const ranges = [...(await dataRanges(runCommand, one, size)), ...(await dataRanges(runCommand, other, size))];
  const [a, b] = [openSync(one, 'r'), openSync(other, 'r')];
  try {
    return ranges.every(([from, to]) => read(a, from, to).equals(read(b, from, to)));
  } finally {
    for (const fd of [a, b]) closeSync(fd);
  }
}

function read(fd: number, from: number, to: number): Buffer {
  const data = Buffer.alloc(to - from);
  for (let done = 0; done < data.length; ) {
    const bytes = readSync(fd, data, done, data.length - done, from + done);
    if (bytes === 0) throw new Error('the disk ends early');
    done += bytes;
  }
  return data;
}

/** Copies a snapshot, with notes that are collected. */
export async function copyIn(folder: string, copy: Omit<SnapshotCopy, 'tags' | 'record'> & Partial<SnapshotCopy>, context: Partial<CopyContext> = {}) {
  const notes: object[] = [];
  const id = await copySnapshot({ tags: [], record: join(folder, `${copy.snapshot}.ndjson`), ...copy }, { ...contextOf(notes), ...context });
  return { id, notes };
}

export function contextOf(notes: object[]): CopyContext {
  const note = (data: object) => {
    const at = notes.push(data) - 1;
    return {
      update: (newer: object) => {
        notes[at] = newer;
      },
      remove: () => {
        delete notes[at];
      },
    };
  };
  return { run: 'run', task: 'task', note, signal: new AbortController().signal, progress: () => {} };
}
