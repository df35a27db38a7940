import { deleteSnapshots } from '../../aws/layer_snapshots.js';
import { type Chain, makesDisk, readsFiles } from '../../dsl/plan/chains.js';
import { hasLocalDisks } from '../../dsl/recipe/cloud.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { NotWritableError } from '../../linux/quiet_disk.js';
import type { NodeOutcome } from '../engine/events.js';
import type { Execution } from '../engine/execution.js';
import { policy } from '../engine/policy.js';
import { PreparedTask } from '../engine/prepared_task.js';
import type { TaskNotes } from '../engine/task_notes.js';
import { chainKeys, type TaskKey } from './chain_keys.js';
import { type LastRun, type Layer, LayerRecords, type LayerTask, layerFormat } from './layer_records.js';
import { makeLayer } from './make_layer.js';
import { layersInUse, type Maker, Making } from './making.js';
import { restorable } from './restorable.js';

/** A chain in this run. */
interface OpenChain {
  readonly chain: Chain;
  /** Of its first tasks: what each is made from, and the key of the content after it. */
  readonly keys: readonly TaskKey[];
  /** The layer from which its volumes are made. */
  readonly restored: Layer | undefined;
  /** The tasks that ended in this run, and those of the layer. */
  readonly tasks: LayerTask[];
  readonly making: Making;
  /** How long a layer takes to make here, in milliseconds. */
  cost: number;
  /** Seconds of work since the last layer. */
  since: number;
  /** The last layer: how many tasks it has, and its snapshots. */
  last: { readonly tasks: number; readonly snapshots: Layer['snapshots'] };
  /** Why the last layer could not be made. */
  warned?: string;
  /** Whether what is on the volumes is not what the keys say: a task failed, or one ran whose content has no key. */
  isBroken: boolean;
}

type Outputs = Readonly<Record<string, unknown>>;

/** How a task ended in this run. */
interface Ended {
  readonly outcome: NodeOutcome;
  readonly outputs: Outputs;
  readonly seconds: number;
}

/** The layers of one run: which tasks it takes from an earlier run, and which layers it makes. */
export class Layers {
  private readonly chains = new Map<string, Chain>();
  private readonly opening = new Map<Chain, Promise<OpenChain>>();
  private readonly opened = new Map<Chain, OpenChain>();
  private readonly records: LayerRecords;
  private hashing: { readonly region: string; readonly hashKey: Buffer } | undefined;

  constructor(
    private readonly execution: Execution,
    private readonly notes: TaskNotes,
  ) {
    this.records = new LayerRecords(execution.folder.state);
    for (const chain of execution.plan.chains) for (const { id } of chain.members) this.chains.set(id, chain);
  }

  /** What an earlier run left of a task on the volume, if this run starts from it; undefined when the task must run. */
  async restored(task: LinkedTask, signal: AbortSignal): Promise<LayerTask | undefined> {
    const chain = this.chains.get(task.id);
    if (chain === undefined) return undefined;
    const open = await this.open(chain, signal);
    return open.restored?.tasks[chain.members.indexOf(task)];
  }

  /** The snapshot from which a volume is made instead of its own. */
  snapshotFor(volume: LinkedTask): string | undefined {
    const chain = this.chains.get(volume.id);
    const restored = chain && this.opened.get(chain)?.restored;
    const made = restored?.tasks[chain?.members.indexOf(volume) ?? -1];
    return made && restored?.snapshots[made.key];
  }

  /**
   * Notes that a task ended, and makes a layer if that is worth its time.
   * @returns the key of the layer.
   * @throws Error when a file system could not be made writable again.
   */
  async ended(task: LinkedTask, how: Ended): Promise<string | undefined> {
    const chain = this.chains.get(task.id);
    const open = chain && this.opened.get(chain);
    if (open === undefined || open.isBroken) return undefined;
    try {
      return await this.noteEnd(task, open, how);
    } catch (error) {
      if (error instanceof NotWritableError) throw error;
      this.execution.emit({ type: 'warning', message: `no more layers of "${open.chain.members[0]?.id}": ${(error as Error).message}` });
      return this.failed(task);
    }
  }

  private async noteEnd(task: LinkedTask, open: OpenChain, { outcome, outputs, seconds }: Ended): Promise<string | undefined> {
    const known = open.keys[open.tasks.length];
    if (known === undefined) return undefined;
    const isAsPlanned = open.chain.members[open.tasks.length] === task && (!readsFiles(task) || this.hasSameFiles(open, known));
    if (!isAsPlanned || !isKept(outcome) || this.cannotBeKept(task, outputs)) return this.failed(task);
    open.tasks.push({ task: task.id, ...known, outcome, outputs, ended: new Date().toISOString(), seconds });
    // A volume is made in every run, so a layer does not save its time.
    if (outcome === 'succeeded' && !makesDisk(task)) open.since += seconds;
    this.noteTask(open);
    const made = !makesDisk(task) && this.isWorthIt(task, open, known.key) ? await this.make(task, open, known.key) : undefined;
    open.making.passed(known.key);
    return made;
  }

  /** For `why`. */
  private noteTask({ tasks }: OpenChain, more: Pick<LastRun, 'layer' | 'missing'> = {}): void {
    this.records.writeTask({ recipe: this.recipe, run: this.execution.folder.id, ...more, ...(tasks.at(-1) as LayerTask) });
  }

  /** Notes that a task failed: what it left is not known, and no more layers are made of its volumes. */
  failed(task: LinkedTask): undefined {
    const chain = this.chains.get(task.id);
    const open = chain && this.opened.get(chain);
    if (open === undefined) return;
    open.isBroken = true;
    open.making.end();
  }

  /** The run is over: nobody waits for its layers any more. */
  end(): void {
    for (const { making } of this.opened.values()) making.end();
  }

  private open(chain: Chain, signal: AbortSignal): Promise<OpenChain> {
    const known = this.opening.get(chain) ?? this.openOrNot(chain, signal);
    this.opening.set(chain, known);
    // After a cancelled wait, a retry waits again.
    known.catch(() => this.opening.delete(chain));
    return known;
  }

  /** Without layers the run takes longer, but it need not fail. */
  private async openOrNot(chain: Chain, signal: AbortSignal): Promise<OpenChain> {
    try {
      return await this.find(chain, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const [first] = chain.members as [LinkedTask];
      this.execution.emit({ type: 'warning', message: `no layers of "${first.id}": ${(error as Error).message}` });
      return this.openOnly(chain, undefined);
    }
  }

  /** Finds the longest beginning of a chain that an earlier run left, or that another chain is making. */
  private async find(chain: Chain, signal: AbortSignal): Promise<OpenChain> {
    const { folder, emit, plan, forced, host } = this.execution;
    const [first] = chain.members as [LinkedTask];
    // What its volumes were made from is known, and it makes no more layers.
    if (this.execution.done.size > 0) return this.openOnly(chain, this.execution.restored[first.id]);
    const making = this.makingOf(chain);
    const keys = await this.keysOf(chain);
    for (;;) {
      const { layer: restored } = await restorable(chain, keys, {
        records: this.records,
        recipe: plan.module.recipe,
        forced,
        opener: host,
        onGone: (key) => this.records.remove(key),
      });
      const tasks = [...(restored?.tasks ?? [])];
      // Nothing is won by waiting for volumes and for tasks that are skipped.
      const work = chain.members.findIndex((task, i) => i >= tasks.length && !this.isIdle(task));
      const missing = work < 0 ? [] : keys.slice(work).map(({ key }) => key);
      const awaited = await making.announce(missing, restored?.key, (maker) => this.mayWait(first, maker));
      if (awaited === undefined) {
        // It was deleted before this chain announced that it uses it.
        if (restored !== undefined && this.records.read(restored.key) === undefined) continue;
        if (restored !== undefined) this.records.touch(restored.key);
        const last = { tasks: tasks.length, snapshots: restored?.snapshots ?? {} };
        const open: OpenChain = { chain, keys, restored, tasks, making, cost: this.costOf(restored), since: 0, last, isBroken: false };
        this.opened.set(chain, open);
        return open;
      }
      const last = chain.members[keys.findIndex(({ key }) => key === awaited.key)]?.id;
      const whose = awaited.maker.run === folder.id ? `"${awaited.maker.task}"` : `run ${awaited.maker.run}`;
      emit({ type: 'task.progress', task: first.id, text: `waiting for the layer after "${last}" that ${whose} is making` });
      await making.waitFor(awaited, signal);
    }
  }

  /** A chain that makes no layers. Its volumes may be from one. */
  private openOnly(chain: Chain, restored: Layer | undefined): OpenChain {
    const none = { keys: [], cost: 0, since: 0, last: { tasks: 0, snapshots: {} }, isBroken: true };
    const open: OpenChain = { chain, making: this.makingOf(chain), restored, tasks: [...(restored?.tasks ?? [])], ...none };
    this.opened.set(chain, open);
    return open;
  }

  private makingOf({ members }: Chain): Making {
    const { state, id } = this.execution.folder;
    return new Making(state, id, members[0]?.id ?? '');
  }

  /** The layers from which volumes were made, by the first task of their chains. */
  get used(): Readonly<Record<string, Layer>> {
    const all = [...this.opened].flatMap(([{ members }, { restored }]) => (restored === undefined ? [] : [[members[0]?.id ?? '', restored] as const]));
    return Object.fromEntries(all);
  }

  /** Whether a task leaves nothing that another chain could use: a volume is made for each, and `if` may be false. */
  private isIdle(task: LinkedTask): boolean {
    if (makesDisk(task)) return true;
    try {
      return !new PreparedTask(task, this.execution.facts).condition();
    } catch {
      // It reads an output that is not known yet, or it fails when the task runs.
      return false;
    }
  }

  /** Whether a chain may wait for another one. Not for one of this run that comes after it. */
  private mayWait(first: LinkedTask, { run, task }: Maker): boolean {
    const { plan, folder, beforeTask } = this.execution;
    // While it waits, a job keeps its places from others, which may be what it waits for.
    if (beforeTask !== undefined || first.task.locks.length > 0 || Number.isFinite(first.siblings?.limit)) return false;
    // Two runs could wait for each other.
    if (run !== folder.id) return this.opened.size === 0;
    const after = new Set([first.id]);
    for (const node of plan.nodes) if (node.after.some(({ from }) => after.has(from))) after.add(node.id);
    return !this.chains.get(task)?.members.some(({ id }) => after.has(id));
  }

  /** The keys of a chain, as far as they can be known now. */
  private async keysOf(chain: Chain): Promise<readonly TaskKey[]> {
    const { host } = this.execution;
    const { region } = await host.disks();
    this.hashing = { region, hashKey: await this.records.hashKey() };
    return this.keysIn(chain, this.hashing);
  }

  private keysIn(chain: Chain, { region, hashKey }: { region: string; hashKey: Buffer }): readonly TaskKey[] {
    const { plan, facts, journal } = this.execution;
    const sources = { tasks: plan.tasks, facts, hasEnded: (id: string) => facts.hasEnded(id), hashKey };
    return chainKeys(chain, { ...journal.head.cloud, region }, sources).keys;
  }

  private get recipe(): string {
    return this.execution.plan.module.recipe.document.source.path;
  }

  /** Whether the files that a task read are those that its key was made from: they may have been edited since. */
  private hasSameFiles({ chain, tasks }: OpenChain, { key }: TaskKey): boolean {
    const members = chain.members.slice(0, tasks.length + 1);
    return this.hashing !== undefined && this.keysIn({ ...chain, members }, this.hashing).at(-1)?.key === key;
  }

  /** Outputs with secrets are not recorded, nor are paths of this run, which another run does not have. */
  private cannotBeKept({ task: { action } }: LinkedTask, outputs: Outputs): boolean {
    const { plan, facts, folder, redactor } = this.execution;
    const text = JSON.stringify(outputs);
    if (JSON.stringify(redactor.redactValue(outputs)) !== text) return true;
    // The outputs of `reopen` are new in every run.
    if (action.type !== 'run' || action.reopen !== undefined) return false;
    const handles = [...plan.tasks.values()].filter(({ lifetime }) => lifetime === 'resource').flatMap(({ id }) => pathsIn(facts.outputsOf(id)));
    return [folder.path, ...handles].some((path) => text.includes(path));
  }

  /** A copy-on-write file system makes any layer at once; elsewhere it takes the longer, the more is on the volume. */
  private costOf(restored: Layer | undefined): number {
    return (restored ?? this.records.list().find(({ recipe }) => recipe === this.recipe))?.cost ?? policy.layerMs;
  }

  /** A layer costs time; on AWS also money, so there the recipe asks for it. */
  private isWorthIt({ task }: LinkedTask, open: OpenChain, key: string): boolean {
    if ((task.cache || undefined)?.layer) return true;
    if (!hasLocalDisks(this.execution.journal.head.cloud)) return false;
    if (open.making.isWanted(key)) return true;
    // Later layers need what is on a volume that is released before them.
    if (madeVolumes(open).some(({ end }) => end === open.tasks.length && end < open.chain.members.length)) return true;
    return open.since * 1000 > open.cost;
  }

  private async make(task: LinkedTask, open: OpenChain, key: string): Promise<string | undefined> {
    const { execution, notes, records } = this;
    const { facts, folder, host } = execution;
    const count = open.tasks.length;
    const volumes = madeVolumes(open);
    // A volume that no task from the last layer on uses is as it was then, and may be released already.
    const isUsed = ({ end }: ChainVolume) => end > open.last.tasks;
    const used = volumes
      .filter((volume) => isUsed(volume) && facts.output(volume.task.id, 'id') !== null)
      .map(({ task: { id }, key }) => ({ key, id: String(facts.output(id, 'id')) }));
    const kept = volumes.filter((volume) => !isUsed(volume)).map(({ key }) => [key, open.last.snapshots[key] ?? ''] as const);
    const old = records.read(key);
    const started = performance.now();
    const missing = await makeLayer({ task, key, volumes: used }, execution, notes, (snapshots, region) => {
      const all = { ...Object.fromEntries(kept), ...snapshots };
      records.write({
        format: layerFormat,
        key,
        made: new Date().toISOString(),
        cost: performance.now() - started,
        run: folder.id,
        recipe: this.recipe,
        cloud: this.execution.journal.head.cloud,
        region,
        snapshots: all,
        tasks: open.tasks,
      });
      open.last = { tasks: count, snapshots: all };
    });
    this.noteTask(open, { layer: missing === undefined, missing });
    if (missing !== undefined) {
      // The same reason would be printed after each task.
      if (missing !== open.warned) this.execution.emit({ type: 'warning', message: `no layer after "${task.id}": ${missing}` });
      open.warned = missing;
      return undefined;
    }
    open.since = 0;
    open.cost = performance.now() - started;
    // The user wanted the task to run again.
    if (old !== undefined) {
      const ids = layersInUse(folder.state).has(key) ? [] : records.unshared(Object.values(old.snapshots));
      await deleteSnapshots(await host.disks(old.region), ids, old.made, host.signal).catch(({ message }: Error) => host.warn(message));
    }
    return key;
  }
}

/** A volume of a chain that was made already. */
interface ChainVolume {
  readonly task: LinkedTask;
  readonly key: string;
  /** How many members of the chain come up to the last one that uses it. */
  readonly end: number;
}

function madeVolumes({ chain: { members }, tasks }: OpenChain): ChainVolume[] {
  return members.slice(0, tasks.length).flatMap((task, i) => {
    if (!makesDisk(task)) return [];
    return { task, key: tasks[i]?.key ?? '', end: members.findLastIndex((each) => each === task || each.uses.has(task.id)) + 1 };
  });
}

function isKept(outcome: NodeOutcome): outcome is LayerTask['outcome'] {
  // What is up to date may have left nothing on this volume.
  return outcome === 'succeeded' || outcome === 'skipped';
}

/** The paths among some outputs, at any depth. */
function pathsIn(value: unknown): string[] {
  if (typeof value === 'string') return /^\/.{3}/.test(value) ? [value] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(pathsIn) : [];
}
