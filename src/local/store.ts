import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeFolder, removeDrafts, removeFile, removeForGood, syncFolder, writeWhole } from '../linux/atomic_write.js';
import { isRegion } from './request_identity.js';
import type { Kind, Resources, Tag } from './resources.js';

const prefixes: Record<Kind, string> = { volumes: 'vol', snapshots: 'snap', images: 'ami' };
export const kinds = Object.keys(prefixes) as readonly Kind[];

/** The regions of a state folder that contain anything. */
export function regionsIn(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isRegion(entry.name))
    .map((entry) => entry.name);
}

/** Settings of an account for a region. */
export interface Settings {
  readonly encryptByDefault: boolean;
  /** The tags of this machine. */
  readonly instanceTags?: readonly Tag[];
}

/** Runs an action while no other process of the host changes the store. Only for short actions, never for a command. */
export type Exclusive = <T>(action: () => T) => Promise<T>;

/** The resources of one region, on disk. Written and removed records survive a power cut. Unreadable records are ignored. */
export class Store {
  /** @param onUnreadable called for each unreadable record, which {@link setAside} can rename. */
  constructor(
    readonly root: string,
    readonly region: string,
    readonly exclusive: Exclusive,
    private readonly onUnreadable: (file: string) => void = () => {},
  ) {}

  newId(kind: Kind): string {
    // EC2's long ids: 17 hexadecimal digits.
    return `${prefixes[kind]}-0${randomBytes(8).toString('hex')}`;
  }

  list<K extends Kind>(kind: K): Resources[K][] {
    return this.idsOf(kind).flatMap((id) => this.get(kind, id) ?? []);
  }

  get<K extends Kind>(kind: K, id: string): Resources[K] | undefined {
    if (!isId(id)) return undefined;
    const file = this.fileOf(kind, id);
    const found = readRecord(file);
    if (found === 'unreadable' || (found !== undefined && found['id'] !== id)) {
      this.onUnreadable(file);
      return undefined;
    }
    return found as Resources[K] | undefined;
  }

  /** The ids of all records of a kind, readable or not. */
  idsOf(kind: Kind): string[] {
    const folder = join(this.root, this.region, kind);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
      .filter(isId)
      .sort();
  }

  /** Writes a resource completely or not at all. */
  put<K extends Kind>(kind: K, resource: Resources[K]): void {
    this.write(this.fileOf(kind, resource.id), resource);
  }

  /** Changes a resource. Returns false if it was removed meanwhile. */
  change<K extends Kind>(kind: K, id: string, change: (resource: Resources[K]) => Resources[K]): boolean {
    const found = this.get(kind, id);
    if (found !== undefined) this.put(kind, change(found));
    return found !== undefined;
  }

  /** Removes drafts of killed processes. The caller holds the store, so that nobody else is writing. */
  removeDrafts(): void {
    for (const kind of ['', ...kinds]) removeDrafts(join(this.root, this.region, kind), 'all');
    for (const file of this.lostDigests) removeFile(file);
  }

  /** The files of digests without a snapshot. */
  get lostDigests(): string[] {
    return this.idsWith(digestsEnding)
      .filter((id) => !existsSync(this.fileOf('snapshots', id)))
      .map((id) => this.digestsOf(id));
  }

  remove(kind: Kind, id: string): void {
    removeForGood(this.fileOf(kind, id));
  }

  /** Records for some time that an image was deregistered, and forgets older records. */
  noteDeregistered(id: string): void {
    const folder = join(this.root, this.region, 'deregistered');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const other of readdirSync(folder)) if (!this.wasDeregistered(other)) removeFile(join(folder, other));
    writeFileSync(join(folder, id), '', { mode: 0o600 });
  }

  /** Whether an image was deregistered recently. */
  wasDeregistered(id: string): boolean {
    if (!isId(id)) return false;
    const noted = statSync(join(this.root, this.region, 'deregistered', id), { throwIfNoEntry: false });
    return noted !== undefined && Date.now() - noted.mtimeMs < deregisteredMs;
  }

  settings(): Settings {
    const found = readRecord(this.settingsFile);
    if (found === 'unreadable') this.onUnreadable(this.settingsFile);
    return found === undefined || found === 'unreadable' ? { encryptByDefault: false } : (found as unknown as Settings);
  }

  putSettings(settings: Settings): void {
    this.write(this.settingsFile, settings);
  }

  private get settingsFile(): string {
    return join(this.root, this.region, 'settings.json');
  }

  /** The disk of a volume or a snapshot, a sparse file. */
  diskOf(id: string): string {
    return join(this.root, this.region, 'disks', `${id}.img`);
  }

  /** The source of a disk copy, under a second name while the copy is running. */
  sourceOf(id: string): string {
    return join(this.root, this.region, 'disks', `${id}${sourceEnding}`);
  }

  /** The digests of the blocks of a snapshot that EBS direct writes. */
  digestsOf(id: string): string {
    return join(this.root, this.region, 'disks', `${id}${digestsEnding}`);
  }

  /** A random key of the state folder, for tokens. */
  async tokenKey(): Promise<Buffer> {
    const file = join(this.root, 'token-key');
    if (!existsSync(file)) {
      await this.exclusive(() => {
        if (!existsSync(file)) writeWhole(file, randomBytes(32).toString('hex'));
      });
    }
    return Buffer.from(readFileSync(file, 'utf8'), 'hex');
  }

  /** The ids of resources whose disks are being copied. */
  get copying(): string[] {
    return this.idsWith(sourceEnding);
  }

  private idsWith(ending: string): string[] {
    const folder = dirname(this.sourceOf('x'));
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith(ending))
      .map((name) => name.slice(0, -ending.length));
  }

  fileOf(kind: Kind, id: string): string {
    return join(this.root, this.region, kind, `${id}.json`);
  }

  private write(file: string, content: unknown): void {
    makeFolder(dirname(file));
    writeWhole(file, `${JSON.stringify(content, undefined, 1)}\n`);
  }
}

/** Reads a JSON object; undefined when the file does not exist. */
function readRecord(file: string): Readonly<Record<string, unknown>> | 'unreadable' | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : 'unreadable';
  } catch {
    return 'unreadable';
  }
}

const sourceEnding = '.source';
/** The file name ending of {@link Store.digestsOf}. */
const digestsEnding = '.digests';

/** The file name ending of unreadable records that were set aside. */
export const brokenEnding = '.broken';

/**
 * Renames an unreadable record. The caller holds the store, so that nobody else is writing it.
 * @returns its new path; undefined when another process has already renamed or fixed it.
 */
export function setAside(file: string): string | undefined {
  const found = readRecord(file);
  if (found === undefined || (found !== 'unreadable' && (found['id'] ?? basename(file, '.json')) === basename(file, '.json'))) return undefined;
  let target = `${file}${brokenEnding}`;
  for (let i = 2; existsSync(target); i += 1) target = `${file}${brokenEnding}.${i}`;
  renameSync(file, target);
  syncFolder(dirname(file));
  return target;
}

/** How long a deregistered image is remembered. */
const deregisteredMs = 3_600_000;

/** Whether a text may be part of a path. */
function isId(text: string): boolean {
  return /^[a-z]+-[0-9a-f]{1,17}$/.test(text);
}
