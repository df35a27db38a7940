import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Action, Here } from './action.js';
import { imageActions } from './actions/images.js';
import { instanceActions } from './actions/instances.js';
import { snapshotActions } from './actions/snapshots.js';
import { tagActions } from './actions/tags.js';
import { volumeActions } from './actions/volumes.js';
import type { RunCommand } from './disks.js';
import { Ec2Error } from './errors.js';
import { parseQuery } from './query.js';
import { type Exclusive, Store } from './store.js';
import { answer, refusal } from './xml.js';

/** The region of the embedded EC2 when none is named. */
export const localRegion = 'local-1';

/** The account everything on the embedded EC2 belongs to. */
export const localAccount = '000000000000';

const actions: Readonly<Record<string, Action>> = { ...instanceActions, ...volumeActions, ...snapshotActions, ...imageActions, ...tagActions };

/** What the embedded EC2 needs from around it. */
export interface LocalOptions {
  /** The folder of its state; one for all processes of the host. */
  readonly root: string;
  readonly region?: string | undefined;
  readonly run: RunCommand;
  /** Takes the store's lock, given its path. */
  readonly withLock: <T>(path: string, action: () => T) => Promise<T>;
}

/** A request or an answer as it goes over the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly body: string;
}

/** A strict, small EC2 on this machine: the query protocol in, XML out, loop devices over sparse files behind it. */
export class LocalEc2 {
  private readonly here: Here;

  constructor(options: LocalOptions) {
    const region = options.region ?? localRegion;
    const exclusive: Exclusive = (action) => options.withLock(join(options.root, 'store'), action);
    this.here = {
      store: new Store(options.root, region, exclusive),
      run: options.run,
      account: localAccount,
      region,
      zone: `${region}a`,
      instance: `i-0${createHash('sha256').update(machineId()).digest('hex').slice(0, 16)}`,
    };
  }

  /** The folder and files of the resources, for `chrootfile local`. */
  get store(): Store {
    return this.here.store;
  }

  /** Answers one request, given its form-encoded body. */
  async answer(form: string): Promise<WireAnswer> {
    const requestId = randomUUID();
    try {
      const parameters = new URLSearchParams(form);
      const name = parameters.get('Action') ?? '';
      const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
      if (action === undefined) throw new Ec2Error('InvalidAction', `The action ${name} is not valid for this web service.`);
      const request = parseQuery(parameters, action.shape);
      return { status: 200, body: answer(name, requestId, await action.run(request as never, this.here)) };
    } catch (error) {
      if (error instanceof Ec2Error) return { status: error.status, body: refusal(error.code, error.message, requestId) };
      // A host command that failed is told in full: there is no log to look it up in.
      return { status: 500, body: refusal('InternalError', (error as Error).message, requestId) };
    }
  }

  /** The SDK's `requestHandler`: takes requests after they are serialized and gives answers before they are parsed. */
  get requestHandler() {
    return {
      handle: async (request: { readonly body?: unknown }) => {
        const { status, body } = await this.answer(String(request.body ?? ''));
        return { response: { statusCode: status, headers: { 'content-type': 'text/xml;charset=UTF-8' }, body: Buffer.from(body) } };
      },
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
