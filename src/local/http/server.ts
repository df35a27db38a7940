import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { followPartitions } from '../device_links.js';
import type { LocalEc2 } from '../ec2.js';
import { uncheckedKey } from '../request_identity.js';
import { answerApi, answerMetadata, refuseUnreadable } from './http.js';
import { Metadata } from './metadata_service.js';

/** A served embedded EC2. */
export interface Served {
  /** The URL of EC2 and STS. */
  readonly endpoint: string;
  /** The URL of the metadata service alone. */
  readonly metadata: string;
  /** The lowercase host names and addresses that requests may be addressed to. */
  readonly hosts: readonly string[];
  /**
   * Accepts no more requests, waits for running ones, and detaches what clients left attached.
   * @returns the volumes still in use, with their devices.
   */
  close(): Promise<{ readonly volume: string; readonly device: string }[]>;
}

/** Where to listen. */
export interface Ports {
  /** 0 means any free port. */
  readonly port: number;
  readonly metadataPort: number;
  /** The address of EC2 and STS. The metadata service listens only on the loopback interface. */
  readonly listen?: string | undefined;
  /** Host names and addresses by which clients may address this machine, besides those of the loopback interface. */
  readonly hosts?: readonly string[] | undefined;
}

const loopback = '127.0.0.1';
/** Longer than the polling intervals of clients, so that a connection does not close just as it is reused. */
const keepAliveMs = 75_000;
/** Time limit for receiving a request. */
const requestMs = 20_000;
const closeMs = 10_000;

/**
 * Serves an embedded EC2 over HTTP, with the metadata service of this machine.
 * @throws Error when a port is taken, or an address does not belong to this machine.
 */
export async function serve(ec2: LocalEc2, { port, metadataPort, listen = loopback, hosts = [] }: Ports): Promise<Served> {
  const metadata = new Metadata({ region: ec2.region, secretKey: ec2.secretKey ?? uncheckedKey, tags: () => ec2.store.settings().instanceTags ?? [] });
  const known = [...hosts.map((host) => host.toLowerCase()), 'localhost', loopback, '169.254.169.254'];
  // Clients that know only one endpoint send metadata requests there too.
  const api = serverOf(answerApi(ec2, known, listen === loopback ? metadata : undefined));
  const own = serverOf(answerMetadata(ec2, known, metadata));
  api.on('clientError', refuseUnreadable);
  // Requests that Node would otherwise answer itself, without a body.
  api.on('connect', ({ method }, socket) => refuseUnreadable(new Error(method), socket));
  api.on('checkExpectation', (request, response) => api.emit('request', request, response));
  const stop = () => Promise.all([api, own].map(closeServer));
  try {
    await ec2.recover();
    const [at, ownAt] = [await listenOn(api, listen, port), await listenOn(own, loopback, metadataPort)];
    const unfollow = followPartitions();
    const close = async () => {
      await stop();
      unfollow();
      return ec2.detachServed();
    };
    const name = listen === loopback ? loopback : (known[0] ?? loopback);
    return { endpoint: urlOf(name, at), metadata: urlOf(loopback, ownAt), hosts: known, close };
  } catch (error) {
    await stop();
    throw error;
  }
}

function serverOf(listener: RequestListener): Server {
  return createServer(
    { requireHostHeader: false, keepAliveTimeout: keepAliveMs, requestTimeout: requestMs, headersTimeout: requestMs, connectionsCheckingInterval: 1_000 },
    listener,
  );
}

function urlOf(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

async function listenOn(server: Server, address: string, port: number): Promise<number> {
  await new Promise<void>((listening, fail) => {
    // Also later: failing to accept a connection is no reason to stop.
    server.on('error', fail);
    server.listen(port, address, listening);
  });
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  await Promise.race([closed, sleep(closeMs, undefined, { ref: false })]);
  clearInterval(idle);
  server.closeAllConnections();
}
