import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/** The digests of the written blocks of a snapshot are in a sparse file, each at its index. No digest is all zeros. */
const digestBytes = 32;
/** A multiple of the digests' length. */
const chunkBytes = 2 ** 20;

export function createDigests(file: string): void {
  closeSync(openSync(file, 'w', 0o600));
}

export function noteDigest(file: string, index: number, digest: Buffer): void {
  const fd = openSync(file, 'r+');
  try {
    writeSync(fd, digest, 0, digestBytes, index * digestBytes);
  } finally {
    closeSync(fd);
  }
}

/**
 * How many blocks were written, and the checksum of their digests in the order of the blocks.
 * Source: EBS direct APIs reference, CompleteSnapshot: the aggregation method LINEAR.
 */
export function sumOf(file: string): { readonly count: number; readonly checksum: string } {
  const hash = createHash('sha256');
  const none = Buffer.alloc(digestBytes);
  let count = 0;
  const fd = openSync(file, 'r');
  try {
    const chunk = Buffer.alloc(chunkBytes);
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) {
      for (let at = 0; at < read; at += digestBytes) {
        const digest = chunk.subarray(at, at + digestBytes);
        if (digest.equals(none)) continue;
        hash.update(digest);
        count += 1;
      }
    }
  } finally {
    closeSync(fd);
  }
  return { count, checksum: hash.digest('base64') };
}
