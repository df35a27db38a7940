import { createHash, createHmac } from 'node:crypto';
import { request } from 'node:http';

/** A request by hand, and what of its signature is not as usual. */
export interface Asked {
  readonly url: string;
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Signed with it, unless undefined. */
  readonly secret?: string | undefined;
  readonly accessKeyId?: string;
  readonly region?: string;
  readonly service?: string;
  readonly at?: Date;
  /** A session token, which is signed too. */
  readonly token?: string;
}

export interface Answered {
  readonly status: number;
  readonly text: string;
}

/**
 * Headers with a signature, made without the library that the server verifies them with.
 * Source: AWS IAM User Guide, "Create a signed AWS API request".
 */
export function signedHeaders(asked: Asked): Record<string, string> {
  const { url, method = 'POST', body = '', secret = '', accessKeyId = '000000000000', at = new Date(), token } = asked;
  const { region = 'local-1', service = 'ec2' } = asked;
  const { host, pathname, searchParams } = new URL(url);
  const date = longDate(at);
  const signed: Record<string, string> = { host, 'x-amz-date': date, ...(token === undefined ? {} : { 'x-amz-security-token': token }) };
  const names = Object.keys(signed).sort();
  const canonical = [method, pathname, canonicalQuery(searchParams), ...names.map((name) => `${name}:${signed[name]}`), '', names.join(';'), hash(body)];
  const { scope, signature } = signatureOf({ canonical, date, region, service, secret });
  const { host: _, ...sent } = signed;
  return { ...sent, authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}` };
}

/** A URL with the signature in its query, for GET. */
export function presigned(asked: Asked, expires = '60'): string {
  const { secret = '', accessKeyId = '000000000000', region = 'local-1', service = 'ec2', at = new Date(), token } = asked;
  const url = new URL(asked.url);
  const date = longDate(at);
  const more: Record<string, string> = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${accessKeyId}/${date.slice(0, 8)}/${region}/${service}/aws4_request`,
    'X-Amz-Date': date,
    'X-Amz-Expires': expires,
    'X-Amz-SignedHeaders': 'host',
    ...(token === undefined ? {} : { 'X-Amz-Security-Token': token }),
  };
  for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value);
  const canonical = ['GET', url.pathname, canonicalQuery(url.searchParams), `host:${url.host}`, '', 'host', hash('')];
  url.searchParams.set('X-Amz-Signature', signatureOf({ canonical, date, region, service, secret }).signature);
  return url.href;
}

/** Sends a request, signed where it has a secret. */
export function ask(asked: Asked): Promise<Answered> {
  const { url, method = 'POST', body, secret, headers = {} } = asked;
  return new Promise((done, fail) => {
    // A connection of its own: whose it is matters.
    const sent = request(url, { agent: false, method, headers: { ...(secret === undefined ? {} : signedHeaders(asked)), ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => done({ status: answer.statusCode ?? 0, text }));
      answer.on('error', fail);
    });
    sent.on('error', fail);
    sent.end(body);
  });
}

function signatureOf(of: { canonical: readonly string[]; date: string; region: string; service: string; secret: string }) {
  const day = of.date.slice(0, 8);
  const scope = `${day}/${of.region}/${of.service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', of.date, scope, hash(of.canonical.join('\n'))].join('\n');
  let key: Buffer = Buffer.from(`AWS4${of.secret}`);
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  return { scope, signature: createHmac('sha256', key).update(toSign).digest('hex') };
}

function longDate(at: Date): string {
  return at.toISOString().replace(/[-:]|\.[0-9]+/g, '');
}

function canonicalQuery(query: URLSearchParams): string {
  const encoded = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return [...query]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join('&');
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
