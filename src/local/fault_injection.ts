import { Ec2Error } from './api/errors.js';

/** Durations in milliseconds. */
export interface Latency {
  /** Of each request. */
  readonly call: number;
  /** Until describe calls show a new resource. */
  readonly visible: number;
  readonly volume: number;
  readonly attach: number;
  readonly detach: number;
  readonly snapshot: number;
  readonly image: number;
  readonly copy: number;
  /** Of each block of a snapshot that EBS direct reads or writes, at the fastest rate that is not throttled; 0 means any rate. */
  readonly block: number;
}

const instant: Latency = { call: 0, visible: 0, volume: 0, attach: 0, detach: 0, snapshot: 0, image: 0, copy: 0, block: 0 };

/** Profiles by name. `ec2`: durations as on EC2 with a small image. */
export const latencies: Readonly<Record<'instant' | 'ec2', Latency>> = {
  instant,
  ec2: { call: 0, visible: 0, volume: 1_000, attach: 1_500, detach: 2_000, snapshot: 20_000, image: 1_000, copy: 30_000, block: 1 },
};

/** The faults that can be injected into a request. */
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
  'empty-page',
  'stale-token',
] as const;

/** The additional duration of a request with the fault `slow`. */
export const slowMs = 2_000;

/** Whether a fault occurs after the request has taken effect. */
export function isAfter(fault: FaultRule['fault']): boolean {
  return fault === 'lost-after' || fault === 'error-after';
}

/** Whether only requests to EBS can have a fault. */
export function isOfEbsOnly(fault: FaultRule['fault'] | undefined): boolean {
  return fault === 'empty-page' || fault === 'stale-token';
}

/** Temporary limits by action. Source: EC2 API reference, "Error codes for the Amazon EC2 API". */
const limits: Readonly<Record<string, string>> = {
  CopyImage: 'ResourceLimitExceeded',
  CopySnapshot: 'ResourceLimitExceeded',
  CreateSnapshot: 'SnapshotCreationPerVolumeRateExceeded',
  CreateTags: 'ConcurrentTagAccess',
  DeleteTags: 'ConcurrentTagAccess',
};

/** Which requests fail, and how. */
export interface FaultRule {
  /** The action, e.g. `CopyImage`; `*` means any. */
  readonly action: string;
  readonly region?: string;
  readonly fault: (typeof faults)[number];
  /** How many requests succeed first, and how many fail after them. By default all of them fail. */
  readonly skip?: number;
  readonly times?: number;
}

/** Reads a latency from JSON. Missing durations are zero. @throws Error when it is invalid. */
export function latencyFrom(value: unknown): Latency {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('expected a map of milliseconds, e.g. {"volume": 1000}');
  for (const [name, ms] of Object.entries(value)) {
    if (!Object.hasOwn(instant, name)) throw new Error(`unknown duration "${name}"; known: ${Object.keys(instant).join(', ')}`);
    if (typeof ms !== 'number' || !(ms >= 0)) throw new Error(`"${name}" must be milliseconds, not ${JSON.stringify(ms)}`);
  }
  return { ...instant, ...value };
}

/** Reads fault rules from JSON. @throws Error when they are invalid. */
export function rulesFrom(value: unknown): FaultRule[] {
  if (!Array.isArray(value)) throw new Error('expected a list of rules, e.g. [{"action": "CreateVolume", "fault": "denied"}]');
  for (const rule of value as Partial<Record<string, unknown>>[]) {
    const invalid = (text: string) => new Error(`${JSON.stringify(rule)}: ${text}`);
    const [unknown] = Object.keys(rule).filter((key) => !['action', 'region', 'fault', 'skip', 'times'].includes(key));
    if (unknown !== undefined) throw invalid(`unknown key "${unknown}"; known: action, region, fault, skip, times`);
    if (typeof rule['action'] !== 'string') throw invalid('"action" must be an action such as CreateVolume, or *');
    if (!faults.some((fault) => fault === rule['fault'])) throw invalid(`"fault" must be one of ${faults.join(', ')}`);
    for (const key of ['skip', 'times']) if (rule[key] !== undefined && !Number.isInteger(rule[key])) throw invalid(`"${key}" must be a whole number`);
  }
  return value as FaultRule[];
}

/** The injected latency and faults of an embedded EC2. */
export class FaultInjection {
  private readonly seen = new Map<FaultRule, number>();

  constructor(
    readonly latency: Latency = instant,
    private readonly rules: readonly FaultRule[] = [],
  ) {}

  /** Whether describe calls show new resources immediately. */
  get consistent(): boolean {
    return this.latency.visible === 0 && !this.rules.some(({ fault }) => fault === 'not-found');
  }

  /** Whether nothing takes longer than the work itself. */
  get isInstant(): boolean {
    return Object.values(this.latency).every((ms) => ms === 0);
  }

  /** The fault of this request, if any. Counts the request. */
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

/** The connection was cut, so the request gets no answer. */
export class ConnectionLost extends Error {
  readonly code = 'ECONNRESET';
}

/** The error that a fault causes. STS can decode its encoded message. */
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
    case 'empty-page':
    case 'stale-token':
      throw new Error(`internal error: EC2 has no refusal ${fault}`);
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
