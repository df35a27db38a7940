import type { Here } from './action.js';

/** The key that something encrypted is encrypted with, as EC2 tells it: the account's own for EBS where none was named. */
export function keyOf({ encrypted, kmsKey }: { readonly encrypted: boolean; readonly kmsKey?: string | undefined }, here: Here): string | undefined {
  if (!encrypted) return undefined;
  return kmsKey ?? `arn:aws:kms:${here.region}:${here.account}:key/00000000-0000-0000-0000-000000000000`;
}
