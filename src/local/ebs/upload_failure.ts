import { statSync } from 'node:fs';
import { isSinceBoot } from '../owner_process.js';
import type { DiskResource, Snapshot, Upload } from '../resources.js';
import type { Store } from '../store.js';

/** A snapshot whose blocks are written with EBS direct. */
export type UploadedSnapshot = Snapshot & { readonly upload: Upload };

export function isUploaded(disk: DiskResource | undefined): disk is UploadedSnapshot {
  return disk !== undefined && 'upload' in disk && disk.upload !== undefined;
}

/** Why the blocks of a snapshot that is not complete are lost; undefined when they are not. */
export function uploadFailure({ id, created, maker, upload }: UploadedSnapshot, store: Store): string | undefined {
  // Blocks are synced only when the snapshot is completed.
  if (!isSinceBoot(maker)) return 'this machine was rebooted before the snapshot was completed';
  const lastWritten = statSync(store.digestsOf(id), { throwIfNoEntry: false })?.mtimeMs ?? Date.parse(created);
  return Date.now() - lastWritten > upload.timeoutMinutes * 60_000 ? `no block was written for ${upload.timeoutMinutes} minutes` : undefined;
}
