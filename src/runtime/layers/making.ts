import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, removeDrafts, removeFile, replaceFile } from '../../linux/atomic_write.js';
import { withLock } from '../../linux/lock.js';
import { ownIdentity, type ProcessIdentity, stateOf } from '../../linux/process_identity.js';
import { readJson } from '../../linux/read_json.js';
import { fileNameOf } from '../runs/run_folder.js';

/** A chain that a run is making: what is still to come on its volumes. */
export interface Maker extends ProcessIdentity {
  readonly run: string;
  /** The first task of the chain. */
  readonly task: string;
  /** The keys of its tasks that have not ended. */
  readonly keys: readonly string[];
  /** The key of the layer that its volumes are made from. */
  readonly using?: string | undefined;
}

/** A layer that another chain is making, with the key of the last task that both chains have. */
export interface Awaited {
  readonly maker: Maker;
  readonly key: string;
}

/**
 * Which layers are being made on this host: chains with a common beginning make it once. Each maker has a file with the
 * keys to come. Who waits for one of them leaves a file for its key, so that a layer is made there.
 */
export class Making {
  private readonly folder: string;
  private readonly file: string;
  private using: string | undefined;
  private keys: readonly string[] = [];

  constructor(
    private readonly state: string,
    private readonly run: string,
    private readonly task: string,
  ) {
    this.folder = folderOf(state);
    this.file = join(this.folder, `${run} ${fileNameOf(task)}${makerEnding}`);
  }

  /**
   * Announces the keys that this chain will make, unless another chain is making some of them.
   * @param using the key of the layer that this chain starts from.
   * @param mayWaitFor whether this chain may wait for another one.
   * @returns the layer to wait for.
   */
  announce(keys: readonly string[], using: string | undefined, mayWaitFor: (maker: Maker) => boolean): Promise<Awaited | undefined> {
    makeFolder(this.folder);
    return whileNoneStarts(this.state, this.run, () => {
      for (const maker of makersIn(this.folder, this.file)) {
        const key = [...keys].reverse().find((each) => maker.keys.includes(each));
        if (key !== undefined && mayWaitFor(maker)) return { maker, key };
      }
      this.using = using;
      this.write(keys);
      return undefined;
    });
  }

  /** Waits until a layer is made, or until nobody makes it any more. */
  async waitFor({ maker, key }: Awaited, signal: AbortSignal): Promise<void> {
    const wanted = join(this.folder, `${key} ${this.run}${wantedEnding}`);
    replaceFile(wanted, JSON.stringify(ownIdentity()));
    try {
      while (makersIn(this.folder, this.file).some(({ run, task, keys }) => run === maker.run && task === maker.task && keys.includes(key))) {
        await sleep(lookAgainMs, undefined, { signal });
      }
    } finally {
      removeFile(wanted);
    }
  }

  /** Whether another chain waits for a layer with this key. */
  isWanted(key: string): boolean {
    return readdirSync(this.folder).some((name) => name.startsWith(key) && name.endsWith(wantedEnding));
  }

  /** A task ended, and its layer, if there is one, was made. */
  passed(key: string): void {
    this.write(this.keys.slice(this.keys.indexOf(key) + 1));
  }

  /** No layer comes any more, and none is used. */
  end(): void {
    removeFile(this.file);
  }

  private write(keys: readonly string[]): void {
    this.keys = keys;
    const maker: Maker = { ...ownIdentity(), run: this.run, task: this.task, keys, using: this.using };
    replaceFile(this.file, JSON.stringify(maker));
  }
}

const lookAgainMs = 50;
const makerEnding = '.maker';
const wantedEnding = '.wanted';

/** Runs an action while no chain on this host chooses its layer. */
export function whileNoneStarts<T>(state: string, purpose: string, action: () => T | Promise<T>): Promise<T> {
  return withLock(join(state, 'locks', 'layers-making'), purpose, action);
}

/** The layers that runs are starting from: their keys, each with the id of a run. */
export function layersInUse(state: string): ReadonlyMap<string, string> {
  return new Map(makersIn(folderOf(state)).flatMap(({ using, run }) => (using === undefined ? [] : [[using, run] as const])));
}

/** Removes what killed runs left. */
export function removeDeadMakers(state: string): void {
  makersIn(folderOf(state));
}

function folderOf(state: string): string {
  return join(state, 'layers', 'making');
}

/** The chains that live runs are making. What dead ones left is removed. */
function makersIn(folder: string, except?: string): Maker[] {
  removeDrafts(folder, 'dead');
  const files = (existsSync(folder) ? readdirSync(folder) : []).map((name) => join(folder, name));
  return files
    .filter((file) => (file.endsWith(makerEnding) || file.endsWith(wantedEnding)) && file !== except)
    .flatMap((file) => {
      const maker = readMaker(file);
      // After a power cut it may be empty.
      if (maker !== undefined && stateOf(maker) !== 'dead') return file.endsWith(makerEnding) ? maker : [];
      removeFile(file);
      return [];
    });
}

/** Undefined when it ended, or was lost in a power cut. */
function readMaker(file: string): Maker | undefined {
  try {
    return readJson(file) as Maker;
  } catch {
    return undefined;
  }
}
