import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ServedKeys } from '../aws/credentials.js';
import { removeFile, writeWhole } from '../linux/atomic_write.js';
import { isHeld } from '../linux/lock.js';
import { readJson } from '../linux/read_json.js';
import type { Served } from '../local/http/server.js';
import { localAccount, uncheckedKey } from '../local/request_identity.js';
import { serverLock } from './embedded_ec2.js';

/** A served EC2, as it is printed and as the state folder keeps it for the programs of its owner. */
export interface ServedNote extends Pick<Served, 'endpoint' | 'metadata' | 'hosts'> {
  readonly region: string;
  readonly state: string;
  /** Environment variables for AWS clients. */
  readonly env: Readonly<Record<string, string>>;
}

/** A new secret access key, as long as those of AWS. */
export function newSecretKey(): string {
  return randomBytes(30).toString('base64url');
}

/**
 * The note of a server. The access key id names the account; any other works too.
 * @param listen set if other machines may use it: they cannot reach the metadata service, which listens on the loopback interface.
 */
export function noteOf(
  { endpoint, metadata, hosts }: Omit<Served, 'close'>,
  region: string,
  state: string,
  secretKey = uncheckedKey,
  listen?: string,
): ServedNote {
  const env = {
    AWS_ENDPOINT_URL: endpoint,
    ...(listen === undefined ? { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata } : {}),
    AWS_ACCESS_KEY_ID: localAccount,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
  };
  return { endpoint, metadata, hosts, region, state, env };
}

/** Writes the note of a running server. @returns a function that removes it. */
export function keepNote(note: ServedNote): () => void {
  writeWhole(fileIn(note.state), `${JSON.stringify(note)}\n`);
  return () => removeFile(fileIn(note.state));
}

/**
 * The keys for the EC2 at an endpoint, if it is served from a state folder under this or another name. The access key id
 * of the environment still selects the account.
 */
export function servedAt(endpoint: string | undefined, state: string): ServedKeys | undefined {
  const note = endpoint === undefined ? undefined : liveNote(state);
  if (endpoint === undefined || note === undefined || !isAt(note, endpoint)) return undefined;
  const { AWS_ACCESS_KEY_ID: named = '' } = process.env;
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = note.env;
  return { accessKeyId: /^[0-9]{12}$/.test(named) ? named : accessKeyId, secretAccessKey, metadata: note.metadata };
}

function isAt(note: ServedNote, endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { hostname, port } = new URL(endpoint);
  return port === new URL(note.endpoint).port && note.hosts.includes(hostname.replace(/^\[(.*)\]$/, '$1'));
}

/** The note of the running server of a state folder; a killed server leaves its note behind. */
export function liveNote(state: string): ServedNote | undefined {
  const note = noteIn(state);
  return note !== undefined && isHeld(serverLock(state)) ? note : undefined;
}

function noteIn(state: string): ServedNote | undefined {
  try {
    return readJson(fileIn(state)) as ServedNote;
  } catch (error) {
    // The state folder of another user.
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function fileIn(state: string): string {
  return join(state, 'served.json');
}
