import type { Ec2 } from '../aws/client.js';
import { findLeftovers, removeLeftover } from '../aws/leftovers.js';
import { hasLocalDisks } from '../dsl/recipe/cloud.js';
import { unmountTree } from '../linux/mounts.js';
import { localRegion } from '../local/request_identity.js';
import { regionsIn } from '../local/store.js';
import type { Left } from '../runtime/engine/events.js';
import type { RunFolder } from '../runtime/runs/run_folder.js';
import type { UndoOptions } from '../runtime/runs/undo.js';
import { localFolder } from './embedded_ec2.js';

/**
 * Finds the resources that a damaged journal may have recorded, by the run's tag in its known regions, and deletes them.
 * @returns what is left.
 */
export async function undoByTag(folder: RunFolder, { host, journal }: UndoOptions): Promise<Left[]> {
  const left: Left[] = [];
  const add = (error: unknown, task: string, kind: string) => left.push({ task, kind, error: (error as Error).message, by_hand: [] });
  await unmountTree(folder.mounts, host.shell, 0).catch((error) => add(error, 'run', 'mount'));
  const { cloud } = journal.head;
  const own = cloud.region ?? (cloud.provider === 'local' ? localRegion : undefined);
  const embedded = hasLocalDisks(cloud) ? regionsIn(localFolder(folder.state)) : [];
  // With direct volumes, images are in one EC2, and volumes in another.
  const places = [{ region: own, open: host.ec2 }, ...embedded.map((region) => ({ region, open: host.disks }))];
  const done = new Set<Ec2>();
  for (const { region, open } of places) {
    try {
      const ec2 = await open(region);
      if (done.has(ec2)) continue;
      done.add(ec2);
      for (const found of await findLeftovers(ec2, folder.id)) {
        await removeLeftover(ec2, found, host.signal).catch((error) => add(error, found.task, `${found.type} ${found.id}`));
      }
    } catch (error) {
      add(error, 'run', `EC2 in ${region ?? 'its region'}`);
    }
  }
  return left;
}
