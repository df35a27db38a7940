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
import { Ebs, loggedOfEbs } from './ebs/ebs.js';
import { EbsError } from './ebs/errors.js';
import { ebsRefusal } from './ebs/faults.js';
import type { RestAnswer } from './ebs/protocol.js';
import { FaultInjection, type FaultRule, isAfter, isOfEbsOnly, refusalOf, slowMs } from './fault_injection.js';
import type { HttpRequest } from './http/signature.js';
import { machine } from './instance_identity.js';
import { type RunCommand, removeDanglingLinks } from './loop_devices.js';
import { isRegion, localAccount, localRegion, type RequestIdentity, requestIdentityOf, uncheckedKey } from './request_identity.js';
import { sdkHandler } from './sdk_handler.js';
import { regionsIn, Store, setAside } from './store.js';
import type { HttpClient, Service, WireAnswer, WireEntry } from './wire.js';

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

/** A request to one of the services, and how that service answers. */
interface Call<A> {
  readonly call: { readonly service: Service; readonly action: string; readonly identity: RequestIdentity; readonly client: HttpClient | undefined };
  run(fault: FaultRule['fault'] | undefined): Promise<A>;
  refuse(error: Ec2Error | EbsError): A;
  /** The error that an injected fault causes. */
  refusalOf(fault: FaultRule['fault']): Error;
  /** What the log has of the request and of its answer. */
  readonly request: Partial<WireEntry>;
  logged(answer: A): Partial<WireEntry>;
}

/** A small, strict EC2 on this machine. It takes requests in the query protocol, answers in XML, and keeps volumes as loop devices over sparse files. */
export class LocalEc2 {
  readonly region: string;
  readonly injection: FaultInjection;
  private readonly lines = new Map<string, Promise<unknown>>();
  private readonly attaching = new Set<string>();
  private readonly failures = new Map<string, string>();
  private readonly copies = new Map<string, DiskCopying>();
  private readonly ebs = new Ebs();
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
   * Answers one request to EC2 or STS, given its form-encoded body.
   * @param client the client, for requests over HTTP. Requests of this process are always allowed and get full
   * messages.
   * @throws ConnectionLost when an injected fault requires it.
   */
  async answer(form: string, headers: Readonly<Record<string, string>> = {}, client?: HttpClient): Promise<WireAnswer> {
    const parameters = new URLSearchParams(form);
    const identity = requestIdentityOf(headers, parameters, this.region);
    const service = parameters.get('Version') === stsVersion ? 'sts' : 'ec2';
    const action = parameters.get('Action') ?? '';
    const [success, refusalBody] = service === 'ec2' ? [answer, refusal] : [stsAnswer, stsRefusal];
    const requestId = randomUUID();
    return this.answered({
      call: { service, action, identity, client },
      refusalOf: (fault) => refusalOf(fault, action, identity.account),
      run: async () => {
        const found = actionOf(action, service);
        const request = parseQuery(found.name, parameters);
        return { status: 200, body: success(action, requestId, await found.run(request as never, this.hereFor(identity, client, request))) };
      },
      refuse: ({ code, message, status }) => ({ status, body: refusalBody(code, message, requestId) }),
      logged: ({ status, body }) => {
        const [, code] = status === 200 ? [] : (/<Code>([^<]*)/.exec(body) ?? []);
        return { code, status, body: body.replace(/(<SecretAccessKey>)[^<]*/, '$1***') };
      },
      request: { form },
    });
  }

  /** Answers one request to EBS, as {@link answer} does. */
  async answerEbs(request: HttpRequest, client?: HttpClient): Promise<RestAnswer> {
    const identity = requestIdentityOf(request.headers, request.query, this.region);
    const found = this.ebs.find(request);
    return this.answered({
      call: { service: 'ebs', action: found.name, identity, client },
      refusalOf: (fault) => ebsRefusal(fault, found.name),
      run: (fault) => found.run(this.hereFor(identity, client), fault),
      refuse: (error) => found.refuse(error),
      ...loggedOfEbs(request),
    });
  }

  /** Answers a request and logs it. */
  private async answered<A>({ call: { service, action, identity, client }, request, logged, ...how }: Call<A>): Promise<A> {
    const started = performance.now();
    const { region, account } = identity;
    const entry = (answer: Partial<WireEntry>) => {
      this.log({ service, action, region, account, code: undefined, ms: Math.round(performance.now() - started), ...request, ...answer });
    };
    try {
      const given = await this.answerOf({ call: { service, action, identity, client }, ...how });
      entry(logged(given));
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

  private async answerOf<A>({ call: { service, action, identity, client }, refusalOf, run, refuse }: Omit<Call<A>, 'request' | 'logged'>): Promise<A> {
    const { call } = this.injection.latency;
    if (call > 0) await sleep(call);
    try {
      await client?.admit(service);
      const injected = service === 'sts' ? undefined : this.injection.faultOf(action, identity.region);
      const fault = service !== 'ebs' && isOfEbsOnly(injected) ? undefined : injected;
      // The region becomes part of a path.
      if (!isRegion(identity.region)) throw new Ec2Error('AuthFailure', `Credential should be scoped to a valid region, not '${identity.region}'.`, 401);
      if (identity.expired) throw refusalOf('expired');
      if (fault === 'slow') await sleep(slowMs);
      else if (fault !== undefined && fault !== 'empty-page' && !isAfter(fault)) throw refusalOf(fault);
      this.mustBeInPlace();
      if (/^(Detach|Delete|Deregister)/.test(action)) await this.options.makeRoom?.();
      // If a copy cannot be resumed now, for example on a read-only disk, a later request tries again.
      await resumeCopies(this.hereFor(identity, client)).catch(() => {});
      const given = await run(fault);
      if (fault !== undefined && isAfter(fault)) throw refusalOf(fault);
      return given;
    } catch (error) {
      if (error instanceof Ec2Error || error instanceof EbsError) return refuse(error);
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') throw error;
      const { message } = error as Error;
      // Only users of this process see the full output of a failed host command.
      if (client !== undefined) this.options.warn?.(`${action}: ${message}`);
      return refuse(new Ec2Error('InternalError', this.messageFor(client, message), 500));
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

  /** See {@link sdkHandler}. */
  get requestHandler() {
    return sdkHandler(this);
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
