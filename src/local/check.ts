import { existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { draftEnding, removeForGood, syncFolder } from '../linux/atomic_write.js';
import { snapshotsOf } from './api/copying.js';
import { isUploaded, uploadFailure } from './ebs/upload_failure.js';
import { machine } from './instance_identity.js';
import { danglingLinks, deviceOf } from './loop_devices.js';
import { hasDied } from './owner_process.js';
import { type Image, type Kind, noVolume, type Resources, type Tag } from './resources.js';
import { brokenEnding, kinds, type Store } from './store.js';

/** A problem in the store of a region. */
export interface Finding {
  readonly type: 'unreadable record' | 'disk without a record' | 'record without a disk' | 'unfinished' | 'draft' | 'dangling link';
  readonly region: string;
  readonly path: string;
  /** The id of the volume, snapshot or image concerned. */
  readonly id?: string;
  /** For a disk: its size on the host in bytes, and when it was last written. */
  readonly bytes?: number;
  readonly written?: string;
}

/** What the folder of a successful run contains about an image or a snapshot. */
export interface Remembered {
  readonly type: 'image' | 'snapshot';
  readonly region: string;
  readonly id: string;
  readonly created: string;
  readonly tags: readonly Tag[];
  /** For an image: its name, and the snapshots of its volumes, the root's first. */
  readonly name?: string;
  readonly snapshots?: readonly string[];
}

/** Finds leftovers of crashes and power cuts. Changes nothing, except that {@link Store} sets unreadable records aside. */
export function findingsIn(store: Store): Finding[] {
  const { region } = store;
  const about = (type: Finding['type'], path: string, id?: string): Finding => ({
    type,
    region,
    path,
    ...(id === undefined ? {} : { id }),
    ...sizeOf(type, path),
  });
  const found: Finding[] = [];
  for (const kind of kinds) {
    for (const name of namesIn(dirname(store.fileOf(kind, 'x')))) {
      const [, id, ending] = /^([a-z]+-[0-9a-f]+)\.json(.*)$/.exec(name) ?? [];
      const path = join(dirname(store.fileOf(kind, 'x')), name);
      if (ending?.startsWith(brokenEnding)) found.push(about('unreadable record', path, id));
      else if (name.endsWith(draftEnding)) found.push(about('draft', path));
    }
    for (const record of store.list(kind)) {
      const { id } = record;
      if (isUnfinished(record, store)) found.push(about('unfinished', store.fileOf(kind, id), id));
      else if (record.ready !== false && kind !== 'images' && !existsSync(store.diskOf(id)))
        found.push(about('record without a disk', store.fileOf(kind, id), id));
    }
  }
  const known = new Set(kinds.flatMap((kind) => store.idsOf(kind)));
  for (const id of store.copying) if (!known.has(id)) found.push(about('draft', store.sourceOf(id)));
  for (const file of store.lostDigests) found.push(about('draft', file));
  for (const name of namesIn(dirname(store.diskOf('x')))) {
    const [, id] = /^(.+)\.img$/.exec(name) ?? [];
    if (id !== undefined && !known.has(id)) found.push(about('disk without a record', store.diskOf(id), id));
  }
  return found;
}

/** Whether a resource is not ready and its process has died. Images are ready when their snapshots are, which are checked separately. */
function isUnfinished(record: Resources[Kind], store: Store): boolean {
  if (record.ready !== false) return false;
  if ('mappings' in record) return hasDied(record.maker) && snapshotsOf(record, store).includes(undefined);
  return record.failure !== undefined || (isUploaded(record) ? uploadFailure(record, store) !== undefined : hasDied(record.maker));
}

/** The links in /dev that lead nowhere, on the whole host. */
export function danglingLinkFindings(): Finding[] {
  return danglingLinks().map((path) => ({ type: 'dangling link', region: '', path }));
}

/**
 * Recreates the record of a snapshot or an image from its disk and the run that created it. Other data of the record
 * (permissions, encryption, boot mode) is lost. The caller holds the store.
 * @returns whether there was enough data.
 */
export function rebuild(store: Store, { path, id = '' }: Finding, remembered: readonly Remembered[]): boolean {
  const known = remembered.find((each) => each.region === store.region && each.id === id);
  if (known === undefined) return false;
  const made = known.type === 'image' ? rebuildImage(store, known) : rebuildSnapshot(store, known);
  if (made) removeForGood(path);
  return made;
}

function rebuildSnapshot(store: Store, { id, created, tags }: Remembered): boolean {
  if (!existsSync(store.diskOf(id))) return false;
  const size = sizeGiB(store.diskOf(id));
  store.put('snapshots', { id, created, tags: [...tags], volume: noVolume, size, description: rebuilt, encrypted: false, ready: true });
  return true;
}

function rebuildImage(store: Store, { id, created, tags, name, snapshots = [] }: Remembered): boolean {
  const [root] = snapshots;
  if (name === undefined || root === undefined || snapshots.some((snapshot) => !existsSync(store.diskOf(snapshot)))) return false;
  const device = (index: number) => `/dev/xvd${String.fromCharCode('a'.charCodeAt(0) + index)}`;
  const image: Image = {
    id,
    created,
    tags: [...tags],
    name,
    description: rebuilt,
    architecture: machine.architecture,
    virtualization: 'hvm',
    rootDevice: device(0),
    mappings: snapshots.map((snapshot, i) => ({
      device: device(i),
      snapshot,
      size: sizeGiB(store.diskOf(snapshot)),
      type: 'gp3',
      encrypted: false,
      deleteOnTermination: true,
    })),
    ena: true,
  };
  store.put('images', image);
  return true;
}

const rebuilt = 'rebuilt by chrootfile local check --repair';

/** Sets a record aside whose disk is missing. The caller holds the store. */
export function setAsideForGood({ path }: Finding): void {
  renameSync(path, `${path}${brokenEnding}`);
  syncFolder(dirname(path));
}

/** Deletes a disk without a record, and its record that was set aside. The caller holds the store. @throws Error when the disk has a record or is attached. */
export function removeOrphan(store: Store, id: string): void {
  const disk = store.diskOf(id);
  if (kinds.some((kind) => existsSync(store.fileOf(kind, id)))) throw new Error(`${id} has a record, so its disk is not an orphan`);
  const device = deviceOf(disk);
  if (device !== undefined) throw new Error(`${id} is attached as ${device}; detach it first`);
  removeForGood(disk);
  for (const kind of kinds) {
    const file = store.fileOf(kind, id);
    for (const name of namesIn(dirname(file))) if (name.startsWith(`${id}.json${brokenEnding}`)) removeForGood(join(dirname(file), name));
  }
}

function sizeOf(type: Finding['type'], path: string): Pick<Finding, 'bytes' | 'written'> {
  if (type !== 'disk without a record') return {};
  const { blocks, mtime } = statSync(path);
  return { bytes: blocks * 512, written: mtime.toISOString() };
}

function sizeGiB(disk: string): number {
  return Math.ceil(statSync(disk).size / 2 ** 30);
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}
