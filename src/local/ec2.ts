import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../linux/lock.js';
import type { DiskCopying, Here } from './api/action.js';
import { detachServed, finishAttachments } from './api/attachments.js';
import { resumeCopies } from './api/copying.js';
import { Ec2Error, withoutPaths } from './api/errors.js';
import { parseQuery } from './api/query.js';
import { actionOf } from './api/served.js';
import { answer, refusal, stsAnswer, stsRefusal } from './api/xml.js';
import { FaultInjection, isAfter, refusalOf, slowMs } from './fault_injection.js';
import { machine } from './instance_identity.js';
import { type RunCommand, removeDanglingLinks } from './loop_devices.js';
import { isRegion, localAccount, localRegion, type RequestIdentity, requestIdentityOf, uncheckedKey } from './request_identity.js';
import { regionsIn, Store, setAside } from './store.js';

/** The version of the STS API, by which requests to STS are recognized. */
const stsVersion = '2011-06-15';

/** Options of the embedded EC2. */
export interface LocalOptions {
  /** The folder of its state, shared by all processes of the host. */
  readonly root: string;
  /** The region of unsigned requests, and of {@link LocalEc2.store}. */
  readonly region?: string | undefined;
  readonly run: RunCommand;
  readonly injection?: FaultInjection | undefined;
  /** The secret access key that signs requests over HTTP. Without it, requests need no signature. */
  readonly secretKey?: string | undefined;
  /** Whether to create nodes such as `/dev/xvdf` for attached volumes, which clients other than chrootfile need. */
  readonly aliases?: boolean;
  /** Frees reserved disk space. Called before something is removed, because that writes a little. */
  readonly makeRoom?: (() => Promise<void>) | undefined;
  /** Receives warnings for the user. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Receives every request with its answer. */
  readonly log?: ((entry: WireEntry) => void) | undefined;
}

/** A client that sends requests over HTTP. */
export interface HttpClient {
  /** @throws Ec2Error when the client may not use a service. */
  admit(service: 'ec2' | 'sts'): Promise<void>;
  /** The address of the client's machine, if it is another one. */
  readonly from?: string | undefined;
}

/** An HTTP answer. */
export interface WireAnswer {
  readonly status: number;
  readonly body: string;
}

/** A request with its answer, as written to the log. */
export interface WireEntry extends Partial<WireAnswer> {
  readonly service: 'ec2' | 'sts' | 'imds';
  /** The action; for the metadata service, the method and the path. */
  readonly action: string;
  readonly region: string;
  readonly account?: string;
  /** EC2's error code, if the request was refused. */
  readonly code?: string | undefined;
  readonly ms: number;
  readonly form?: string;
}

/** A small, strict EC2 on this machine. It takes requests in the query protocol, answers in XML, and keeps volumes as loop devices over sparse files. */
export class LocalEc2 {
  readonly region: string;
  readonly injection: FaultInjection;
  private readonly lines = new Map<string, Promise<unknown>>();
  private readonly attaching = new Set<string>();
  private readonly failures = new Map<string, string>();
  private readonly copies = new Map<string, DiskCopying>();
  /** Unreadable records. */
  private readonly unreadable = new Set<string>();
  /** The inode of the state folder, once it exists. */
  private rootInode: number | undefined;

  constructor(private readonly options: LocalOptions) {
    this.region = options.region ?? localRegion;
    this.injection = options.injection ?? new FaultInjection();
  }

  /** The regions that contain any resources. */
  get regions(): string[] {
    return regionsIn(this.options.root);
  }

  /** See {@link LocalOptions.secretKey}. */
  get secretKey(): string | undefined {
    return this.options.secretKey;
  }

  /** The folder and files of the resources in its region, for `chrootfile local`. */
  get store(): Store {
    return this.storeOf(this.region);
  }

  /**
   * Answers one request, given its form-encoded body.
   * @param client the client, for requests over HTTP. Requests of this process are always allowed and get full
   * messages.
   * @throws ConnectionLost when an injected fault requires it.
   */
  async answer(form: string, headers: Readonly<Record<string, string>> = {}, client?: HttpClient): Promise<WireAnswer> {
    const started = performance.now();
    const parameters = new URLSearchParams(form);
    const identity = requestIdentityOf(headers, parameters, this.region);
    const service = parameters.get('Version') === stsVersion ? 'sts' : 'ec2';
    const action = parameters.get('Action') ?? '';
    const entry = (answer: Partial<WireAnswer>) => {
      const [, code] = answer.status === 200 ? [] : (/<Code>([^<]*)/.exec(answer.body ?? '') ?? []);
      const { region, account } = identity;
      const body = answer.body?.replace(/(<SecretAccessKey>)[^<]*/, '$1***');
      this.log({
        service,
        action,
        region,
        account,
        code,
        ms: Math.round(performance.now() - started),
        form,
        ...answer,
        ...(body === undefined ? {} : { body }),
      });
    };
    try {
      const given = await this.answerOf(service, action, parameters, identity, client);
      entry(given);
      return given;
    } catch (lost) {
      entry({});
      throw lost;
    } finally {
      await this.setUnreadableAside();
    }
  }

  /** Sets unreadable records aside, and prints a warning for each. */
  async setUnreadableAside(): Promise<void> {
    const files = [...this.unreadable];
    this.unreadable.clear();
    if (files.length === 0) return;
    try {
      const moved = await this.alone('store', () => files.map((file) => [file, setAside(file)] as const));
      for (const [file, to] of moved)
        if (to !== undefined) this.options.warn?.(`${file} cannot be read; it was renamed to ${basename(to)}; run: chrootfile local check`);
    } catch (error) {
      this.options.warn?.(`${files.join(', ')} cannot be read or renamed: ${(error as Error).message}`);
    }
  }

  log(entry: WireEntry): void {
    this.options.log?.(entry);
  }

  private async answerOf(
    service: 'ec2' | 'sts',
    name: string,
    parameters: URLSearchParams,
    identity: RequestIdentity,
    client?: HttpClient,
  ): Promise<WireAnswer> {
    const requestId = randomUUID();
    const { call } = this.injection.latency;
    if (call > 0) await sleep(call);
    const [success, refusalBody] = service === 'ec2' ? [answer, refusal] : [stsAnswer, stsRefusal];
    try {
      await client?.admit(service);
      const fault = service === 'ec2' ? this.injection.faultOf(name, identity.region) : undefined;
      // The region becomes part of a path.
      if (!isRegion(identity.region)) throw new Ec2Error('AuthFailure', `Credential should be scoped to a valid region, not '${identity.region}'.`, 401);
      if (identity.expired) throw refusalOf('expired', name, identity.account);
      if (fault === 'slow') await sleep(slowMs);
      else if (fault !== undefined && !isAfter(fault)) throw refusalOf(fault, name, identity.account);
      this.mustBeInPlace();
      const action = actionOf(name, service);
      const request = parseQuery(action.name, parameters);
      if (/^(Detach|Delete|Deregister)/.test(name)) await this.options.makeRoom?.();
      const here = this.hereFor(identity, client, request);
      // If a copy cannot be resumed now, for example on a read-only disk, a later request tries again.
      await resumeCopies(here).catch(() => {});
      const body = success(name, requestId, await action.run(request as never, here));
      if (fault !== undefined && isAfter(fault)) throw refusalOf(fault, name, identity.account);
      return { status: 200, body };
    } catch (error) {
      if (error instanceof Ec2Error) return { status: error.status, body: refusalBody(error.code, error.message, requestId) };
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') throw error;
      const { message } = error as Error;
      // Only users of this process see the full output of a failed host command.
      if (client !== undefined) this.options.warn?.(`${name}: ${message}`);
      return { status: 500, body: refusalBody('InternalError', this.messageFor(client, message), requestId) };
    }
  }

  /** Undoes or finishes what killed processes had begun. */
  async recover(): Promise<void> {
    removeDanglingLinks();
    for (const here of this.everywhere()) {
      await here.store.exclusive(() => here.store.removeDrafts());
      await finishAttachments(here);
      await resumeCopies(here);
    }
    await this.setUnreadableAside();
  }

  /** Waits until no disk is being copied. The records show whether the copies succeeded. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.copies.values()].map(({ done }) => done));
  }

  /** @throws Error when the state folder was removed or moved: its resources must not be reported as gone. */
  private mustBeInPlace(): void {
    const inode = statSync(this.options.root, { throwIfNoEntry: false })?.ino;
    if (this.rootInode !== undefined && inode !== this.rootInode) throw new Error(`${this.options.root} was removed or moved while it was in use`);
    this.rootInode = inode;
  }

  /** Detaches what was attached for clients of a server, except volumes in use. @returns the volumes in use. */
  async detachServed(): Promise<{ readonly volume: string; readonly device: string }[]> {
    const left = [];
    for (const here of this.everywhere()) left.push(...(await detachServed(here)));
    return left;
  }

  private everywhere(): Here[] {
    return this.regions.map((region) => this.hereFor({ account: localAccount, region, expired: false }));
  }

  /** The SDK's `requestHandler`: receives serialized requests and returns unparsed answers. */
  get requestHandler() {
    return {
      handle: async (
        request: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> },
        { abortSignal }: { readonly abortSignal?: { readonly aborted: boolean } } = {},
      ) => {
        if (abortSignal?.aborted) throw Object.assign(new Error('Request aborted'), { name: 'AbortError' });
        const { status, body } = await this.answer(String(request.body ?? ''), request.headers);
        return { response: { statusCode: status, headers: { 'content-type': 'text/xml;charset=UTF-8' }, body: Buffer.from(body) } };
      },
    };
  }

  storeOf(region: string): Store {
    return new Store(
      this.options.root,
      region,
      (action) => this.alone('store', action),
      (file) => this.unreadable.add(file),
    );
  }

  /** Calls of this process are queued in order; only the first of them waits for other processes. */
  private alone<T>(name: string, action: () => T | Promise<T>): Promise<T> {
    const { root } = this.options;
    const done = (this.lines.get(name) ?? Promise.resolve()).then(() => withLock(join(root, name), 'the embedded EC2', action));
    this.lines.set(
      name,
      done.catch(() => {}),
    );
    return done;
  }

  /** Paths of this host are hidden from other clients. */
  private messageFor(client: HttpClient | undefined, message: string): string {
    return client === undefined ? message : withoutPaths(message.replaceAll(this.options.root, '/…'));
  }

  private hereFor(
    { account, region, until }: RequestIdentity,
    client?: HttpClient,
    { DryRun: dryRun, ClientToken: _, ...asked }: Readonly<Record<string, unknown>> = {},
  ): Here {
    return {
      store: this.storeOf(region),
      storeOf: (other) => this.storeOf(other),
      alone: (name, action) => this.alone(name, action),
      run: this.options.run,
      account,
      region,
      until,
      dryRun: dryRun === true,
      asked: JSON.stringify(asked),
      secretKey: this.secretKey ?? uncheckedKey,
      from: client?.from,
      messageForClient: (message) => this.messageFor(client, message),
      zone: `${region}a`,
      // This machine is an instance in every region.
      instance: machine.instance,
      latency: this.injection.latency,
      aliases: this.options.aliases ?? false,
      attaching: this.attaching,
      failures: this.failures,
      copies: this.copies,
    };
  }
}
