import type { Latency } from '../fault_injection.js';
import { machine } from '../instance_identity.js';
import type { RunCommand } from '../loop_devices.js';
import { localAccount } from '../request_identity.js';
import type { Image, Kind, Resource, Resources, Snapshot } from '../resources.js';
import type { Store } from '../store.js';
import { Ec2Error } from './errors.js';
import type { Answers } from './model/answers.js';
import type { Requests } from './model/requests.js';
import type { XmlValue } from './xml.js';

/** The context of actions. */
export interface Here {
  readonly store: Store;
  readonly run: RunCommand;
  readonly account: string;
  readonly region: string;
  readonly zone: string;
  readonly instance: string;
  /** The same account's resources in another region. */
  storeOf(region: string): Store;
  /** Runs an action while no other process with this state runs one with the same name. For commands of some milliseconds. */
  alone<T>(name: string, action: () => Promise<T>): Promise<T>;
  readonly latency: Latency;
  /** When the client's credentials expire, in seconds since 1970, if they do. */
  readonly until: number | undefined;
  /** Whether the request only checks permissions (DryRun). */
  readonly dryRun: boolean;
  /** The request's parameters without its client token, to detect another request with the same token. */
  readonly asked: string;
  /** The secret access key from which those of temporary credentials are derived. */
  readonly secretKey: string;
  /** The address of the client's machine, if it is another one. */
  readonly from: string | undefined;
  /** A message as it may be shown to the client. */
  messageForClient(message: string): string;
  /** The volumes that this process is about to attach. */
  readonly attaching: Set<string>;
  /** Why this process could not finish creating resources, by id. */
  readonly failures: Map<string, string>;
  /** The disks that this process is copying, by id. */
  readonly copies: Map<string, DiskCopying>;
  /** Whether attached volumes get the nodes in /dev that clients of a served EC2 expect. */
  readonly aliases: boolean;
}

/** A disk copy in progress: how to cancel it, and when it has ended. */
export interface DiskCopying {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export type Body = Readonly<Record<string, XmlValue>>;

/** An action of the API. It accepts only the parameters that its function destructures. */
export interface Action {
  readonly name: keyof Requests;
  run(request: never, here: Here): Promise<Body>;
}

/** The type of an answer without any properties that EC2's answer lacks. */
type Exactly<A, Model> = A extends readonly (infer Item)[]
  ? readonly Exactly<Item, Model extends readonly (infer Known)[] ? Known : never>[]
  : A extends Date
    ? A
    : A extends object
      ? { [Name in keyof A]: Name extends keyof Model ? Exactly<A[Name], NonNullable<Model[Name]>> : never }
      : A;

export function action<N extends keyof Requests, A extends Answers[N]>(
  name: N,
  run: (request: Requests[N], here: Here) => Promise<A & Exactly<A, Answers[N]>>,
): Action {
  return { name, run: run as Action['run'] };
}

const names = {
  volumes: { code: 'InvalidVolume.NotFound', one: 'volume', malformed: 'InvalidVolumeID.Malformed', prefix: 'vol' },
  snapshots: { code: 'InvalidSnapshot.NotFound', one: 'snapshot', malformed: 'InvalidSnapshotID.Malformed', prefix: 'snap' },
  images: { code: 'InvalidAMIID.NotFound', one: 'image id', malformed: 'InvalidAMIID.Malformed', prefix: 'ami' },
  instances: { code: 'InvalidInstanceID.NotFound', one: 'instance ID', malformed: 'InvalidInstanceID.Malformed', prefix: 'i' },
} as const;

/** A resource that must exist and be visible to the client. */
export function existing<K extends Kind>(here: Here, kind: K, id: string, store = here.store): Resources[K] {
  mustBeId(kind, id);
  if (id === machine.rootVolume) throw new Ec2Error('UnsupportedOperation', `${id} is the root volume of this machine: it can only be described.`);
  const found = store.get(kind, id);
  if (found !== undefined && maySee(found, here)) return found;
  throw notFound(kind, [id]);
}

/** @throws Ec2Error for invalid ids of a kind. Older EC2 ids have 8 digits. */
export function mustBeId(kind: keyof typeof names, id: string): void {
  const { malformed, prefix } = names[kind];
  if (!new RegExp(`^${prefix}-([0-9a-f]{8}|[0-9a-f]{17})$`).test(id)) throw new Ec2Error(malformed, `Invalid id: "${id}" (expecting "${prefix}-...")`);
}

/** @throws Ec2Error for instance ids other than this machine's, the only instance. */
export function mustBeThisInstance(ids: readonly string[], here: Here): void {
  for (const id of ids) mustBeId('instances', id);
  const others = ids.filter((id) => id !== here.instance);
  if (others.length > 0) throw notFound('instances', others);
}

/** EC2's messages for one id and for several. */
function notFound(kind: keyof typeof names, ids: readonly string[]): Ec2Error {
  const { code, one } = names[kind];
  const list = kind === 'images' ? `[${ids.join(', ')}]` : ids.join(', ');
  const dot = kind === 'volumes' || kind === 'snapshots' ? '.' : '';
  return new Ec2Error(code, ids.length === 1 ? `The ${one} '${list}' does not exist${dot}` : `The ${one}s '${list}' do not exist${dot}`);
}

/** A resource that must exist and belong to the client. */
export function own<K extends Kind>(here: Here, kind: K, id: string): Resources[K] {
  const found = existing(here, kind, id);
  if (ownerOf(found) === here.account) return found;
  throw new Ec2Error(kind === 'images' ? 'AuthFailure' : 'UnauthorizedOperation', `Not authorized for ${kind}: [${found.id}]`, 403);
}

/** The resources with the given ids, or all. New resources may not be visible yet. */
export function selected<K extends Kind>(here: Here, kind: K, ids: readonly string[] | undefined): Resources[K][] {
  const shown = (resource: Resource) => hasPassed(resource, here.latency.visible);
  if (ids === undefined) return here.store.list(kind).filter((resource) => maySee(resource, here) && shown(resource));
  for (const id of ids) mustBeId(kind, id);
  // Source: EC2 API reference, DescribeImages: recently deregistered images are not an error, only missing.
  const wanted = kind === 'images' ? ids.filter((id) => !here.store.wasDeregistered(id)) : ids;
  const found = wanted.flatMap((id) => {
    const one = here.store.get(kind, id);
    return one !== undefined && maySee(one, here) && shown(one) ? [one] : [];
  });
  const missing = wanted.filter((id) => !found.some((one) => one.id === id));
  if (missing.length > 0) throw notFound(kind, missing);
  return found;
}

export function ownerOf({ owner }: Resource): string {
  return owner ?? localAccount;
}

export function maySee(resource: Resource & Pick<Snapshot | Image, 'sharedWith'>, { account }: Here): boolean {
  const { sharedWith } = resource;
  return ownerOf(resource) === account || (sharedWith?.groups.includes('all') ?? false) || (sharedWith?.users.includes(account) ?? false);
}

/** Whether some time has passed since a resource was created. */
export function hasPassed({ created }: Pick<Resource, 'created'>, ms: number): boolean {
  const passed = Date.now() - Date.parse(created);
  // The clock may have been set back since.
  return ms === 0 || passed >= ms || passed < 0;
}

/** A required parameter. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined || value === '') throw new Ec2Error('MissingParameter', `The request must contain the parameter ${name}`);
  return value;
}

/** Ends a call that only checks permissions. The embedded EC2 allows everything. */
export function stopDryRun({ dryRun }: Here): void {
  if (dryRun) throw new Ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
}

/** Writes the record of a new resource. If it cannot be synced to disk, the record is removed again. The caller holds the store. */
export function putNew<K extends Kind>(here: Here, kind: K, resource: Resources[K]): void {
  try {
    here.store.put(kind, resource);
  } catch (error) {
    here.failures.set(resource.id, (error as Error).message);
    here.store.remove(kind, resource.id);
    throw error;
  }
}
