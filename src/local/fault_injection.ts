import { Ec2Error } from './api/errors.js';

/** How long things take, in milliseconds. */
export interface Latency {
  /** Each request. */
  readonly call: number;
  /** Until a describe call shows what was just made. */
  readonly visible: number;
  readonly volume: number;
  readonly attach: number;
  readonly detach: number;
  readonly snapshot: number;
  readonly image: number;
  readonly copy: number;
}

const instant: Latency = { call: 0, visible: 0, volume: 0, attach: 0, detach: 0, snapshot: 0, image: 0, copy: 0 };

/** Profiles by name; `ec2`: about as long as a small image takes there. */
export const latencies: Readonly<Record<'instant' | 'ec2', Latency>> = {
  instant,
  ec2: { call: 0, visible: 0, volume: 1_000, attach: 1_500, detach: 2_000, snapshot: 20_000, image: 1_000, copy: 30_000 },
};

/** What may go wrong with a request. */
export const faults = [
  'denied',
  'throttled',
  'limit',
  'unavailable',
  'error-before',
  'error-after',
  'not-found',
  'lost-before',
  'lost-after',
  'expired',
  'slow',
] as const;

/** How much longer a request takes by the fault `slow`. */
export const slowMs = 2_000;

/** Whether a fault comes once the request has had its effect. */
export function isAfter(fault: FaultRule['fault']): boolean {
  return fault === 'lost-after' || fault === 'error-after';
}

/** Limits that pass by waiting, by action. Source: EC2 API reference, "Error codes for the Amazon EC2 API". */
const limits: Readonly<Record<string, string>> = {
  CopyImage: 'ResourceLimitExceeded',
  CopySnapshot: 'ResourceLimitExceeded',
  CreateSnapshot: 'SnapshotCreationPerVolumeRateExceeded',
  CreateTags: 'ConcurrentTagAccess',
  DeleteTags: 'ConcurrentTagAccess',
};

/** Which requests go wrong, and how. */
export interface FaultRule {
  /** The action, e.g. `CopyImage`; `*` is any. */
  readonly action: string;
  readonly region?: string;
  readonly fault: (typeof faults)[number];
  /** How many requests succeed first, and how many fail after them; by default all of them fail. */
  readonly skip?: number;
  readonly times?: number;
}

/** Reads a latency from JSON; what is not said is at once. @throws Error with what is wrong. */
export function latencyFrom(value: unknown): Latency {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('a map of milliseconds is needed, e.g. {"volume": 1000}');
  for (const [name, ms] of Object.entries(value)) {
    if (!Object.hasOwn(instant, name)) throw new Error(`"${name}" takes no time; there are ${Object.keys(instant).join(', ')}`);
    if (typeof ms !== 'number' || !(ms >= 0)) throw new Error(`"${name}" must be milliseconds, not ${JSON.stringify(ms)}`);
  }
  return { ...instant, ...value };
}

/** Reads rules of faults from JSON. @throws Error with what is wrong. */
export function rulesFrom(value: unknown): FaultRule[] {
  if (!Array.isArray(value)) throw new Error('a list of rules is needed, e.g. [{"action": "CreateVolume", "fault": "denied"}]');
  for (const rule of value as Partial<Record<string, unknown>>[]) {
    const say = (text: string) => new Error(`${JSON.stringify(rule)}: ${text}`);
    const [unknown] = Object.keys(rule).filter((key) => !['action', 'region', 'fault', 'skip', 'times'].includes(key));
    if (unknown !== undefined) throw say(`"${unknown}" is not known; there are action, region, fault, skip, times`);
    if (typeof rule['action'] !== 'string') throw say('"action" must name one, e.g. CreateVolume, or be *');
    if (!faults.some((fault) => fault === rule['fault'])) throw say(`"fault" must be one of ${faults.join(', ')}`);
    for (const key of ['skip', 'times']) if (rule[key] !== undefined && !Number.isInteger(rule[key])) throw say(`"${key}" must be a whole number`);
  }
  return value as FaultRule[];
}

/** How the embedded EC2 behaves: its latency, and its faults. */
export class Behaviour {
  private readonly seen = new Map<FaultRule, number>();

  constructor(
    readonly latency: Latency = instant,
    private readonly rules: readonly FaultRule[] = [],
  ) {}

  /** Whether describe calls show at once what was made. */
  get consistent(): boolean {
    return this.latency.visible === 0 && !this.rules.some(({ fault }) => fault === 'not-found');
  }

  /** What goes wrong with this request, if anything; it counts as one that was made. */
  faultOf(action: string, region: string): FaultRule['fault'] | undefined {
    let found: FaultRule['fault'] | undefined;
    for (const rule of this.rules) {
      if ((rule.action !== '*' && rule.action !== action) || (rule.region !== undefined && rule.region !== region)) continue;
      const before = this.seen.get(rule) ?? 0;
      this.seen.set(rule, before + 1);
      const { skip = 0, times = Number.POSITIVE_INFINITY } = rule;
      if (before >= skip && before < skip + times) found ??= rule.fault;
    }
    return found;
  }
}

/** The connection was cut: there is no answer. */
export class ConnectionLost extends Error {
  readonly code = 'ECONNRESET';
}

/** The refusal that a fault is; the encoded message can be decoded by STS. */
export function refusalOf(fault: FaultRule['fault'], action: string, account: string): Error {
  switch (fault) {
    case 'denied': {
      const context = { principal: { arn: `arn:aws:iam::${account}:user/local` }, action: `ec2:${action}`, resource: '*' };
      const encoded = Buffer.from(JSON.stringify({ allowed: false, explicitDeny: false, context })).toString('base64url');
      return new Ec2Error('UnauthorizedOperation', `You are not authorized to perform this operation. Encoded authorization failure message: ${encoded}`, 403);
    }
    case 'throttled':
      return new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503);
    case 'limit':
      return new Ec2Error(limits[action] ?? 'RequestLimitExceeded', 'You have reached a limit; try again later.');
    case 'error-before':
    case 'error-after':
      return new Ec2Error('InternalError', 'An internal error has occurred', 500);
    case 'slow':
      throw new Error('internal error: a slow answer is no refusal');
    case 'unavailable':
      return new Ec2Error('Unavailable', 'The server is overloaded and cannot handle the request.', 503);
    case 'not-found':
      return notFound(action);
    case 'expired':
      return new Ec2Error('RequestExpired', 'Request has expired.');
    case 'lost-before':
    case 'lost-after':
      return new ConnectionLost('socket hang up');
  }
}

function notFound(action: string): Ec2Error {
  const [code, word] = /Image/.test(action)
    ? ['InvalidAMIID.NotFound', 'image id']
    : /Snapshot/.test(action)
      ? ['InvalidSnapshot.NotFound', 'snapshot']
      : /Volume/.test(action)
        ? ['InvalidVolume.NotFound', 'volume']
        : ['InvalidInstanceID.NotFound', 'instance ID'];
  return new Ec2Error(code as string, `The ${word} does not exist`);
}
