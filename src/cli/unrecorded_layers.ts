import type { Ec2 } from '../aws/client.js';
import { findLayerSnapshots, type Leftover } from '../aws/leftovers.js';
import { LayerRecords } from '../runtime/layers/layer_records.js';

/**
 * Snapshots of layers that no record of a state folder has: nothing will use them. The record was lost, or its state
 * folder was deleted.
 * @param run the run that made them; otherwise only those of this state folder are found.
 */
export async function unrecordedIn(ec2: Ec2, state: string, run?: string): Promise<Leftover[]> {
  const records = new LayerRecords(state);
  if (run === undefined && !records.isMade()) return [];
  const found = await findLayerSnapshots(ec2, run === undefined ? { owner: await records.ownerId() } : { run });
  // Read after the snapshots: a layer that is made meanwhile has its record then.
  const unrecorded = new Set(records.unshared(found.map(({ id }) => id)));
  return found.filter(({ id }) => unrecorded.has(id));
}
