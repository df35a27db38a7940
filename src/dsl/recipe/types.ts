import type { ParsedDocument } from '../syntax/document.js';
import type { Place, Value } from '../syntax/values.js';
import type { InputDeclaration, ValueType } from './inputs.js';
import type { KindDeclaration } from './kind.js';

/** Where volumes and images live. */
export interface Cloud {
  readonly provider: 'local' | 'aws';
  readonly region?: string;
  readonly profile?: string;
  readonly credentials_file?: string;
  readonly assume_role?: AssumedRole;
  readonly endpoint?: string;
  readonly sts_endpoint?: string;
  readonly tls_verify?: boolean;
  readonly max_attempts?: number;
  /** Where the disks of volumes are. `auto` is settled before a run starts, whose journal then says `direct` or nothing. */
  readonly volumes?: 'attach' | 'direct' | 'auto';
}

/** A role that is assumed before any other request. Source: STS API reference, AssumeRole. */
export interface AssumedRole {
  readonly role_arn: string;
  readonly session_name?: string;
  readonly external_id?: string;
  readonly duration_seconds?: number;
  readonly policy?: string;
  readonly policy_arns?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly transitive_tag_keys?: readonly string[];
  readonly mfa_serial?: string;
}

/** One recipe file, checked by itself. */
export interface Recipe {
  readonly document: ParsedDocument;
  readonly name: string;
  readonly description?: string | undefined;
  readonly cloud?: Cloud | undefined;
  /** Whether content of volumes is cached; undefined when the recipe does not say. */
  readonly cache?: CacheWish | undefined;
  readonly inputs: ReadonlyMap<string, InputDeclaration>;
  readonly vars: ReadonlyMap<string, Variable>;
  readonly includes: ReadonlyMap<string, Include>;
  readonly env: ReadonlyMap<string, Value>;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly goals?: readonly Name[] | undefined;
  readonly outputs: ReadonlyMap<string, Value>;
}

/** Whether what tasks leave on a volume may come from an earlier run. */
export type CacheWish =
  | false
  | {
      /** Maximum age of the work. If absent, it does not age. */
      readonly maxAgeMs?: number | undefined;
      /** Whether a layer is to be made after this task, also where that costs time and money (EBS snapshots). */
      readonly layer?: boolean;
    };

/** How often a failed task is retried. */
export interface Retries {
  readonly limit: number;
  readonly delayMs: number;
  readonly backoff: number;
}

/** A variable: a value, or (`sh`) what a command on the host prints. */
export interface Variable {
  readonly sh: boolean;
  readonly value: Value;
}

/** A library: where it is (a path, `chrootfile:` and a name, or `npm:` and a file of a package), and the values of its inputs. */
export interface Include {
  readonly recipe: string;
  readonly with: ReadonlyMap<string, Value>;
  readonly at: Place;
}

/** A name as written, with its place. */
export interface Name {
  readonly name: string;
  readonly at: Place;
}

/** What a task that runs a script does. */
export type RunAction = Extract<Action, { type: 'run' }>;

/** What a task does: a built-in kind, a script, or, for a group, nothing. */
export type Action =
  | { readonly type: 'kind'; readonly kind: KindDeclaration; readonly with: ReadonlyMap<string, Value> }
  | {
      readonly type: 'run';
      readonly script: Value;
      readonly shell?: readonly string[] | undefined;
      readonly dir?: Value | undefined;
      /** Whether it gets the user's terminal. */
      readonly interactive: boolean;
      readonly env: ReadonlyMap<string, Value>;
      readonly outputs: ReadonlyMap<string, OutputDeclaration>;
      readonly undo?: { readonly script: Value; readonly when: 'failure' | 'always' } | undefined;
      /** For a resource: the script to run instead, on a disk that has its content already. */
      readonly reopen?: Value | undefined;
    }
  | { readonly type: 'group' }
  /** It has errors; references to it are not checked. */
  | { readonly type: 'unknown' };

/** A value that a script passes to later tasks. */
export interface OutputDeclaration {
  readonly type: ValueType;
  readonly secret: boolean;
}

/** The axes of a matrix by name, and the entries that add or remove combinations. */
export interface Strategy {
  readonly axes: ReadonlyMap<string, Value>;
  readonly include: readonly Value[];
  readonly exclude: readonly Value[];
  readonly maxParallel?: number | undefined;
  readonly at: Place;
}

/** A command that must succeed before a task, and the error message if it does not. */
export interface Precondition {
  readonly sh: Value;
  readonly message?: Value | undefined;
}

/** How to find out that a script need not run again. */
export interface Freshness {
  /** Patterns of the files it reads, on the host. */
  readonly sources: readonly Value[];
  /** Patterns of the files it creates, where it runs. */
  readonly generates: readonly Value[];
  /** Commands that succeed when its work is done, where it runs. */
  readonly status: readonly Value[];
}

/** A task as one recipe declares it. */
export interface Task {
  readonly name: string;
  readonly at: Place;
  readonly description?: string | undefined;
  readonly action: Action;
  readonly in?: Name | undefined;
  readonly needs: readonly Name[];
  readonly before: readonly Name[];
  readonly if?: Value | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retries: Retries;
  readonly continueOnError: boolean;
  readonly strategy?: Strategy | undefined;
  readonly preconditions: readonly Precondition[];
  readonly freshness?: Freshness | undefined;
  /** Names of the host locks that it holds while it runs, sorted. */
  readonly locks: readonly string[];
  readonly cache?: CacheWish | undefined;
  readonly internal: boolean;
}
