import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../linux/lock.js';
import type { DiskCopying, Here } from './api/action.js';
import { detachServed, mendAttachments } from './api/attachments.js';
import { resumeCopies } from './api/copying.js';
import { Ec2Error, withoutPaths } from './api/errors.js';
import { parseQuery } from './api/query.js';
import { actionOf } from './api/served.js';
import { answer, refusal, stsAnswer, stsRefusal } from './api/xml.js';
import { Behaviour, isAfter, refusalOf, slowMs } from './fault_injection.js';
import { machine } from './instance_identity.js';
import { type RunCommand, removeDanglingLinks } from './loop_devices.js';
import { type Caller, callerOf, isRegion, localAccount, localRegion, uncheckedKey } from './request_identity.js';
import { regionsIn, Store, setAside } from './store.js';

/** The API of STS, whose requests say so by their version. */
const stsVersion = '2011-06-15';

/** What the embedded EC2 needs from around it. */
export interface LocalOptions {
  /** The folder of its state; one for all processes of the host. */
  readonly root: string;
  /** The region of requests that are not signed, and of {@link LocalEc2.store}. */
  readonly region?: string | undefined;
  readonly run: RunCommand;
  readonly behaviour?: Behaviour | undefined;
  /** The secret access key that requests over HTTP are signed with; without one nobody is asked for a signature. */
  readonly secretKey?: string | undefined;
  /** Whether attached volumes have nodes such as `/dev/xvdf`; for clients other than chrootfile. */
  readonly aliases?: boolean;
  /** Frees what was kept back on a full disk; asked for before something is removed, which must write a little itself. */
  readonly makeRoom?: (() => Promise<void>) | undefined;
  /** Is told what a person should know. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Is told of every request and its answer. */
  readonly log?: ((entry: WireEntry) => void) | undefined;
}

/** Whoever asks over HTTP. */
export interface Visitor {
  /** @throws Ec2Error where he may not ask a service. */
  admit(service: 'ec2' | 'sts'): Promise<void>;
  /** The address of the machine he is on, where that is another one. */
  readonly from?: string | undefined;
}

/** An answer as it goes over the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly body: string;
}

/** A request with its answer, as it is logged. */
export interface WireEntry extends Partial<WireAnswer> {
  readonly service: 'ec2' | 'sts' | 'imds';
  /** Of the metadata service: the method and the path. */
  readonly action: string;
  readonly region: string;
  readonly account?: string;
  /** EC2's code of a refusal. */
  readonly code?: string | undefined;
  readonly ms: number;
  readonly form?: string;
}

/** A strict, small EC2 on this machine: the query protocol in, XML out, loop devices over sparse files behind it. */
export class LocalEc2 {
  readonly region: string;
  readonly behaviour: Behaviour;
  private readonly lines = new Map<string, Promise<unknown>>();
  private readonly attaching = new Set<string>();
  private readonly failures = new Map<string, string>();
  private readonly copies = new Map<string, DiskCopying>();
  /** Records that could not be read. */
  private readonly unreadable = new Set<string>();
  /** The inode of the folder of its state, once it has been there. */
  private rootInode: number | undefined;

  constructor(private readonly options: LocalOptions) {
    this.region = options.region ?? localRegion;
    this.behaviour = options.behaviour ?? new Behaviour();
  }

  /** The regions it holds anything of. */
  get regions(): string[] {
    return regionsIn(this.options.root);
  }

  /** As {@link LocalOptions.secretKey}. */
  get secretKey(): string | undefined {
    return this.options.secretKey;
  }

  /** The folder and files of the resources of its region, for `chrootfile local`. */
  get store(): Store {
    return this.storeOf(this.region);
  }

  /**
   * Answers one request, given its form-encoded body.
   * @param visitor whoever asks over HTTP; whoever asks in this process may do and know all.
   * @throws ConnectionLost where a fault says so.
   */
  async answer(form: string, headers: Readonly<Record<string, string>> = {}, visitor?: Visitor): Promise<WireAnswer> {
    const started = performance.now();
    const parameters = new URLSearchParams(form);
    const caller = callerOf(headers, parameters, this.region);
    const service = parameters.get('Version') === stsVersion ? 'sts' : 'ec2';
    const action = parameters.get('Action') ?? '';
    const entry = (answer: Partial<WireAnswer>) => {
      const [, code] = answer.status === 200 ? [] : (/<Code>([^<]*)/.exec(answer.body ?? '') ?? []);
      const { region, account } = caller;
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
      const given = await this.answerOf(service, action, parameters, caller, visitor);
      entry(given);
      return given;
    } catch (lost) {
      entry({});
      throw lost;
    } finally {
      await this.setUnreadableAside();
    }
  }

  /** Takes the records that could not be read out of the way, and says which they are. */
  async setUnreadableAside(): Promise<void> {
    const files = [...this.unreadable];
    this.unreadable.clear();
    if (files.length === 0) return;
    try {
      const moved = await this.alone('store', () => files.map((file) => [file, setAside(file)] as const));
      for (const [file, to] of moved)
        if (to !== undefined) this.options.warn?.(`${file} cannot be read; it is kept as ${basename(to)}: chrootfile local check`);
    } catch (error) {
      this.options.warn?.(`${files.join(', ')} cannot be read, nor set aside: ${(error as Error).message}`);
    }
  }

  log(entry: WireEntry): void {
    this.options.log?.(entry);
  }

  private async answerOf(service: 'ec2' | 'sts', name: string, parameters: URLSearchParams, caller: Caller, visitor?: Visitor): Promise<WireAnswer> {
    const requestId = randomUUID();
    const { call } = this.behaviour.latency;
    if (call > 0) await sleep(call);
    const [say, refuse] = service === 'ec2' ? [answer, refusal] : [stsAnswer, stsRefusal];
    try {
      await visitor?.admit(service);
      const fault = service === 'ec2' ? this.behaviour.faultOf(name, caller.region) : undefined;
      // It becomes part of a path.
      if (!isRegion(caller.region)) throw new Ec2Error('AuthFailure', `Credential should be scoped to a valid region, not '${caller.region}'.`, 401);
      if (caller.expired) throw refusalOf('expired', name, caller.account);
      if (fault === 'slow') await sleep(slowMs);
      else if (fault !== undefined && !isAfter(fault)) throw refusalOf(fault, name, caller.account);
      this.mustBeInPlace();
      const action = actionOf(name, service);
      const request = parseQuery(action.name, parameters);
      if (/^(Detach|Delete|Deregister)/.test(name)) await this.options.makeRoom?.();
      const here = this.hereFor(caller, visitor, request);
      // What cannot be taken over now, as on a disk that takes no writes, is by a later request.
      await resumeCopies(here).catch(() => {});
      const body = say(name, requestId, await action.run(request as never, here));
      if (fault !== undefined && isAfter(fault)) throw refusalOf(fault, name, caller.account);
      return { status: 200, body };
    } catch (error) {
      if (error instanceof Ec2Error) return { status: error.status, body: refuse(error.code, error.message, requestId) };
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') throw error;
      const { message } = error as Error;
      // The full output of a failed host command goes to those who see this process.
      if (visitor !== undefined) this.options.warn?.(`${name}: ${message}`);
      return { status: 500, body: refuse('InternalError', this.toldTo(visitor, message), requestId) };
    }
  }

  /** Takes away, and finishes, what a killed process had begun. */
  async mend(): Promise<void> {
    removeDanglingLinks();
    for (const here of this.everywhere()) {
      await here.store.exclusive(() => here.store.removeDrafts());
      await mendAttachments(here);
      await resumeCopies(here);
    }
    await this.setUnreadableAside();
  }

  /** Waits for the disks that are being copied; their records show whether the copies succeeded. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.copies.values()].map(({ done }) => done));
  }

  /** @throws Error where the folder of its state was removed or moved: what was there must not be taken for gone. */
  private mustBeInPlace(): void {
    const inode = statSync(this.options.root, { throwIfNoEntry: false })?.ino;
    if (this.rootInode !== undefined && inode !== this.rootInode) throw new Error(`${this.options.root} was removed or moved while it was in use`);
    this.rootInode = inode;
  }

  /** Detaches what was attached for clients of a server, unless it is in use. @returns what is. */
  async detachServed(): Promise<{ readonly volume: string; readonly device: string }[]> {
    const left = [];
    for (const here of this.everywhere()) left.push(...(await detachServed(here)));
    return left;
  }

  private everywhere(): Here[] {
    return this.regions.map((region) => this.hereFor({ account: localAccount, region, expired: false }));
  }

  /** The SDK's `requestHandler`: takes requests after they are serialized and gives answers before they are parsed. */
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

  /** Those of this process wait in line, in order; only the first of them waits for other processes. */
  private alone<T>(name: string, action: () => T | Promise<T>): Promise<T> {
    const { root } = this.options;
    const done = (this.lines.get(name) ?? Promise.resolve()).then(() => withLock(join(root, name), 'the embedded EC2', action));
    this.lines.set(
      name,
      done.catch(() => {}),
    );
    return done;
  }

  /** Paths of this host are not for others. */
  private toldTo(visitor: Visitor | undefined, message: string): string {
    return visitor === undefined ? message : withoutPaths(message.replaceAll(this.options.root, '/…'));
  }

  private hereFor(
    { account, region, until }: Caller,
    visitor?: Visitor,
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
      from: visitor?.from,
      told: (message) => this.toldTo(visitor, message),
      zone: `${region}a`,
      // This machine is in every region.
      instance: machine.instance,
      latency: this.behaviour.latency,
      aliases: this.options.aliases ?? false,
      attaching: this.attaching,
      failures: this.failures,
      copies: this.copies,
    };
  }
}
