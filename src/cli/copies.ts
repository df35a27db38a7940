import { existsSync, statSync } from 'node:fs';
import { baseTag } from '../aws/direct/direct_volume.js';
import { copyLock, copyTag, recordOf } from '../aws/direct/local_copy.js';
import { deleteSnapshots } from '../aws/layer_snapshots.js';
import { removeFile } from '../linux/atomic_write.js';
import { LockedError, lock, type Release } from '../linux/lock.js';
import type { LocalEc2 } from '../local/ec2.js';
import type { Tag } from '../local/resources.js';
import { openLocalEc2 } from './embedded_ec2.js';
import { directStore, openHostContext } from './host_context.js';
import { type Extent, extentsOf } from './shared_blocks.js';
import { printError } from './terminal/output.js';

/** A copy in the embedded EC2 of a snapshot on AWS, from which direct volumes are made. */
export interface CopyRecord {
  /** The snapshot in the embedded EC2, and its region. */
  readonly snapshot: string;
  readonly region: string;
  /** The region and id of the original. */
  readonly of: string;
  /** As ISO 8601 times. */
  readonly made: string;
  readonly used: string;
}

/** The copies in a state folder, newest first. Those that images have are part of the images. */
export async function copiesIn(state: string): Promise<CopyRecord[]> {
  if (!existsSync(directStore(state).records)) return [];
  const ec2 = await openLocalEc2(state);
  return ec2.regions.flatMap((region) => copiesOf(ec2, region, state)).sort((a, b) => b.made.localeCompare(a.made));
}

function copiesOf(ec2: LocalEc2, region: string, state: string): CopyRecord[] {
  const store = ec2.storeOf(region);
  const ofImages = new Set(store.list('images').flatMap(({ mappings }) => mappings.map(({ snapshot }) => snapshot)));
  return store.list('snapshots').flatMap(({ id, tags, created }) => {
    const of = valueOf(tags, copyTag);
    if (of === undefined || ofImages.has(id)) return [];
    const used = statSync(recordOf(directStore(state), of), { throwIfNoEntry: false })?.mtime.toISOString() ?? created;
    return [{ snapshot: id, region, of, made: created, used }];
  });
}

/** The blocks of copies, by their snapshots. */
export async function blocksOfCopies(state: string, copies: readonly CopyRecord[]): Promise<Map<string, readonly Extent[]>> {
  if (copies.length === 0) return new Map();
  const ec2 = await openLocalEc2(state);
  const all = await Promise.all(copies.map(async ({ snapshot, region }) => [snapshot, (await extentsOf(ec2.storeOf(region).diskOf(snapshot))) ?? []] as const));
  return new Map(all);
}

/** Deletes copies, except those that a run uses. Reports on standard error those that stay. @returns those that were deleted, and whether all others are in use. */
export async function deleteCopies(copies: readonly CopyRecord[], state: string): Promise<{ deleted: CopyRecord[]; isDone: boolean }> {
  const deleted: CopyRecord[] = [];
  let isDone = true;
  for (const copy of copies) {
    try {
      if (await deleteCopy(copy, state)) deleted.push(copy);
    } catch (error) {
      isDone = false;
      printError(`error: ${copy.snapshot}, the copy of ${copy.of}, cannot be deleted: ${(error as Error).message}`);
    }
  }
  return { deleted, isDone };
}

/** @returns whether it was deleted; a run may use it. */
async function deleteCopy(copy: CopyRecord, state: string): Promise<boolean> {
  let release: Release;
  try {
    release = await lock(copyLock(directStore(state), copy.of), 'layers prune');
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    return reportInUse(copy, error.owner?.purpose ?? 'a run');
  }
  try {
    const signal = new AbortController().signal;
    const host = openHostContext({ cloud: { provider: 'local' }, state, signal, warn: (message) => printError(`warning: ${message}`) });
    const ec2 = await openLocalEc2(state);
    // The lock is not needed any more once a run has made its volume.
    const volume = ec2
      .storeOf(copy.region)
      .list('volumes')
      .find(({ tags }) => valueOf(tags, baseTag) === copy.of);
    if (volume !== undefined) return reportInUse(copy, `run ${valueOf(volume.tags, 'chrootfile:run')}`);
    await deleteSnapshots(await host.ec2(copy.region), [copy.snapshot], copy.made, signal);
    removeFile(recordOf(directStore(state), copy.of));
    return true;
  } finally {
    await release();
  }
}

function reportInUse({ of }: CopyRecord, run: string): false {
  printError(`warning: the copy of ${of} is not deleted: ${run} uses it`, '  help: try again when it has ended');
  return false;
}

function valueOf(tags: readonly Tag[], name: string): string | undefined {
  return tags.find(({ Key }) => Key === name)?.Value;
}
