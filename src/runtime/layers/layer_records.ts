import { createHash, createHmac, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cloud } from '../../dsl/recipe/types.js';
import { makeFolder, removeFile, removeForGood, replaceFile, writeWhole } from '../../linux/atomic_write.js';
import { withLock } from '../../linux/lock.js';
import { readJson } from '../../linux/read_json.js';
import { assumedCost, type LayerCost } from './cost.js';
import type { Ingredient } from './ingredients.js';

/** The format of records and of keys. A change of what layers hold or how keys are made makes all older layers useless. */
export const layerFormat = 2;

/** What a layer has of one task. */
export interface LayerTask {
  readonly task: string;
  readonly key: string;
  readonly outcome: 'succeeded' | 'skipped';
  readonly outputs: Readonly<Record<string, unknown>>;
  /** When the task ended, as an ISO 8601 time. */
  readonly ended: string;
  /** How long it took. */
  readonly seconds: number;
  /** For `why`: what the task was made from. */
  readonly ingredients: readonly Ingredient[];
}

/** How a task last ran that left content on a volume. */
export interface LastRun extends LayerTask {
  readonly recipe: string;
  readonly run: string;
  /** Whether a layer was made after it. */
  readonly layer?: boolean | undefined;
  /** Why no layer could be made after it. */
  readonly missing?: string | undefined;
}

/** A layer: snapshots of the volumes of a chain after one of its tasks. */
export interface Layer {
  readonly format: number;
  /** The key of its last task. */
  readonly key: string;
  readonly made: string;
  /** When a run last started from it, or made it. */
  readonly used: string;
  readonly run: string;
  /** The path of the recipe. */
  readonly recipe: string;
  readonly cloud: Cloud;
  readonly region: string;
  /** The id of the account that has its snapshots. */
  readonly account: string;
  /** A snapshot of each volume, by the key of the volume's task. */
  readonly snapshots: Readonly<Record<string, string>>;
  /** Everything up to its last task. */
  readonly tasks: readonly LayerTask[];
  /** What tasks found on the volumes that looked for something there: their outputs, by how they looked at which content. */
  readonly found: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** What records of all formats have: enough to list and delete a layer that this version cannot use. */
export type LayerRecord = Pick<Layer, 'format' | 'key' | 'made' | 'used' | 'run' | 'recipe' | 'cloud' | 'region' | 'snapshots'> &
  Partial<Pick<Layer, 'account'>>;

/** Whether runs of this version can use a layer. */
export function isUsable(layer: LayerRecord): layer is Layer {
  return layer.format === layerFormat;
}

/** Whether an older version of chrootfile made a layer, and no run of this version or of a later one can use it. */
export function isOldFormat({ format }: LayerRecord): boolean {
  return format < layerFormat;
}

/** The records of layers in a state folder. */
export class LayerRecords {
  private readonly folder: string;

  constructor(private readonly state: string) {
    this.folder = join(state, 'layers');
  }

  /** Whether a run has used or made layers here. */
  isMade(): boolean {
    return existsSync(this.keyFile);
  }

  /** Undefined if there is none, or none of this format. */
  read(key: string): Layer | undefined {
    const layer = this.readAny(key);
    return layer !== undefined && isUsable(layer) ? layer : undefined;
  }

  private readAny(key: string): LayerRecord | undefined {
    const file = this.fileOf(key);
    try {
      const layer = readJson(file) as Omit<LayerRecord, 'used'>;
      return layer.key === key ? { ...layer, used: statSync(file).mtime.toISOString() } : undefined;
    } catch {
      // A record that cannot be read is as good as none: the tasks run.
      return undefined;
    }
  }

  write(layer: Omit<Layer, 'used'>): void {
    makeFolder(this.folder);
    writeWhole(this.fileOf(layer.key), JSON.stringify(layer));
  }

  /**
   * Those of some snapshots that no layer has. Two layers share the snapshot of a volume that no task between them uses.
   * @param except the key of a layer that does not count.
   */
  unshared(snapshots: readonly string[], except?: string): string[] {
    const others = this.listAll().filter(({ key }) => key !== except);
    const known = new Set(others.flatMap((layer) => Object.values(layer.snapshots)));
    return snapshots.filter((id) => !known.has(id));
  }

  /** Notes that a run starts from a layer. */
  touch(key: string): void {
    const now = new Date();
    utimesSync(this.fileOf(key), now, now);
  }

  /** What the last layer took to make. */
  cost(): LayerCost {
    try {
      return readJson(this.costFile) as LayerCost;
    } catch {
      // None was made, or the file was cut off.
      return assumedCost;
    }
  }

  /** It need not survive a power cut. */
  writeCost(cost: LayerCost): void {
    makeFolder(this.folder);
    replaceFile(this.costFile, JSON.stringify(cost));
  }

  /** After a reset, the disks may be on another file system. */
  forgetCost(): void {
    removeFile(this.costFile);
  }

  private get costFile(): string {
    return join(this.folder, 'cost');
  }

  /** Whether a task ran before with the same key, when it last ran. */
  ranBefore(recipe: string, task: string, key: string): boolean {
    return readTask(this.taskFile(recipe, task))?.key === key;
  }

  /** How a task last ran. */
  lastRun(recipe: string, task: string): (LayerTask & Pick<LastRun, 'layer' | 'missing'>) | undefined {
    const last = readTask(this.taskFile(recipe, task));
    if (last !== undefined) return last;
    const layer = this.list().find((each) => each.recipe === recipe && each.tasks.some((one) => one.task === task));
    return layer?.tasks.find((each) => each.task === task);
  }

  /** Only for `why`: it need not survive a power cut. */
  writeTask(last: LastRun): void {
    mkdirSync(join(this.folder, 'tasks'), { recursive: true, mode: 0o700 });
    writeFileSync(this.taskFile(last.recipe, last.task), JSON.stringify(last), { mode: 0o600 });
  }

  /** Removes the records of tasks that last ran before a time, in milliseconds since 1970, and that no layer contains. */
  forgetTasks(before: number): void {
    const folder = join(this.folder, 'tasks');
    const kept = new Set(this.list().flatMap(({ tasks }) => tasks.map(({ key }) => key)));
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const file = join(folder, name);
      const ran = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? before;
      if (ran < before && !kept.has(readTask(file)?.key ?? '')) removeFile(file);
    }
  }

  private taskFile(recipe: string, task: string): string {
    const name = createHash('sha256')
      .update(JSON.stringify([recipe, task]))
      .digest('hex');
    return join(this.folder, 'tasks', `${name.slice(0, 32)}.json`);
  }

  remove(key: string): void {
    removeForGood(this.fileOf(key));
  }

  /** All layers that runs can use, newest first. */
  list(): Layer[] {
    return this.listAll().filter(isUsable);
  }

  /** All layers, also those of other formats, newest first. */
  listAll(): LayerRecord[] {
    const names = existsSync(this.folder) ? readdirSync(this.folder) : [];
    const layers = names.filter((name) => name.endsWith(ending)).flatMap((name) => this.readAny(name.slice(0, -ending.length)) ?? []);
    return layers.sort((a, b) => b.made.localeCompare(a.made));
  }

  /** The key of all hashes. Made at first use, and only in this state folder. */
  async hashKey(): Promise<Buffer> {
    const file = this.keyFile;
    const read = () => Buffer.from(readFileSync(file, 'utf8'), 'hex');
    if (existsSync(file)) return read();
    makeFolder(this.folder);
    return await withLock(join(this.state, 'locks', 'layers'), 'chrootfile', () => {
      if (!existsSync(file)) writeWhole(file, randomBytes(32).toString('hex'));
      return read();
    });
  }

  /** What the tags of layers call this state folder. */
  async ownerId(): Promise<string> {
    return createHmac('sha256', await this.hashKey())
      .update('owner')
      .digest('hex')
      .slice(0, 16);
  }

  private get keyFile(): string {
    return join(this.folder, 'hash.key');
  }

  private fileOf(key: string): string {
    return join(this.folder, `${key}${ending}`);
  }
}

const ending = '.json';

function readTask(file: string): LastRun | undefined {
  try {
    return readJson(file) as LastRun;
  } catch {
    // It never ran, or the record was cut off.
    return undefined;
  }
}
