import { existsSync, linkSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, syncFolder } from '../../linux/atomic_write.js';
import { isUploaded, uploadFailure } from '../ebs/upload_failure.js';
import { bytesOf, copyDisk, createDisk, deviceOf, isBusy, isSameDisk, removeDisk, writtenAt } from '../loop_devices.js';
import { hasDied, isSinceBoot, thisMaker } from '../owner_process.js';
import type { DiskResource, Image, Origin, Snapshot, Volume } from '../resources.js';
import type { Store } from '../store.js';
import { type Here, putNew } from './action.js';

/** A request is answered after this time even if its disks are still being copied, because clients with time limits would send it again. */
const answerMs = 200;

/** New resources whose disks are copied. */
export interface Begun {
  readonly image?: Image;
  readonly disks: readonly (Volume | Snapshot)[];
}

/** The source of a snapshot of a volume: the current disk, including everything written to its device. */
export async function originOf(volume: Volume, here: Here): Promise<Origin> {
  const disk = here.store.diskOf(volume.id);
  const device = deviceOf(disk);
  if (device !== undefined) await here.run(['blockdev', '--flushbufs', device]);
  const inUse = device !== undefined && isBusy(device);
  return { id: volume.id, written: inUse ? undefined : writtenAt(disk) };
}

/**
 * Writes the records of new resources and keeps the disks they are copied from, or does neither. The caller holds the
 * store.
 * @param from the store of those disks.
 */
export function begin(here: Here, begun: Begun, from: Store = here.store): void {
  const { image, disks } = begun;
  try {
    if (image !== undefined) putNew(here, 'images', image);
    for (const disk of disks) putDisk(here, disk);
    for (const { id, origin } of disks) if (origin !== undefined) keepSource(from.diskOf(origin.id), here.store.sourceOf(id));
  } catch (error) {
    removeBegun(here, begun);
    throw error;
  }
}

function putDisk(here: Here, disk: Volume | Snapshot): void {
  if (isVolume(disk)) putNew(here, 'volumes', disk);
  else putNew(here, 'snapshots', disk);
}

function keepSource(disk: string, source: string): void {
  makeFolder(dirname(source));
  linkSync(disk, source);
}

function removeBegun(here: Here, { image, disks }: Begun): void {
  if (image !== undefined) here.store.remove('images', image.id);
  for (const disk of disks) removeWithDisk(here, disk);
}

/** Removes a volume or snapshot, its disk first: a record without a disk can still be deleted, but nobody would find a disk without a record. */
export function removeWithDisk(here: Here, { id }: Pick<DiskResource, 'id'>): void {
  removeDisks(here, id);
  here.store.remove(kindOf(id), id);
}

function removeDisks(here: Here, id: string): void {
  here.copies.get(id)?.stop.abort(new Error(`${id} was deleted`));
  removeDisk(here.store.diskOf(id));
  removeDisk(here.store.sourceOf(id));
  if (existsSync(here.store.digestsOf(id))) removeDisk(here.store.digestsOf(id));
}

/**
 * Copies the disks of new resources. After {@link answerMs} the copies continue in the background.
 * @throws Error when a copy fails before that. The resources are then removed.
 */
export async function copied(here: Here, begun: Begun): Promise<void> {
  const { image, disks } = begun;
  const all = Promise.all(disks.map((disk) => copy(here, disk)));
  try {
    if (disks.some((disk) => isWaitedFor(here, disk))) return void (await all);
    await Promise.race([all, sleep(answerMs, undefined, { ref: false })]);
    if (disks.some(({ id }) => here.copies.has(id))) syncFolder(dirname(here.store.sourceOf('')));
  } catch (error) {
    if (image !== undefined) here.failures.set(image.id, (error as Error).message);
    // A resource that cannot be removed gets the state error and its reason.
    await here.store.exclusive(() => removeBegun(here, begun)).catch(() => {});
    throw error;
  }
}

/**
 * Whether the request waits for the copy. It does when the copy is only a second name, or there is nothing to copy. It
 * also does for a volume in use: later writes to it must not get into the snapshot.
 */
function isWaitedFor(here: Here, disk: DiskResource): boolean {
  const { id, origin } = disk;
  if (origin === undefined) return true;
  return isShared(disk, origin) || (!isSnapshot(origin.id) && origin.written === undefined) || bytesOf(here.store.sourceOf(id)) === 0;
}

/** Whether a disk stays identical to its origin: neither is ever written to. */
function isShared(disk: DiskResource, origin: Origin): boolean {
  return isSnapshot(disk.id) && isSnapshot(origin.id) && !isUploaded(disk);
}

function copy(here: Here, disk: DiskResource): Promise<void> {
  const stop = new AbortController();
  const done = fill(here, disk, stop.signal).finally(() => here.copies.delete(disk.id));
  here.copies.set(disk.id, { stop, done });
  return done;
}

async function fill(here: Here, disk: DiskResource, signal: AbortSignal): Promise<void> {
  const { id, size, origin } = disk;
  const [from, to] = [here.store.sourceOf(id), here.store.diskOf(id)];
  try {
    if (origin === undefined) await createDisk(to, size);
    else if (isShared(disk, origin)) shareDisk(from, to);
    else await copyDisk(here.run, { from, to, sizeGiB: size, written: origin.written, signal });
    await finish(here, id);
  } catch (error) {
    if (await fail(here, id, error as Error)) throw error;
  }
}

function shareDisk(from: string, to: string): void {
  // Remove what a killed process had copied.
  removeDisk(to);
  linkSync(from, to);
  syncFolder(dirname(to));
}

/** Marks a volume or snapshot with a complete disk as ready, unless blocks are still to be written. If it was deleted meanwhile, deletes the disk. */
export function finish(here: Here, id: string): Promise<void> {
  return here.store.exclusive(() => {
    if (change(here, id, { ready: !isUploaded(diskResource(here, id)), origin: undefined })) removeSource(here, id);
    else removeDisks(here, id);
  });
}

/** Removes the source of a finished copy. */
function removeSource(here: Here, id: string): void {
  try {
    removeDisk(here.store.sourceOf(id));
  } catch {
    // The resource is ready, and may have been reported as such. A later request tries again.
  }
}

/**
 * Marks a volume or snapshot as failed: it gets the state `error` with the reason.
 * @returns false when it was deleted meanwhile.
 */
export async function fail(here: Here, id: string, { message }: Error): Promise<boolean> {
  here.failures.set(id, message);
  try {
    // Do this first, because nothing can be written to a full disk before.
    removeDisk(here.store.diskOf(id));
    return await here.store.exclusive(() => {
      const isThere = change(here, id, { ready: false, origin: undefined, failure: message });
      removeDisk(here.store.sourceOf(id));
      return isThere;
    });
  } catch {
    // This process reports the failure nevertheless. After it ends, another process tries again.
    return true;
  }
}

/** Why the disk of a resource will never be ready; undefined when it may be. */
export function failureOf(disk: DiskResource, here: Here): string | undefined {
  if (disk.ready) return undefined;
  const failure = disk.failure ?? here.failures.get(disk.id) ?? interruption(disk, here.store);
  return failure === undefined ? undefined : here.messageForClient(failure);
}

/** Why a disk that is not ready will never be, as its record and its files show. */
export function interruption(disk: DiskResource, store: Store): string | undefined {
  if (isUploaded(disk)) return uploadFailure(disk, store);
  return hasDied(disk.maker) && !canGoOn(disk, store) ? killed : undefined;
}

const killed = 'the process that was creating it was killed';

/**
 * Whether another process can continue a copy of a process that died. After a reboot it cannot, because data written
 * to a volume may not have reached its disk.
 */
export function canGoOn({ id, origin, maker }: DiskResource, store: Store): boolean {
  if (origin === undefined || !existsSync(store.sourceOf(id))) return false;
  return isSnapshot(origin.id) || (origin.written !== undefined && isSinceBoot(maker));
}

/** Why an image will never be ready; undefined when it may be. */
export function failureOfImage(image: Image, here: Here): string | undefined {
  if (image.ready !== false) return undefined;
  const failures = snapshotsOf(image, here.store).map((found) => {
    if (found !== undefined) return failureOf(found, here);
    return hasDied(image.maker) ? killed : undefined;
  });
  return here.failures.get(image.id) ?? failures.find((failure) => failure !== undefined);
}

/** Whether all disks of an image are complete. */
export function isFilled(image: Image, store: Store): boolean {
  return image.ready !== false || snapshotsOf(image, store).every((found) => found?.ready === true);
}

/** The snapshots of an image's volumes; undefined for a missing one. */
export function snapshotsOf({ mappings }: Image, store: Store): (Snapshot | undefined)[] {
  return mappings.flatMap(({ snapshot }) => (snapshot === undefined ? [] : [store.get('snapshots', snapshot)]));
}

/** The completed fraction of a disk copy, from 0 to 1. */
export function fractionOf({ id }: DiskResource, store: Store): number {
  const whole = bytesOf(store.sourceOf(id));
  return whole === 0 ? 0 : Math.min(1, bytesOf(store.diskOf(id)) / whole);
}

/** Restarts copies whose process died. */
export async function resumeCopies(here: Here): Promise<void> {
  const isLeft = (id: string) => !here.copies.has(id) && (diskResource(here, id)?.ready !== false || hasDied(diskResource(here, id)?.maker));
  if (!here.store.copying.some(isLeft)) return;
  const taken = await here.store.exclusive(() => here.store.copying.filter(isLeft).flatMap((id) => takeOver(here, id)));
  // The record shows why a copy failed.
  for (const disk of taken) copy(here, disk).catch(() => {});
}

function takeOver(here: Here, id: string): DiskResource[] {
  const disk = diskResource(here, id);
  if (disk === undefined || disk.ready || !canGoOn(disk, here.store)) {
    removeDisk(here.store.sourceOf(id));
    return [];
  }
  change(here, id, { maker: thisMaker() });
  return [disk];
}

/**
 * Runs an action on a volume as soon as no snapshot of it is being copied, because later writes must not get into that
 * snapshot. The store is held during the action.
 */
export async function onceCopied<T>(id: string, here: Here, action: () => T): Promise<T> {
  for (;;) {
    const done = await here.store.exclusive(() => (isBeingCopied(id, here.store) ? undefined : { value: action() }));
    if (done !== undefined) return done.value;
    await sleep(lookAgainMs);
    // The process that copies it may die meanwhile.
    await resumeCopies(here);
  }
}

const lookAgainMs = 50;

function isBeingCopied(id: string, store: Store): boolean {
  return store.copying.some((other) => isSameDisk(store.sourceOf(other), store.diskOf(id)));
}

/** Changes the record of a volume or snapshot. Returns false if it was removed meanwhile. */
function change(here: Here, id: string, to: Partial<Pick<DiskResource, 'ready' | 'origin' | 'failure' | 'maker'>>): boolean {
  return isSnapshot(id)
    ? here.store.change('snapshots', id, (snapshot) => ({ ...snapshot, ...to }))
    : here.store.change('volumes', id, (volume) => ({ ...volume, ...to }));
}

function diskResource(here: Here, id: string): DiskResource | undefined {
  return here.store.get(kindOf(id), id);
}

function kindOf(id: string): 'volumes' | 'snapshots' {
  return isSnapshot(id) ? 'snapshots' : 'volumes';
}

function isVolume(disk: Volume | Snapshot): disk is Volume {
  return !isSnapshot(disk.id);
}

function isSnapshot(id: string): boolean {
  return id.startsWith('snap-');
}
