import { type Chain, makesDisk, readsFiles } from '../../dsl/plan/chains.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { tasksIn } from '../../dsl/resolve/names.js';
import { NotWritableError } from '../../linux/quiet_disk.js';
import type { NodeOutcome } from '../engine/events.js';
import type { Execution } from '../engine/execution.js';
import type { TaskNotes } from '../engine/task_notes.js';
import { ChainOpener } from './chain_opener.js';
import { contentOfChain } from './content.js';
import { LayerMaker } from './layer_maker.js';
import { type LastRun, type Layer, LayerRecords, type LayerTask } from './layer_records.js';
import type { OpenChain } from './open_chain.js';
import { RunKeys } from './run_keys.js';

type Outputs = Readonly<Record<string, unknown>>;

/** How a task ended in this run. */
interface Ended {
  readonly outcome: NodeOutcome;
  readonly outputs: Outputs;
  /** Whether it registered a secret in its output. */
  readonly hasMasked: boolean;
  readonly seconds: number;
}

/** The layers of one run: which tasks it takes from an earlier run, and which layers it makes. */
export class Layers {
  private readonly chains = new Map<string, Chain>();
  private readonly records: LayerRecords;
  private readonly keys: RunKeys;
  private readonly opener: ChainOpener;
  private readonly maker: LayerMaker;

  constructor(
    private readonly execution: Execution,
    notes: TaskNotes,
  ) {
    this.records = new LayerRecords(execution.folder.state);
    this.keys = new RunKeys(execution, this.records);
    this.opener = new ChainOpener(execution, this.records, this.keys);
    this.maker = new LayerMaker(execution, this.records, notes);
    for (const chain of execution.plan.chains) for (const { id } of tasksOf(chain)) this.chains.set(id, chain);
  }

  /** What an earlier run left of a task on the volume, if this run starts from it; undefined when the task must run. */
  async restored(task: LinkedTask, signal: AbortSignal): Promise<LayerTask | undefined> {
    const chain = this.chains.get(task.id);
    if (chain === undefined) return undefined;
    const open = await this.opener.open(chain, signal);
    return open.restored?.tasks[chain.members.indexOf(task)];
  }

  /** The snapshot from which a volume is made instead of its own. */
  snapshotFor(volume: LinkedTask): string | undefined {
    const open = this.openOf(volume);
    const made = open?.restored?.tasks[open.chain.members.indexOf(volume)];
    return made && open?.restored?.snapshots[made.key];
  }

  /** What a task found when it looked at the same content, if this run starts from a layer that was made after it. */
  found(task: LinkedTask): Outputs | undefined {
    const open = this.openOf(task);
    return open?.restored?.found[open.looks.get(task.id) ?? ''];
  }

  /** Notes what a task found that looked for something on a volume. */
  looked(task: LinkedTask, outputs: Outputs): void {
    const open = this.openOf(task);
    const key = open?.looks.get(task.id);
    if (open !== undefined && key !== undefined) open.found[key] = outputs;
  }

  /** What the content of the volume that a task freezes is from; undefined if that is not known. */
  contentFor({ id: freezer, task: { action }, module }: LinkedTask): string | undefined {
    const [frozen] = action.type === 'kind' ? (action.kind.freezes ?? []) : [];
    const value = frozen === undefined || action.type !== 'kind' ? undefined : action.with.get(frozen);
    const chains = value === undefined ? [] : tasksIn(value, module).flatMap(({ id }) => this.chains.get(id) ?? []);
    const [open] = chains.map((chain) => this.opener.all.get(chain));
    return open && contentOfChain(open, freezer);
  }

  /**
   * Notes that a task ended, and makes a layer if that is worth its time.
   * @returns the key of the layer.
   * @throws Error when a file system could not be made writable again.
   */
  async ended(task: LinkedTask, how: Ended): Promise<string | undefined> {
    const open = this.openOf(task);
    if (open === undefined) return undefined;
    try {
      return await this.noteEnd(task, open, how);
    } catch (error) {
      if (error instanceof NotWritableError) throw error;
      this.execution.emit({ type: 'warning', message: `no more layers of "${open.chain.members[0]?.id}": ${(error as Error).message}` });
      return this.failed(task);
    }
  }

  private async noteEnd(task: LinkedTask, open: OpenChain, how: Ended): Promise<string | undefined> {
    const known = open.keys[open.chain.members.indexOf(task)];
    if (known === undefined) return undefined;
    const { outcome, outputs, seconds } = how;
    const ended = { task: task.id, ...known, ended: new Date().toISOString(), seconds };
    const missing = this.whyNotKept(task, open, how);
    if (missing !== undefined || !isKept(outcome)) {
      // Its outputs may contain a secret.
      this.noteTask({ ...ended, outcome: 'succeeded', outputs: {}, missing });
      open.broken ??= `what "${task.id}" left is not kept`;
      return this.failed(task);
    }
    const done: LayerTask = { ...ended, outcome, outputs };
    open.tasks.push(done);
    // A volume is made in every run, so a layer does not save its time.
    if (outcome === 'succeeded' && !makesDisk(task)) open.since += seconds;
    const isRepeated = this.records.ranBefore(this.recipe, task.id, known.key);
    this.noteTask(done);
    const made = !makesDisk(task) && this.maker.isWorthIt(task, open, { key: known.key, isRepeated }) && (await this.make(task, open, done));
    open.making.passed(known.key);
    return made ? known.key : undefined;
  }

  /** Why neither a task nor one after it can be kept. */
  private whyNotKept(task: LinkedTask, open: OpenChain, { outcome, outputs, hasMasked }: Ended): string | undefined {
    const place = open.tasks.length;
    const known = open.keys[place];
    if (open.broken !== undefined) return open.broken;
    if (open.chain.members[place] !== task || known === undefined) return 'the tasks ran in another order';
    if (readsFiles(task) && !this.keys.hasSameFiles(open.chain, place, known)) return 'a file that it reads changed meanwhile';
    // What is up to date may have left nothing on this volume.
    if (!isKept(outcome)) return 'it was up to date';
    // A later run would not know what to hide.
    if (hasMasked) return 'it printed ::add-mask::';
    return this.whyNotRecorded(task, outputs);
  }

  /** @returns whether the layer was made. */
  private async make(task: LinkedTask, open: OpenChain, done: LayerTask): Promise<boolean> {
    const missing = await this.maker.make(task, open, done.key);
    this.noteTask({ ...done, layer: missing === undefined, missing });
    return missing === undefined;
  }

  private get recipe(): string {
    return this.execution.plan.module.recipe.document.source.path;
  }

  /** For `why`. */
  private noteTask(done: LayerTask & Pick<LastRun, 'layer' | 'missing'>): void {
    this.records.writeTask({ recipe: this.recipe, run: this.execution.folder.id, ...done });
  }

  /** Notes that a task failed: what it left is not known, and no more layers are made of its volumes. */
  failed(task: LinkedTask): undefined {
    const open = this.openOf(task);
    if (open === undefined) return;
    open.broken ??= `"${task.id}" failed`;
    open.making.end();
  }

  /** The run is over: nobody waits for its layers any more. */
  end(): void {
    for (const { making } of this.opener.all.values()) making.end();
  }

  /** The layers from which volumes were made, by the first task of their chains. */
  get used(): Readonly<Record<string, Layer>> {
    const all = [...this.opener.all.values()].flatMap(({ chain, restored }) =>
      restored === undefined ? [] : [[chain.members[0]?.id ?? '', restored] as const],
    );
    return Object.fromEntries(all);
  }

  private openOf(task: LinkedTask): OpenChain | undefined {
    const chain = this.chains.get(task.id);
    return chain && this.opener.all.get(chain);
  }

  /** Outputs with secrets are not recorded, nor are paths of this run, which another run does not have. */
  private whyNotRecorded({ task: { action } }: LinkedTask, outputs: Outputs): string | undefined {
    const { plan, facts, folder, redactor } = this.execution;
    const text = JSON.stringify(outputs);
    if (JSON.stringify(redactor.redactValue(outputs)) !== text) return 'an output contains a secret';
    // The outputs of `reopen` are new in every run.
    if (action.type !== 'run' || action.reopen !== undefined) return undefined;
    const handles = [...plan.tasks.values()].filter(({ lifetime }) => lifetime === 'resource').flatMap(({ id }) => pathsIn(facts.outputsOf(id)));
    return [folder.path, ...handles].some((path) => text.includes(path)) ? 'an output is a path of the run' : undefined;
  }
}

/** Those of which something is recorded. */
function tasksOf({ members, looks }: Chain): LinkedTask[] {
  return [...members, ...looks.map(({ task }) => task)];
}

function isKept(outcome: NodeOutcome): outcome is LayerTask['outcome'] {
  return outcome === 'succeeded' || outcome === 'skipped';
}

/** The paths among some outputs, at any depth. */
function pathsIn(value: unknown): string[] {
  if (typeof value === 'string') return /^\/.{3}/.test(value) ? [value] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(pathsIn) : [];
}
