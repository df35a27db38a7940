import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeFolder, removeDrafts, removeFile, removeForGood, syncFolder, writeWhole } from '../linux/atomic_write.js';
import type { ArchitectureValues, BootModeValues, ImdsSupportValues, TpmSupportValues, VirtualizationType, VolumeType } from './api/model/answers.js';
import { isRegion } from './request_identity.js';

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** What all resources have. */
export interface Resource {
  readonly id: string;
  readonly created: string;
  readonly tags: readonly Tag[];
  /** The account it belongs to; that of {@link localAccount} where none is said. */
  readonly owner?: string | undefined;
  /** The process that makes it, as {@link thisMaker} has it: where it died, what is not ready never will be. */
  readonly maker?: string;
  /** The client's token against doubles, with what was asked for. */
  readonly token?: { readonly value: string; readonly request: string } | undefined;
}

/** What has a disk of its own. */
export interface DiskResource extends Resource {
  readonly size: number;
  /** False while its disk is being made. */
  ready: boolean;
  /** What its disk is copied from, until it is ready. */
  readonly origin?: Origin | undefined;
  /** Why its disk could not be made. */
  readonly failure?: string | undefined;
}

/** What a disk is copied from. That stays as {@link Store.sourceOf}, even when the volume or snapshot is deleted meanwhile. */
export interface Origin {
  readonly id: string;
  /** When the disk of a volume was last written to, in nanoseconds. Absent for a snapshot, and for a volume in use, which is written to all the time. */
  readonly written?: string | undefined;
}

export interface Volume extends DiskResource {
  readonly snapshot?: string | undefined;
  readonly zone: string;
  readonly type: VolumeType;
  readonly iops?: number | undefined;
  readonly throughput?: number | undefined;
  readonly encrypted: boolean;
  readonly kmsKey?: string | undefined;
  /** How it was last changed. */
  readonly modification?: Modification | undefined;
  /** As asked for; whether it is attached in truth, the kernel knows. */
  attachment?: Attachment | undefined;
}

export interface Modification {
  readonly since: string;
  readonly original: Pick<Volume, 'size' | 'type' | 'iops' | 'throughput'>;
  readonly target: Pick<Volume, 'size' | 'type' | 'iops' | 'throughput'>;
}

export interface Attachment {
  readonly device: string;
  readonly since: string;
  readonly detaching: boolean;
  /** When it was asked to be detached. */
  readonly asked?: string;
  /** The process that attaches it, until that is done. */
  readonly maker?: string | undefined;
}

export interface Snapshot extends DiskResource {
  readonly volume: string;
  readonly description: string;
  readonly encrypted: boolean;
  readonly kmsKey?: string | undefined;
  /** Whether it was copied, which takes longer. */
  readonly copied?: boolean;
  /** Who may make volumes of it, besides its owner. */
  readonly sharedWith?: Sharing | undefined;
}

/** Who may use a thing that belongs to somebody else. `groups`: only `all`. */
export interface Sharing {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly organizations: readonly string[];
  readonly units: readonly string[];
}

export interface Image extends Resource {
  readonly name: string;
  readonly description: string;
  readonly architecture: ArchitectureValues;
  readonly virtualization: VirtualizationType;
  readonly rootDevice: string;
  readonly mappings: readonly Mapping[];
  readonly ena: boolean;
  readonly sriov?: string | undefined;
  readonly bootMode?: BootModeValues | undefined;
  readonly imds?: ImdsSupportValues | undefined;
  readonly tpm?: TpmSupportValues | undefined;
  readonly uefi?: string | undefined;
  readonly kernel?: string | undefined;
  readonly ramdisk?: string | undefined;
  /** False where it was made together with its snapshots: it is ready when they are. */
  readonly ready?: boolean;
  /** The image it was copied from. */
  readonly source?: { readonly image: string; readonly region: string } | undefined;
  /** The instance whose volumes it was made of. */
  readonly instance?: string | undefined;
  /** Whether nobody may use it until it is enabled again. */
  readonly disabled?: boolean | undefined;
  readonly sharedWith?: Sharing | undefined;
  readonly productCodes?: readonly string[] | undefined;
  readonly deprecated?: string | undefined;
  /** With a cooldown it stays protected for a day after it was switched off. */
  readonly protection?: 'enabled' | 'enabled-with-cooldown' | undefined;
}

export interface Mapping {
  readonly device: string;
  readonly snapshot?: string | undefined;
  readonly size?: number | undefined;
  readonly type?: VolumeType | undefined;
  readonly iops?: number | undefined;
  readonly throughput?: number | undefined;
  readonly encrypted: boolean;
  readonly deleteOnTermination: boolean;
  readonly virtualName?: string | undefined;
}

/** The resources by their kind, as they are kept: one folder a kind, one JSON file a resource. */
export interface Resources {
  volumes: Volume;
  snapshots: Snapshot;
  images: Image;
}
export type Kind = keyof Resources;

const prefixes: Record<Kind, string> = { volumes: 'vol', snapshots: 'snap', images: 'ami' };
export const kinds = Object.keys(prefixes) as readonly Kind[];

/** The regions that a folder of state holds anything of. */
export function regionsIn(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isRegion(entry.name))
    .map((entry) => entry.name);
}

/** What an account has set for a region. */
export interface Settings {
  readonly encryptByDefault: boolean;
  /** The tags of this machine. */
  readonly instanceTags?: readonly Tag[];
}

/** Runs something while no other process of the host changes the store. Held for moments, never across a command. */
export type Exclusive = <T>(action: () => T) => Promise<T>;

/**
 * The resources of one region, on disk. What was put or removed is there, or gone, also after a power cut. A record that
 * cannot be read counts as none.
 */
export class Store {
  /** @param onUnreadable is told of each record that cannot be read; {@link setAside} removes it from sight. */
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

  /** The ids of the records of a kind, whether or not they can be read. */
  idsOf(kind: Kind): string[] {
    const folder = join(this.root, this.region, kind);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
      .filter(isId)
      .sort();
  }

  /** Writes a resource whole or not at all. */
  put<K extends Kind>(kind: K, resource: Resources[K]): void {
    this.write(this.fileOf(kind, resource.id), resource);
  }

  /** Changes a resource, unless it was removed meanwhile: then it stays removed, and false is given. */
  change<K extends Kind>(kind: K, id: string, change: (resource: Resources[K]) => Resources[K]): boolean {
    const found = this.get(kind, id);
    if (found !== undefined) this.put(kind, change(found));
    return found !== undefined;
  }

  /** Removes what a killed process had begun to write. While the store is held: nobody else may be writing. */
  removeDrafts(): void {
    for (const kind of ['', ...kinds]) removeDrafts(join(this.root, this.region, kind), 'all');
  }

  remove(kind: Kind, id: string): void {
    removeForGood(this.fileOf(kind, id));
  }

  /** Remembers for a while that an image was deregistered, and forgets those of long ago. */
  noteDeregistered(id: string): void {
    const folder = join(this.root, this.region, 'deregistered');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const other of readdirSync(folder)) if (!this.wasDeregistered(other)) removeFile(join(folder, other));
    writeFileSync(join(folder, id), '', { mode: 0o600 });
  }

  /** Whether an image was deregistered a while ago. */
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

  /** The disk behind a volume or a snapshot: a sparse file. */
  diskOf(id: string): string {
    return join(this.root, this.region, 'disks', `${id}.img`);
  }

  /** The disk that another one is copied from, by a name of its own, as long as that goes on. */
  sourceOf(id: string): string {
    return join(this.root, this.region, 'disks', `${id}${sourceEnding}`);
  }

  /** The ids of what disks are being copied for. */
  get copying(): string[] {
    const folder = dirname(this.sourceOf('x'));
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith(sourceEnding))
      .map((name) => name.slice(0, -sourceEnding.length));
  }

  fileOf(kind: Kind, id: string): string {
    return join(this.root, this.region, kind, `${id}.json`);
  }

  private write(file: string, content: unknown): void {
    makeFolder(dirname(file));
    writeWhole(file, `${JSON.stringify(content, undefined, 1)}\n`);
  }
}

/** A JSON object; undefined where there is no file. */
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

/** What a record that cannot be read is called from then on. */
export const brokenEnding = '.broken';

/**
 * Takes a record that cannot be read out of the way. While the store is held: nobody else may be writing it.
 * @returns its new path; undefined where somebody else was quicker.
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

/** How long a deregistered image is known to have been there. */
const deregisteredMs = 3_600_000;

/** Whether a text may be part of a path. */
function isId(text: string): boolean {
  return /^[a-z]+-[0-9a-f]{1,17}$/.test(text);
}
