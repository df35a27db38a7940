import { accountOf } from '../../aws/account.js';
import { onDisks } from '../../aws/client.js';
import { createLayerSnapshot, deviceNameOf } from '../../aws/layer_snapshots.js';
import { markKept } from '../../aws/ownership_tags.js';
import { waitForSnapshot } from '../../aws/snapshots.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { deviceOfVolume } from '../../linux/block_devices.js';
import { bytesInUse } from '../../linux/bytes_in_use.js';
import { NotWritableError, whileQuiet } from '../../linux/quiet_disk.js';
import type { Execution } from '../engine/execution.js';
import { withoutStandIns } from '../engine/renew_stand_ins.js';
import type { TaskNotes } from '../engine/task_notes.js';
import { costFrom } from './cost.js';
import { type Layer, LayerRecords } from './layer_records.js';

/** A layer to make: the key after a task, and the volumes with the keys of their tasks. */
export interface WantedLayer {
  readonly task: LinkedTask;
  readonly key: string;
  readonly volumes: readonly { readonly key: string; readonly id: string }[];
}

/**
 * Makes a layer: snapshots of what the volumes would hold if everything on them were released now.
 * @param record records it: from then on, it is used.
 * @returns why it was not made, if it was not.
 * @throws Error when a file system could not be made writable again.
 */
export async function makeLayer(
  { task, key, volumes }: WantedLayer,
  { host, folder, journal, emit }: Execution,
  notes: TaskNotes,
  record: (snapshots: Readonly<Record<string, string>>, where: Pick<Layer, 'region' | 'account'>) => void,
): Promise<string | undefined> {
  const written: number[] = [];
  const context = {
    run: folder.id,
    task: task.id,
    signal: host.signal,
    progress: (text: string) => emit({ type: 'task.progress', task: task.id, text }),
    note: (data: object) => {
      const note = notes.add(task, 'layer', data);
      written.push(note);
      return { update: (next: object) => journal.update(note, next), remove: () => journal.undone(note) };
    },
  };
  try {
    const started = performance.now();
    let copyMs = 0;
    const ec2 = await host.disks();
    const records = new LayerRecords(folder.state);
    const owner = await records.ownerId();
    const disks: string[] = [];
    for (const { id } of volumes) {
      const name = await deviceNameOf(ec2, id);
      if (name !== undefined) disks.push(await deviceOfVolume(id, name, host.signal));
    }
    const snapshots: Record<string, string> = {};
    await withoutStandIns(journal, disks, host.warn, () =>
      whileQuiet(disks, host.shell, async () => {
        const copied = performance.now();
        for (const volume of volumes) {
          const { id } = await createLayerSnapshot(ec2, { volume: volume.id, key, owner }, context);
          // In EC2 it holds what the volume held at the request; the embedded EC2 must have copied it first.
          if (ec2.cloud.provider === 'local') await waitForSnapshot(ec2, id, host.signal, context.progress);
          snapshots[volume.key] = id;
        }
        copyMs = performance.now() - copied;
      }),
    );
    // A record without its snapshots does no harm; `layers prune` and `gc` delete snapshots without a record.
    record(snapshots, { region: ec2.region, account: await accountOf(ec2) });
    await markKept(
      Object.values(snapshots).map((id) => ({ region: ec2.region, id })),
      onDisks(host),
      context.progress,
    );
    for (const note of written) journal.undone(note);
    const bytes = volumes.reduce((sum, { id }) => sum + bytesInUse(id), 0);
    if (ec2.cloud.provider === 'local') records.writeCost(costFrom(performance.now() - started, copyMs, bytes));
    return undefined;
  } catch (error) {
    await notes.undoOnly(written);
    if (error instanceof NotWritableError) throw error;
    return (error as Error).message;
  }
}
