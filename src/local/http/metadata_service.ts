import { randomBytes } from 'node:crypto';
import { type Folder, type MetadataOf, metadataTree, type Tree } from './metadata_tree.js';

/** An answer of the metadata service in plain text. */
export interface MetadataAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const tokenHeader = 'x-aws-ec2-metadata-token';
const ttlHeader = `${tokenHeader}-ttl-seconds`;

/**
 * The instance metadata service, versions 1 and 2. A request with a token needs a valid one.
 * Source: EC2 User Guide, "Use instance metadata to manage your EC2 instance".
 */
export class Metadata {
  /** Issued tokens, with their expiry times. */
  private readonly tokens = new Map<string, number>();

  constructor(private readonly of: MetadataOf) {}

  /** Whether a path belongs to this service. Clients with a custom EC2 endpoint may send metadata requests there. */
  static owns(path: string): boolean {
    return /^\/(latest|[0-9]{4}-[0-9]{2}-[0-9]{2})(\/|$)/.test(path);
  }

  /** @param trusts whether the client may have credentials. */
  answer(method: string, path: string, headers: Readonly<Record<string, string>>, trusts: boolean): MetadataAnswer {
    if (path === '/latest/api/token') return this.token(method, headers);
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'Method Not Allowed', headers: { allow: 'GET, HEAD' } };
    const token = headers[tokenHeader];
    if (token !== undefined && !(Date.now() < (this.tokens.get(token) ?? 0))) return { status: 401, body: 'Unauthorized' };
    if (path === '/') return { status: 200, body: 'latest' };
    const steps = path.split('/').filter((step) => step !== '');
    let at: Tree | undefined = Metadata.owns(path) ? metadataTree(this.of, trusts) : undefined;
    for (const step of steps.slice(1)) at = entryOf(at, decoded(step));
    if (at === undefined) return { status: 404, body: 'Not Found' };
    return { status: 200, body: typeof at === 'function' ? at() : listing(at, steps.length) };
  }

  private token(method: string, headers: Readonly<Record<string, string>>): MetadataAnswer {
    if (method !== 'PUT') return { status: 405, body: 'Method Not Allowed', headers: { allow: 'PUT' } };
    // A request through a proxy may not come from this machine.
    if (headers['x-forwarded-for'] !== undefined) return { status: 403, body: 'Forbidden' };
    const ttl = headers[ttlHeader] ?? '';
    if (!/^[0-9]{1,5}$/.test(ttl) || Number(ttl) < 1 || Number(ttl) > 21_600) return { status: 400, body: 'Bad Request' };
    for (const [token, end] of this.tokens) if (end < Date.now()) this.tokens.delete(token);
    const token = randomBytes(40).toString('base64');
    this.tokens.set(token, Date.now() + Number(ttl) * 1000);
    return { status: 200, body: token, headers: { [ttlHeader]: ttl } };
  }
}

/** The entry of a folder with a name. A key is listed as `0=name`, and found as `0`. */
function entryOf(folder: Tree | undefined, name: string): Tree | undefined {
  if (typeof folder !== 'object') return undefined;
  const listed = Object.keys(folder).find((key) => key === name || (/^[0-9]+$/.test(name) && key.startsWith(`${name}=`)));
  return listed === undefined ? undefined : folder[listed];
}

/** The names in a folder. Names of folders end with a slash, except at the top and for keys. */
function listing(folder: Folder, depth: number): string {
  return Object.entries(folder)
    .map(([name, entry]) => (typeof entry === 'function' || depth === 1 || /^[0-9]+=/.test(name) ? name : `${name}/`))
    .join('\n');
}

/** Decodes a name in a path. A malformed name matches nothing. */
function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}
