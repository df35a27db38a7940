import { deleteSnapshots } from '../../aws/layer_snapshots.js';
import { hasLocalDisks } from '../../dsl/recipe/cloud.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { bytesInUse } from '../../linux/bytes_in_use.js';
import type { Execution } from '../engine/execution.js';
import type { TaskNotes } from '../engine/task_notes.js';
import { isWorthALayer } from './cost.js';
import { type Layer, type LayerRecords, layerFormat } from './layer_records.js';
import { makeLayer } from './make_layer.js';
import { layersInUse } from './making.js';
import { type ChainVolume, madeVolumes, type OpenChain } from './open_chain.js';

/** Decides after which tasks of one run layers are made, and makes and records them. */
export class LayerMaker {
  constructor(
    private readonly execution: Execution,
    private readonly records: LayerRecords,
    private readonly notes: TaskNotes,
  ) {}

  /**
   * Whether to make a layer after a task: it costs time; on AWS also money, so there the recipe asks for it.
   * @param isRepeated whether the task did the same work before.
   */
  isWorthIt({ task }: LinkedTask, open: OpenChain, { key, isRepeated }: { readonly key: string; readonly isRepeated: boolean }): boolean {
    if ((task.cache || undefined)?.layer) return true;
    if (!hasLocalDisks(this.execution.journal.head.cloud)) return false;
    if (open.making.isWanted(key)) return true;
    // Later layers need what is on a volume that is released before them.
    if (madeVolumes(open).some(({ end }) => end === open.tasks.length && end < open.chain.members.length)) return true;
    const isLast = open.tasks.length === open.chain.members.length;
    const bytes = this.volumesOf(open).used.reduce((sum, { id }) => sum + bytesInUse(id), 0);
    return isWorthALayer(open.since * 1000, this.records.cost(), { bytes, isRepeated, isLast });
  }

  /**
   * Makes a layer of everything that ended so far.
   * @returns why it was not made, if it was not.
   * @throws Error when a file system could not be made writable again.
   */
  async make(task: LinkedTask, open: OpenChain, key: string): Promise<string | undefined> {
    const { execution, records } = this;
    const { used, kept } = this.volumesOf(open);
    const old = records.read(key);
    const missing = await makeLayer({ task, key, volumes: used }, execution, this.notes, (made, where) => {
      const snapshots = { ...kept, ...made };
      records.write({
        format: layerFormat,
        key,
        made: new Date().toISOString(),
        run: execution.folder.id,
        recipe: execution.plan.module.recipe.document.source.path,
        cloud: execution.journal.head.cloud,
        ...where,
        snapshots,
        tasks: open.tasks,
        found: open.found,
      });
      open.last = { tasks: open.tasks.length, snapshots };
    });
    if (missing !== undefined) {
      // The same reason would be printed after each task.
      if (missing !== open.warned) execution.emit({ type: 'warning', message: `no layer after "${task.id}": ${missing}` });
      open.warned = missing;
      return missing;
    }
    open.since = 0;
    if (old !== undefined) await this.deleteReplaced(old);
    return undefined;
  }

  /** The volumes of a layer: those to take snapshots of, and the snapshots of the others by key. */
  private volumesOf(open: OpenChain): { readonly used: { readonly key: string; readonly id: string }[]; readonly kept: Layer['snapshots'] } {
    const { facts } = this.execution;
    const volumes = madeVolumes(open);
    // A volume that no task from the last layer on uses is as it was then, and may be released already.
    const isUsed = ({ end }: ChainVolume) => end > open.last.tasks;
    const used = volumes
      .filter((volume) => isUsed(volume) && facts.output(volume.task.id, 'id') !== null)
      .map(({ task: { id }, key }) => ({ key, id: String(facts.output(id, 'id')) }));
    const kept = volumes.filter((volume) => !isUsed(volume)).map(({ key }) => [key, open.last.snapshots[key] ?? ''] as const);
    return { used, kept: Object.fromEntries(kept) };
  }

  /** Deletes what an older layer with the same key held: the user wanted its task to run again. */
  private async deleteReplaced({ key, snapshots, region, made }: Layer): Promise<void> {
    const { host, folder } = this.execution;
    const ids = layersInUse(folder.state).has(key) ? [] : this.records.unshared(Object.values(snapshots));
    await deleteSnapshots(await host.disks(region), ids, made, host.signal).catch(({ message }: Error) => host.warn(message));
  }
}
