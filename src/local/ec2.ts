import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Action, Here } from './action.js';
import { copyActions } from './actions/copies.js';
import { imageAttributeActions } from './actions/image_attributes.js';
import { imageActions } from './actions/images.js';
import { instanceActions } from './actions/instances.js';
import { regionActions } from './actions/regions.js';
import { snapshotActions } from './actions/snapshots.js';
import { tagActions } from './actions/tags.js';
import { volumeActions } from './actions/volumes.js';
import { Behaviour, refusalOf } from './behaviour.js';
import { type Caller, callerOf, localAccount, localRegion } from './caller.js';
import type { RunCommand } from './disks.js';
import { Ec2Error } from './errors.js';
import { parseQuery } from './query.js';
import { type Exclusive, Store } from './store.js';
import { stsActions } from './sts.js';
import { answer, refusal, stsAnswer, stsRefusal } from './xml.js';

const ec2Actions: Readonly<Record<string, Action>> = {
  ...instanceActions,
  ...volumeActions,
  ...snapshotActions,
  ...imageActions,
  ...imageAttributeActions,
  ...copyActions,
  ...regionActions,
  ...tagActions,
};

/** The API of STS, whose requests say so by their version. */
const stsVersion = '2011-06-15';

/** What the embedded EC2 needs from around it. */
export interface LocalOptions {
  /** The folder of its state; one for all processes of the host. */
  readonly root: string;
  /** The region of requests that are not signed, and of {@link LocalEc2.store}. */
  readonly region?: string | undefined;
  readonly run: RunCommand;
  /** Takes the store's lock, given its path. */
  readonly withLock: <T>(path: string, action: () => T) => Promise<T>;
  readonly behaviour?: Behaviour | undefined;
  /** Is told of every request and its answer. */
  readonly log?: ((entry: WireEntry) => void) | undefined;
}

/** An answer as it goes over the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly body: string;
}

/** A request with its answer, as it is logged. */
export interface WireEntry extends WireAnswer {
  readonly service: 'ec2' | 'sts';
  readonly action: string;
  readonly region: string;
  readonly form: string;
}

/** A strict, small EC2 on this machine: the query protocol in, XML out, loop devices over sparse files behind it. */
export class LocalEc2 {
  private readonly instance = `i-0${createHash('sha256').update(machineId()).digest('hex').slice(0, 16)}`;
  private readonly region: string;
  readonly behaviour: Behaviour;

  constructor(private readonly options: LocalOptions) {
    this.region = options.region ?? localRegion;
    this.behaviour = options.behaviour ?? new Behaviour();
  }

  /** The folder and files of the resources of its region, for `chrootfile local`. */
  get store(): Store {
    return this.storeOf(this.region);
  }

  /**
   * Answers one request, given its form-encoded body.
   * @throws ConnectionLost where a fault says so.
   */
  async answer(form: string, caller: Caller = { account: localAccount, region: this.region, expired: false }): Promise<WireAnswer> {
    const parameters = new URLSearchParams(form);
    const service = parameters.get('Version') === stsVersion ? 'sts' : 'ec2';
    const action = parameters.get('Action') ?? '';
    const given = await this.answerOf(service, action, parameters, caller);
    this.options.log?.({ service, action, region: caller.region, form, ...given });
    return given;
  }

  private async answerOf(service: 'ec2' | 'sts', name: string, parameters: URLSearchParams, caller: Caller): Promise<WireAnswer> {
    const requestId = randomUUID();
    const { call } = this.behaviour.latency;
    if (call > 0) await sleep(call);
    const fault = service === 'ec2' ? this.behaviour.faultOf(name, caller.region) : undefined;
    const [say, refuse] = service === 'ec2' ? [answer, refusal] : [stsAnswer, stsRefusal];
    try {
      if (caller.expired) throw refusalOf('expired', name, caller.account);
      if (fault !== undefined && fault !== 'lost-after') throw refusalOf(fault, name, caller.account);
      const actions = service === 'ec2' ? ec2Actions : stsActions;
      const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
      if (action === undefined) throw new Ec2Error('InvalidAction', `The action ${name} is not valid for this web service.`);
      const request = parseQuery(parameters, action.shape);
      const body = say(name, requestId, await action.run(request as never, this.hereFor(caller)));
      if (fault === 'lost-after') throw refusalOf(fault, name, caller.account);
      return { status: 200, body };
    } catch (error) {
      if (error instanceof Ec2Error) return { status: error.status, body: refuse(error.code, error.message, requestId) };
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') throw error;
      // A host command that failed is told in full: there is no log to look it up in.
      return { status: 500, body: refuse('InternalError', (error as Error).message, requestId) };
    }
  }

  /** The SDK's `requestHandler`: takes requests after they are serialized and gives answers before they are parsed. */
  get requestHandler() {
    return {
      handle: async (
        request: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> },
        { abortSignal }: { readonly abortSignal?: { readonly aborted: boolean } } = {},
      ) => {
        if (abortSignal?.aborted) throw Object.assign(new Error('Request aborted'), { name: 'AbortError' });
        const { status, body } = await this.answer(String(request.body ?? ''), callerOf(request.headers ?? {}, this.region));
        return { response: { statusCode: status, headers: { 'content-type': 'text/xml;charset=UTF-8' }, body: Buffer.from(body) } };
      },
    };
  }

  private storeOf(region: string): Store {
    const { root, withLock } = this.options;
    const exclusive: Exclusive = (action) => withLock(join(root, 'store'), action);
    return new Store(root, region, exclusive);
  }

  private hereFor({ account, region }: Caller): Here {
    return {
      store: this.storeOf(region),
      storeOf: (other) => this.storeOf(other),
      run: this.options.run,
      account,
      region,
      zone: `${region}a`,
      // This machine is in one region; elsewhere there are no instances.
      instance: this.instance,
      latency: this.behaviour.latency,
    };
  }
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim() || hostname();
  } catch {
    return hostname();
  }
}
