import { diskByHand } from '../../aws/by_hand.js';
import { onDisks } from '../../aws/client.js';
import { removeMade } from '../../aws/find_created.js';
import type { MadeNote } from '../../aws/journaled_create.js';
import { deleteSnapshot, snapshotsMadeBy } from '../../aws/snapshots.js';
import type { Undoer } from '../runs/undo.js';

/** Undoes a layer that was not recorded yet, and that nothing uses therefore. */
export const layerUndoer: Undoer = {
  undo: ({ data }, host) => removeMade(data as MadeNote, onDisks(host), { search: snapshotsMadeBy, remove: deleteSnapshot }),
  byHand: ({ data }, at) => {
    const { id, ...note } = data as MadeNote;
    return id === undefined ? [] : [diskByHand(at, note, 'delete-snapshot', '--snapshot-id', id)];
  },
};
