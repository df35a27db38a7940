import type { ArchitectureValues, BootModeValues, ImdsSupportValues, TpmSupportValues, VirtualizationType, VolumeType } from './api/model/answers.js';

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** What all resources have. */
export interface Resource {
  readonly id: string;
  readonly created: string;
  readonly tags: readonly Tag[];
  /** The account it belongs to; that of {@link localAccount} where none is said. */
  readonly owner?: string | undefined;
  /** The process that makes it, as {@link thisMaker} has it: where it died, what is not ready never will be. */
  readonly maker?: string;
  /** The client's token against doubles, with what was asked for. */
  readonly token?: { readonly value: string; readonly request: string } | undefined;
}

/** What has a disk of its own. */
export interface DiskResource extends Resource {
  readonly size: number;
  /** False while its disk is being made. */
  ready: boolean;
  /** What its disk is copied from, until it is ready. */
  readonly origin?: Origin | undefined;
  /** Why its disk could not be made. */
  readonly failure?: string | undefined;
}

/** What a disk is copied from. That stays as {@link Store.sourceOf}, even when the volume or snapshot is deleted meanwhile. */
export interface Origin {
  readonly id: string;
  /** When the disk of a volume was last written to, in nanoseconds. Absent for a snapshot, and for a volume in use, which is written to all the time. */
  readonly written?: string | undefined;
}

export interface Volume extends DiskResource {
  readonly snapshot?: string | undefined;
  readonly zone: string;
  readonly type: VolumeType;
  readonly iops?: number | undefined;
  readonly throughput?: number | undefined;
  readonly encrypted: boolean;
  readonly kmsKey?: string | undefined;
  /** How it was last changed. */
  readonly modification?: Modification | undefined;
  /** As asked for; whether it is attached in truth, the kernel knows. */
  attachment?: Attachment | undefined;
}

export interface Modification {
  readonly since: string;
  readonly original: Pick<Volume, 'size' | 'type' | 'iops' | 'throughput'>;
  readonly target: Pick<Volume, 'size' | 'type' | 'iops' | 'throughput'>;
}

export interface Attachment {
  readonly device: string;
  readonly since: string;
  readonly detaching: boolean;
  /** When it was asked to be detached. */
  readonly asked?: string;
  /** The process that attaches it, until that is done. */
  readonly maker?: string | undefined;
}

export interface Snapshot extends DiskResource {
  readonly volume: string;
  readonly description: string;
  readonly encrypted: boolean;
  readonly kmsKey?: string | undefined;
  /** Whether it was copied, which takes longer. */
  readonly copied?: boolean;
  /** Who may make volumes of it, besides its owner. */
  readonly sharedWith?: Sharing | undefined;
}

/** Who may use a thing that belongs to somebody else. `groups`: only `all`. */
export interface Sharing {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly organizations: readonly string[];
  readonly units: readonly string[];
}

export interface Image extends Resource {
  readonly name: string;
  readonly description: string;
  readonly architecture: ArchitectureValues;
  readonly virtualization: VirtualizationType;
  readonly rootDevice: string;
  readonly mappings: readonly Mapping[];
  readonly ena: boolean;
  readonly sriov?: string | undefined;
  readonly bootMode?: BootModeValues | undefined;
  readonly imds?: ImdsSupportValues | undefined;
  readonly tpm?: TpmSupportValues | undefined;
  readonly uefi?: string | undefined;
  readonly kernel?: string | undefined;
  readonly ramdisk?: string | undefined;
  /** False where it was made together with its snapshots: it is ready when they are. */
  readonly ready?: boolean;
  /** The image it was copied from. */
  readonly source?: { readonly image: string; readonly region: string } | undefined;
  /** The instance whose volumes it was made of. */
  readonly instance?: string | undefined;
  /** Whether nobody may use it until it is enabled again. */
  readonly disabled?: boolean | undefined;
  readonly sharedWith?: Sharing | undefined;
  readonly productCodes?: readonly string[] | undefined;
  readonly deprecated?: string | undefined;
  /** With a cooldown it stays protected for a day after it was switched off. */
  readonly protection?: 'enabled' | 'enabled-with-cooldown' | undefined;
}

export interface Mapping {
  readonly device: string;
  readonly snapshot?: string | undefined;
  readonly size?: number | undefined;
  readonly type?: VolumeType | undefined;
  readonly iops?: number | undefined;
  readonly throughput?: number | undefined;
  readonly encrypted: boolean;
  readonly deleteOnTermination: boolean;
  readonly virtualName?: string | undefined;
}

/** The resources by their kind, as they are kept: one folder a kind, one JSON file a resource. */
export interface Resources {
  volumes: Volume;
  snapshots: Snapshot;
  images: Image;
}
export type Kind = keyof Resources;
