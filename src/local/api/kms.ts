import type { Here } from './action.js';

/** The encryption key that EC2 reports for an encrypted resource: the given key, or the account's default key for EBS. */
export function keyOf({ encrypted, kmsKey }: { readonly encrypted: boolean; readonly kmsKey?: string | undefined }, here: Here): string | undefined {
  if (!encrypted) return undefined;
  return kmsKey ?? `arn:aws:kms:${here.region}:${here.account}:key/00000000-0000-0000-0000-000000000000`;
}
