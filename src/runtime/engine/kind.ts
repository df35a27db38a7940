import type { Ec2Opener } from '../../aws/client.js';
import type { NoteWriter } from '../../aws/journaled_create.js';
import type { Maker } from '../../aws/ownership_tags.js';
import type { Described, KindDeclaration, ObjectSchema } from '../../dsl/recipe/kind.js';
import type { Cloud } from '../../dsl/recipe/types.js';
import type { Shell } from '../../linux/command.js';

/** What a task, or the undo of one, works with. */
export interface HostContext extends Ec2Opener {
  readonly shell: Shell;
  /** Whether the mounts of the run went with its last process: then what is mounted at its paths is somebody else's. */
  readonly mountsGone: boolean;
  /** Whether the root that is worked on is on a disk that is deleted next: then nothing in it needs to be put back. */
  readonly diskGoes: boolean;
  /** Whether something is released in a run that goes well, so that what was made is to be as it should. */
  readonly isRelease: boolean;
  /** Frees what was kept back on the disk of the state folder, where it is full. */
  makeRoom(): Promise<void>;
  /** Reports what the person should know, though it keeps nothing from being done. */
  warn(message: string): void;
}

/** What a task works with while it runs. */
export interface TaskContext extends HostContext, Maker, NoteWriter {
  /** An empty place on the host where the task may mount something; it need not exist. */
  readonly mountPoint: string;
  /** The folder of the recipe: host paths in `with` are relative to it. */
  readonly folder: string;
  /** The root of the chroot named by `in`. */
  readonly root?: string | undefined;
  /** Runs something while no other run on this host does the same: e.g. choose a device name. */
  exclusive<T>(what: string, action: () => Promise<T>): Promise<T>;
  progress(text: string): void;
  /** Does something once the run has ended well; what goes wrong then is a warning. */
  atCommit(action: () => Promise<void>): void;
}

/** Something a run made and keeps. */
export interface Artifact {
  readonly type: 'image' | 'snapshot';
  readonly region: string;
  readonly id: string;
}

/** What is known of a run where a person has to finish its undo. */
export interface ByHand {
  /** The command that tries it once more. */
  readonly again: string;
  readonly cloud: Cloud;
  /** Whether the run's mounts end with it. */
  readonly mountsGone: boolean;
  /** Where kinds have mounted something for the run: it is not there any more when the person begins. */
  readonly mounts: readonly string[];
}

/** A word of the language: what it is called, and what it does. */
export interface TaskKind<P extends ObjectSchema, O extends ObjectSchema, N> extends KindDeclaration {
  readonly params: P;
  readonly outputs: O;
  /** Does it and gives the outputs. Every change has its note before anything relies on it. */
  run(params: Described<P>, context: TaskContext): Promise<Described<O>>;
  /** Takes back what a note says. Works twice, and on half-done things. */
  undo?(note: N, host: HostContext): Promise<void>;
  /** What a note says is kept of a run that ended well. */
  artifacts?(note: N): Artifact[];
  /** The commands a person would type instead of `undo`, quoted for a shell, about what is still there then. */
  byHand?(note: N, at: ByHand): string[];
  /** Whether its undo deletes a disk, with all that is on it. */
  readonly deletesDisk?: true;
}

/** Any kind. The types of parameters, outputs and notes are each kind's own affair. */
// biome-ignore lint/suspicious/noExplicitAny: parameters are contravariant; no other type takes all kinds
export type AnyKind = TaskKind<any, any, any>;

/** Gives a kind its types by inference. */
export function defineKind<const P extends ObjectSchema, const O extends ObjectSchema, N = never>(kind: TaskKind<P, O, N>): TaskKind<P, O, N> {
  return kind;
}
