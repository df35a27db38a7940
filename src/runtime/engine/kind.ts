import type { Ec2Opener } from '../../aws/client.js';
import type { DirectStore } from '../../aws/direct/store.js';
import type { NoteHandle, NoteWriter } from '../../aws/journaled_create.js';
import type { Maker } from '../../aws/ownership_tags.js';
import type { Described, KindDeclaration, ObjectSchema } from '../../dsl/recipe/kind.js';
import type { Cloud } from '../../dsl/recipe/types.js';
import type { Shell } from '../../linux/command.js';

/** What a task or its undo uses to act on the build host and on EC2. */
export interface HostContext extends Ec2Opener {
  readonly shell: Shell;
  /** Set if volumes are direct: their disks are in the embedded EC2, and snapshots are transferred. */
  readonly direct?: DirectStore | undefined;
  /** Whether the run's mounts ended with its last process. Anything mounted at their paths now belongs to somebody else. */
  readonly mountsGone: boolean;
  /** Whether the disk that holds the chroot's root is deleted next. Then nothing on it needs to be restored. */
  readonly diskGoes: boolean;
  /** Whether this releases a resource of a run that has not failed. Then the results must be left in their final state. */
  readonly isRelease: boolean;
  /** Frees the reserved space in the state folder when its disk is full. */
  makeRoom(): Promise<void>;
  /** Reports a problem that does not stop the work. */
  warn(message: string): void;
}

/** What a kind uses while its task runs. */
export interface TaskContext extends HostContext, Maker, NoteWriter {
  /** A path reserved for the task's mount. It may not exist yet. */
  readonly mountPoint: string;
  /** The folder of the recipe. Host paths in `with` are relative to it. */
  readonly folder: string;
  /** The root of the chroot named by `in`. */
  readonly root?: string | undefined;
  /** For a snapshot: what the content of its volume is from; undefined if that is not known. */
  readonly content?: string | undefined;
  /** For a volume: the snapshot to make it from instead of its own, which a layer has. */
  readonly layer?: string | undefined;
  /** The notes with `continues` of a failed attempt of this task: the task continues what they record, or undoes it. */
  readonly earlier: readonly { readonly data: object; readonly handle: NoteHandle }[];
  /** Runs an action while no other run on this host runs one with the same name, for example choosing a device name. */
  exclusive<T>(what: string, action: () => Promise<T>): Promise<T>;
  /** Reports what the task does, and how many percent of it are done when that is known. */
  progress(text: string, percent?: number): void;
  /** Registers an action to do once the run has succeeded. If it fails, a warning is printed. */
  atCommit(action: () => Promise<void>): void;
}

/** Something that a successful run created and keeps. */
export interface Artifact {
  readonly type: 'image' | 'snapshot';
  readonly region: string;
  readonly id: string;
}

/** What is known about a run whose undo a person must finish. */
export interface ByHand {
  /** The command that tries the undo again. */
  readonly again: string;
  readonly cloud: Cloud;
  /** Whether the run's mounts end with it. */
  readonly mountsGone: boolean;
  /** Where kinds mounted something for the run. If `mountsGone`, these mounts no longer exist. */
  readonly mounts: readonly string[];
}

/** A kind of task: its declaration and what it does. */
export interface TaskKind<P extends ObjectSchema, O extends ObjectSchema, N> extends KindDeclaration {
  readonly params: P;
  readonly outputs: O;
  /** Runs the task and returns its outputs. Every change is recorded in a note before anything relies on it. */
  run(params: Described<P>, context: TaskContext): Promise<Described<O>>;
  /** Undoes the change that a note records. Must work twice, and on changes that were only half made. */
  undo?(note: N, host: HostContext): Promise<void>;
  /** What the change in a note contributes to the results of a successful run. */
  artifacts?(note: N): Artifact[];
  /** The commands that do the same as `undo` by hand, quoted for a shell, for whatever still exists. */
  byHand?(note: N, at: ByHand): string[];
  /**
   * For a resource with content, or one that looks: its outputs on a disk from a layer. `recorded`: its outputs when the layer
   * was made.
   */
  reopen?(params: Described<P>, recorded: Described<O>, context: TaskContext): Promise<Described<O>>;
}

/** Any kind. The types of parameters, outputs and notes differ from kind to kind. */
// biome-ignore lint/suspicious/noExplicitAny: parameters are contravariant; no other type takes all kinds
export type AnyKind = TaskKind<any, any, any>;

/** Infers the types of a kind from its declaration. */
export function defineKind<const P extends ObjectSchema, const O extends ObjectSchema, N = never>(kind: TaskKind<P, O, N>): TaskKind<P, O, N> {
  return kind;
}
