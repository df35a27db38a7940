import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { Ec2Error } from '../api/errors.js';
import { refusal } from '../api/xml.js';
import { asEbsError } from '../ebs/errors.js';
import { isOfEbs, type RestAnswer, refusalOf } from '../ebs/protocol.js';
import type { LocalEc2 } from '../ec2.js';
import type { HttpClient } from '../wire.js';
import { Metadata } from './metadata_service.js';
import { isFromOwner, otherMachine } from './peer.js';
import { verifySignature } from './signature.js';

type Headers = Readonly<Record<string, string>>;

/** Larger than any request to EC2. */
const maxBytes = 2 ** 20;
/** Requests up to this size are read completely and then refused. Beyond it, the connection is cut. */
const maxReadBytes = 64 * maxBytes;

/** Answers requests to EC2, STS and EBS, and to the metadata service if it is given. */
export function answerApi(ec2: LocalEc2, hosts: readonly string[], metadata: Metadata | undefined): RequestListener {
  const answer = metadata === undefined ? undefined : answerMetadata(ec2, hosts, metadata);
  return async (request, response) => {
    const started = performance.now();
    const url = urlOf(request);
    try {
      if (answer !== undefined && url !== undefined && Metadata.owns(url.pathname)) return answer(request, response);
      const { status, body, headers } = await apiAnswer(ec2, hosts, request, url);
      end(response, status, headers['content-type'] ?? '', body, headers);
    } catch (error) {
      // An injected fault cuts the connection, or the client did.
      if (!(error instanceof Ec2Error)) return void response.socket?.destroy();
      const isEbs = url !== undefined && isOfEbs(url.pathname);
      const { status, headers, body } = isEbs
        ? refusalOf(asEbsError(error), randomUUID())
        : inXml(error.status, refusal(error.code, error.message, randomUUID()));
      const ms = Math.round(performance.now() - started);
      ec2.log({ service: isEbs ? 'ebs' : 'ec2', action: request.method ?? '', region: ec2.region, status, code: error.code, ms });
      end(response, status, headers['content-type'] ?? '', body, headers);
    }
  };
}

async function apiAnswer(ec2: LocalEc2, hosts: readonly string[], request: IncomingMessage, url: URL | undefined): Promise<RestAnswer> {
  const { method = '', socket } = request;
  const headers = headersOf(request);
  const body = await bodyOf(request);
  if (url === undefined) throw new Ec2Error('InvalidRequest', 'The URL of the request is invalid.');
  if (isFromBrowser(headers)) throw new Ec2Error('AuthFailure', 'Requests from web pages are refused.', 403);
  if (!isTo(hosts, headers)) throw new Ec2Error('AuthFailure', `Requests to the host '${headers['host'] ?? ''}' are refused.`, 403);
  const { secretKey: secret } = ec2;
  const { pathname: path, search, searchParams: query } = url;
  const client: HttpClient = {
    admit: async (service) => {
      if (secret !== undefined) await verifySignature({ method, path, query, headers, body }, service, secret);
    },
    from: otherMachine(socket),
  };
  // A web page can make a browser send an unsigned GET request.
  const isUnsigned = secret === undefined && headers['authorization'] === undefined;
  if (isOfEbs(path)) {
    if (method !== 'POST' && isUnsigned) throw new Ec2Error('MissingAuthenticationToken', 'The request must be signed.', 403);
    return ec2.answerEbs({ method, path, query, headers, body }, client);
  }
  if (method !== 'POST' && (method !== 'GET' || secret === undefined)) {
    throw new Ec2Error('InvalidRequest', `The method ${method} is not supported. Use POST, or GET with a signature.`, 405);
  }
  const given = await ec2.answer(method === 'GET' ? search.slice(1) : body.toString(), headers, client);
  return inXml(given.status, given.body);
}

function inXml(status: number, text: string): RestAnswer {
  return { status, headers: { 'content-type': 'text/xml;charset=UTF-8' }, body: Buffer.from(text) };
}

/** Answers requests to the metadata service. */
export function answerMetadata(ec2: LocalEc2, hosts: readonly string[], metadata: Metadata): RequestListener {
  return (request, response) => {
    const started = performance.now();
    const headers = headersOf(request);
    const { method = '', socket } = request;
    const path = urlOf(request)?.pathname;
    if (path === undefined) return end(response, 400, 'text/plain', 'Bad Request');
    if (isFromBrowser(headers) || !isTo(hosts, headers)) return end(response, 403, 'text/plain', 'Forbidden');
    const given = metadata.answer(method, path, headers, isFromOwner(socket));
    const ms = Math.round(performance.now() - started);
    ec2.log({ service: 'imds', action: `${method} ${path}`, region: ec2.region, status: given.status, ms });
    end(response, given.status, 'text/plain', given.body, given.headers);
  };
}

/** Malformed requests, and requests that take too long, are refused in EC2's format too. */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const status = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }[error.code ?? ''] ?? 400;
  const body = refusal(status === 408 ? 'RequestTimeout' : 'InvalidRequest', `${STATUS_CODES[status]}`, randomUUID());
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Content-Type: text/xml;charset=UTF-8', `Content-Length: ${Buffer.byteLength(body)}`];
  socket.end([...head, 'Connection: close', '', body].join('\r\n'));
}

function end(response: ServerResponse, status: number, type: string, body: string | Uint8Array, headers: Headers = {}): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers }).end(body);
}

function urlOf({ url = '' }: IncomingMessage): URL | undefined {
  try {
    // AWS's own metadata client requests "//latest/…".
    return new URL(`http://ec2/${url.replace(/^\/+/, '')}`);
  } catch {
    return undefined;
  }
}

function headersOf({ headers }: IncomingMessage): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** Whether a web page sent the request. No web page may, neither by address nor by a host name that points to this machine. */
function isFromBrowser({ origin, referer, 'sec-fetch-site': site }: Headers): boolean {
  return origin !== undefined || referer !== undefined || site !== undefined;
}

function isTo(hosts: readonly string[], { host = '' }: Headers): boolean {
  return hosts.includes(
    host
      .replace(/:[0-9]+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .toLowerCase(),
  );
}

/** @throws Ec2Error when the request is too large, once all of it has arrived: a client that is still writing does not read the answer. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
    else if (bytes > maxReadBytes) throw new Error('the request is too large');
  }
  if (bytes > maxBytes) throw new Ec2Error('RequestEntityTooLarge', `The request has more than ${maxBytes} bytes.`, 413);
  return Buffer.concat(chunks);
}
