import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { followPartitions } from './aliases.js';
import type { LocalEc2 } from './ec2.js';
import { Metadata } from './metadata.js';

/** Where an embedded EC2 is served. */
export interface Served {
  /** The URL of EC2 and STS, and of the metadata service too. */
  readonly endpoint: string;
  /** The URL of the metadata service alone. */
  readonly metadata: string;
  /**
   * Takes no more requests, waits for those that are under way, and detaches what clients left attached.
   * @returns the volumes that are in use still, with their devices.
   */
  close(): Promise<{ readonly volume: string; readonly device: string }[]>;
}

/** Ports to listen on; 0 is any that is free. */
export interface Ports {
  readonly port: number;
  readonly metadataPort: number;
}

const loopback = '127.0.0.1';
/** More than any request of EC2's has. */
const mostBytes = 2 ** 20;
/** Longer than the pauses of the clients that poll: a connection must not end as it is used again. */
const keepAliveMs = 75_000;
const closeMs = 10_000;

/**
 * Serves an embedded EC2 over HTTP on the loopback interface, with the metadata service of this machine.
 * @throws Error when a port is taken.
 */
export async function serve(ec2: LocalEc2, { port, metadataPort }: Ports): Promise<Served> {
  const metadata = new Metadata(ec2.region);
  const servers = [createServer(handler(ec2, metadata, true)), createServer(handler(ec2, metadata, false))] as const;
  const stop = () => Promise.all(servers.map(closeServer));
  try {
    await ec2.mend();
    const [endpoint, own] = [await listen(servers[0], port), await listen(servers[1], metadataPort)];
    const unfollow = followPartitions();
    const close = async () => {
      await stop();
      unfollow();
      return ec2.detachServed();
    };
    return { endpoint, metadata: own, close };
  } catch (error) {
    await stop();
    throw error;
  }
}

function handler(ec2: LocalEc2, metadata: Metadata, api: boolean) {
  return async (request: IncomingMessage, response: ServerResponse) => {
    try {
      const headers = headersOf(request);
      // AWS's own metadata client asks for "//latest/…".
      const { pathname, search } = new URL(`http://ec2/${(request.url ?? '').replace(/^\/+/, '')}`);
      if (isFromBrowser(headers)) return end(response, 403, 'text/plain', 'Forbidden');
      if (!api || Metadata.owns(pathname)) {
        const started = performance.now();
        const given = metadata.answer(request.method ?? '', pathname, headers);
        ec2.log({
          service: 'imds',
          action: `${request.method} ${pathname}`,
          region: ec2.region,
          status: given.status,
          ms: Math.round(performance.now() - started),
        });
        return end(response, given.status, 'text/plain', given.body, given.headers);
      }
      const form = request.method === 'GET' ? search.slice(1) : await bodyOf(request);
      const { status, body } = await ec2.answer(form, headers);
      end(response, status, 'text/xml;charset=UTF-8', body);
    } catch {
      // A fault that cuts the connection, or one that was cut.
      response.socket?.destroy();
    }
  };
}

function end(response: ServerResponse, status: number, type: string, body: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers }).end(body);
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** No page in a browser may speak to it, neither by its address nor by a name that was made to lead here. */
function isFromBrowser({ host = '', origin, referer, 'sec-fetch-site': site }: Readonly<Record<string, string>>): boolean {
  return origin !== undefined || referer !== undefined || site !== undefined || !/^(localhost|127\.0\.0\.1|169\.254\.169\.254)(:[0-9]+)?$/.test(host);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error('the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function listen(server: Server, port: number): Promise<string> {
  server.keepAliveTimeout = keepAliveMs;
  await new Promise<void>((listening, fail) => {
    // Also later: a connection that cannot be accepted is no reason to end.
    server.on('error', fail);
    server.listen(port, loopback, listening);
  });
  return `http://${loopback}:${(server.address() as AddressInfo).port}`;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  await Promise.race([closed, sleep(closeMs, undefined, { ref: false })]);
  clearInterval(idle);
  server.closeAllConnections();
}
