import type { RunCommand } from './disks.js';
import { Ec2Error } from './errors.js';
import type { Parsed, Shape } from './query.js';
import type { Kind, Resources, Store } from './store.js';
import type { XmlValue } from './xml.js';

/** What actions work with. */
export interface Here {
  readonly store: Store;
  readonly run: RunCommand;
  readonly account: string;
  readonly region: string;
  readonly zone: string;
  readonly instance: string;
}

export type Body = Readonly<Record<string, XmlValue>>;

/** An action of the API: the parameters it takes, and what it does. */
export interface Action {
  readonly shape: { readonly [name: string]: Shape };
  run(request: never, here: Here): Promise<Body>;
}

export function action<const S extends { readonly [name: string]: Shape }>(shape: S, run: (request: Parsed<S>, here: Here) => Promise<Body>): Action {
  return { shape, run: run as Action['run'] };
}

const names: Record<Kind, { code: string; word: string }> = {
  volumes: { code: 'InvalidVolume.NotFound', word: 'volume' },
  snapshots: { code: 'InvalidSnapshot.NotFound', word: 'snapshot' },
  images: { code: 'InvalidAMIID.NotFound', word: 'image id' },
};

/** A resource that must exist. */
export function existing<K extends Kind>(here: Here, kind: K, id: string | undefined): Resources[K] {
  const value = required(id, `${kind.slice(0, 1).toUpperCase()}${kind.slice(1, -1)}Id`);
  const found = here.store.get(kind, value);
  if (found !== undefined) return found;
  const { code, word } = names[kind];
  throw new Ec2Error(code, kind === 'images' ? `The image id '[${value}]' does not exist` : `The ${word} '${value}' does not exist.`);
}

/** The resources with the ids, all of them where none are given. */
export function selected<K extends Kind>(here: Here, kind: K, ids: readonly string[] | undefined): Resources[K][] {
  return ids === undefined || ids.length === 0 ? here.store.list(kind) : ids.map((id) => existing(here, kind, id));
}

/** A parameter that must be given. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined || value === '') throw new Ec2Error('MissingParameter', `The request must contain the parameter ${name}`);
  return value;
}

/** Ends a call that only asks whether it would be allowed. Everything is, here. */
export function stopDryRun(request: { readonly DryRun?: boolean }): void {
  if (request.DryRun) throw new Ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
}
