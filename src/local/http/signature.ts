import { createHash, createHmac, type Hash, type Hmac, timingSafeEqual } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { Ec2Error } from '../api/errors.js';
import { claimOf, partOf, secretFor } from '../request_identity.js';
import type { Service } from '../wire.js';

/** An HTTP request, with lowercase header names. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The parts of a signature. */
interface Signature {
  readonly date: string;
  readonly signedHeaders: string;
  readonly signature: string;
  /** In seconds; for a signature in the query. */
  readonly expires?: string;
}

/** Source: EC2 API reference, "Error codes for the Amazon EC2 API", RequestExpired. */
const maxSkewMs = 15 * 60_000;
/** Limit on query parameters. Signing the request again takes quadratic time: this many take about 20 ms. Clients send more with POST. */
const maxQueryParameters = 300;

/**
 * Checks that a request is signed with a secret access key, or with that of a role derived from it, whatever access
 * key id it names. Signs the request again and compares the result. Source: AWS IAM User Guide, "AWS Signature Version
 * 4 for API requests".
 * @param service the service that the request is for. A signature for another service is invalid.
 * @throws Ec2Error when it is unsigned, incompletely signed, signed with another secret, or not signed within 15
 * minutes of now.
 */
export async function verifySignature(request: HttpRequest, service: Service, secret: string): Promise<void> {
  const inHeader = request.headers['authorization'] !== undefined;
  const given = inHeader ? fromHeader(request) : fromQuery(request);
  const claim = claimOf(request.headers, request.query);
  const { accessKeyId, region, sessionToken } = claim;
  const names = new Set(given.signedHeaders.split(';'));
  if (accessKeyId === undefined || region === undefined || !/^[0-9a-f]{64}$/.test(given.signature) || !names.has('host')) throw incomplete();
  const signingDate = dateOf(given);
  const { body, headers, method, path, query } = request;
  const isUnsigned = (name: string) => headers[name] !== undefined && !names.has(name);
  // Source: EBS direct APIs reference, PutSnapshotBlock: the data need not be signed, because its checksum is.
  const mayLackBody = service === 'ebs' && method === 'PUT' && names.has('x-amz-checksum');
  // The signer trusts this header.
  const { 'x-amz-content-sha256': hash } = headers;
  const isNoHash = hash === undefined || (mayLackBody && hash === 'UNSIGNED-PAYLOAD');
  const hasOtherHash = !isNoHash && hash !== createHash('sha256').update(body).digest('hex');
  if (query.size > maxQueryParameters || hasOtherHash || isUnsigned('x-amz-security-token')) throw mismatch(service);
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey: secretFor(claim, secret), ...(inHeader || sessionToken === undefined ? {} : { sessionToken }) },
    region,
    service,
    sha256: Sha256,
    applyChecksum: false,
  });
  const again = {
    method,
    protocol: 'http:',
    hostname: '',
    path,
    query: queryOf(query, inHeader),
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => names.has(name))),
  };
  const options = { signingDate, signableHeaders: names };
  const signatureWith = async (signed: unknown) => {
    const whole = { ...again, ...(signed === undefined ? {} : { body: signed }) };
    return inHeader
      ? (await signer.sign(whole, options)).headers['authorization']?.slice(-given.signature.length)
      : (await signer.presign(whole, { ...options, unhoistableHeaders: names, expiresIn: Number(given.expires) })).query?.['X-Amz-Signature'];
  };
  for (const signed of [...(mayLackBody ? [unsigned] : []), body.length === 0 ? undefined : body]) {
    if (timingSafeEqual(Buffer.from(String(await signatureWith(signed))), Buffer.from(given.signature))) return;
  }
  throw mismatch(service);
}

/** The signer takes a body that is neither text nor bytes as `UNSIGNED-PAYLOAD`. */
const unsigned = {};

function fromHeader({ headers }: HttpRequest): Signature {
  const of = (name: string) => partOf(headers['authorization'] ?? '', name);
  return { date: headers['x-amz-date'] ?? '', signedHeaders: of('SignedHeaders'), signature: of('Signature') };
}

function fromQuery({ method, query }: HttpRequest): Signature {
  const of = (name: string) => query.get(`X-Amz-${name}`) ?? '';
  if (method !== 'GET' || of('Signature') === '') {
    throw new Ec2Error('MissingAuthenticationToken', `The request must be signed with this server's secret access key (${help})`, 403);
  }
  if (of('Algorithm') !== 'AWS4-HMAC-SHA256') throw incomplete();
  return { date: of('Date'), signedHeaders: of('SignedHeaders'), signature: of('Signature'), expires: of('Expires') };
}

/** @throws Ec2Error when the time of a request is too far from now, or has expired. */
function dateOf({ date, expires }: Signature): Date {
  const iso = date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const at = Date.parse(iso);
  if (iso === date || Number.isNaN(at)) throw incomplete();
  // Source: the same guide, "Authentication methods": valid for a week at most.
  if (expires !== undefined && !(/^[1-9][0-9]{0,5}$/.test(expires) && Number(expires) <= 604_800)) throw incomplete();
  const until = expires === undefined ? at + maxSkewMs : at + Number(expires) * 1000;
  if (at > Date.now() + maxSkewMs || until < Date.now()) throw new Ec2Error('RequestExpired', `Request has expired: it was signed at ${iso}`);
  return new Date(at);
}

/** The signed part of a query: all except what the signer adds itself. */
function queryOf(query: URLSearchParams, inHeader: boolean): Record<string, string[]> {
  const own = ['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature', 'Security-Token'].map((name) => `X-Amz-${name}`);
  const values = new Map<string, string[]>();
  for (const [name, value] of query) if (inHeader || !own.includes(name)) values.set(name, [...(values.get(name) ?? []), value]);
  return Object.fromEntries(values);
}

const help = 'it changes at each start: chrootfile local env';
const otherKey = `it was not signed with this server's secret access key (${help})`;

function incomplete(): Ec2Error {
  return new Ec2Error('IncompleteSignature', 'The request signature does not conform to AWS standards.');
}

/** Each service has its own message. */
function mismatch(service: Service): Ec2Error {
  return service === 'ec2'
    ? new Ec2Error('AuthFailure', `AWS was not able to validate the provided access credentials: ${otherKey}`, 401)
    : new Ec2Error('SignatureDoesNotMatch', `The request signature we calculated does not match the signature you provided: ${otherKey}`, 403);
}

/** The hash that the signer uses. Source: the SDK's type `HashConstructor`. */
class Sha256 {
  private readonly hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', typeof secret === 'string' ? secret : bytesOf(secret));
  }

  update(data: Uint8Array): void {
    this.hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }

  reset(): void {
    throw new Error('internal error: a hash is used once');
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}
