import { type Chain, makesDisk } from '../../dsl/plan/chains.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { Execution } from '../engine/execution.js';
import { PreparedTask } from '../engine/prepared_task.js';
import type { Layer, LayerRecords } from './layer_records.js';
import { type Awaited, type Maker, Making } from './making.js';
import type { OpenChain } from './open_chain.js';
import { restorable } from './restorable.js';
import type { RunKeys } from './run_keys.js';

/** Opens the chains of one run: finds the layers to start from, and waits for those that others are making. */
export class ChainOpener {
  private readonly opening = new Map<Chain, Promise<OpenChain>>();
  private readonly opened = new Map<Chain, OpenChain>();
  private readonly started = Date.now();

  constructor(
    private readonly execution: Execution,
    private readonly records: LayerRecords,
    private readonly keys: RunKeys,
  ) {}

  /** The chains that are open. */
  get all(): ReadonlyMap<Chain, OpenChain> {
    return this.opened;
  }

  open(chain: Chain, signal: AbortSignal): Promise<OpenChain> {
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
    const { plan, forced, host } = this.execution;
    const [first] = chain.members as [LinkedTask];
    // What its volumes were made from is known, and it makes no more layers.
    if (this.execution.done.size > 0) return this.openOnly(chain, this.execution.restored[first.id]);
    const making = this.makingOf(chain);
    const { keys, looks } = await this.keys.of(chain);
    for (;;) {
      const { layer: restored } = await restorable(chain, keys, {
        records: this.records,
        recipe: plan.module.recipe,
        forced,
        since: this.started,
        opener: host,
        onGone: (key) => this.records.remove(key),
      });
      const tasks = [...(restored?.tasks ?? [])];
      // Nothing is won by waiting for volumes and for tasks that are skipped.
      const work = chain.members.findIndex((task, i) => i >= tasks.length && !this.isIdle(task));
      const missing = work < 0 ? [] : keys.slice(work).map(({ key }) => key);
      const awaited = await making.announce(missing, restored?.key, (maker) => this.mayWait(first, maker));
      if (awaited !== undefined) {
        this.reportWait(first, awaited, chain.members[keys.findIndex(({ key }) => key === awaited.key)]?.id);
        await making.waitFor(awaited, signal);
        continue;
      }
      // It was deleted before this chain announced that it uses it.
      if (restored !== undefined && this.records.read(restored.key) === undefined) continue;
      if (restored !== undefined) this.records.touch(restored.key);
      const last = { tasks: tasks.length, snapshots: restored?.snapshots ?? {} };
      const found = { ...restored?.found };
      return this.add({ chain, keys, looks, found, restored, tasks, making, since: 0, last });
    }
  }

  /** A chain that makes no layers. Its volumes may be from one. */
  private openOnly(chain: Chain, restored: Layer | undefined): OpenChain {
    const none = { keys: [], looks: new Map(), found: {}, since: 0, last: { tasks: 0, snapshots: {} }, broken: 'the run makes no layers' };
    return this.add({ chain, making: this.makingOf(chain), restored, tasks: [...(restored?.tasks ?? [])], ...none });
  }

  private add(open: OpenChain): OpenChain {
    this.opened.set(open.chain, open);
    return open;
  }

  private makingOf({ members }: Chain): Making {
    const { state, id } = this.execution.folder;
    return new Making(state, id, members[0]?.id ?? '');
  }

  private reportWait(first: LinkedTask, { maker }: Awaited, last: string | undefined): void {
    const whose = maker.run === this.execution.folder.id ? `"${maker.task}"` : `run ${maker.run}`;
    this.execution.emit({ type: 'task.progress', task: first.id, text: `waiting for the layer after "${last}" that ${whose} is making` });
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
    return !plan.chains.find(({ members }) => members.some(({ id }) => id === task))?.members.some(({ id }) => after.has(id));
  }
}
