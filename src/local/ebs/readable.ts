import { type Here, maySee, ownerOf } from '../api/action.js';
import { isComplete } from '../api/snapshots.js';
import type { Snapshot } from '../resources.js';
import { invalid, noSnapshot } from './errors.js';

/**
 * A snapshot whose blocks the client may read, or use as a parent.
 * Source: EBS User Guide, "Concepts for EBS direct APIs" and "Frequently asked questions": public snapshots are not supported, and only completed
 * ones can be read.
 */
export function readable(id: string, here: Here): Snapshot {
  const found = here.store.get('snapshots', id);
  if (found === undefined || !maySee(found, here)) throw noSnapshot(id);
  const isShared = found.sharedWith?.users.includes(here.account) ?? false;
  if (ownerOf(found) !== here.account && !isShared) throw invalid('INVALID_SNAPSHOT_ID', `The snapshot '${id}' is public: public snapshots are not supported.`);
  if (!isComplete(found, here)) throw invalid('INVALID_SNAPSHOT_ID', `The snapshot '${id}' is not in the 'completed' state.`);
  return found;
}
