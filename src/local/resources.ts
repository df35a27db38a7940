import type { ArchitectureValues, BootModeValues, ImdsSupportValues, TpmSupportValues, VirtualizationType, VolumeType } from './api/model/answers.js';

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** Properties of all resources. */
export interface Resource {
  readonly id: string;
  readonly created: string;
  readonly tags: readonly Tag[];
  /** The account that owns it; defaults to {@link localAccount}. */
  readonly owner?: string | undefined;
  /** The process that creates it, from {@link thisMaker}. If that process died, a resource that is not ready never will be. */
  readonly maker?: string;
  /** The client token that prevents duplicates, with the request. */
  readonly token?: { readonly value: string; readonly request: string } | undefined;
}

/** A resource with its own disk. */
export interface DiskResource extends Resource {
  readonly size: number;
  /** False while its disk is being created. */
  ready: boolean;
  /** What its disk is copied from, until it is ready. */
  readonly origin?: Origin | undefined;
  /** Why its disk could not be created. */
  readonly failure?: string | undefined;
}

/** The source of a disk copy. It stays as {@link Store.sourceOf}, even when the volume or snapshot is deleted meanwhile. */
export interface Origin {
  readonly id: string;
  /** When the disk of a volume was last written to, in nanoseconds. Absent for a snapshot, and for a volume in use, which may be written to at any time. */
  readonly written?: string | undefined;
}

export interface Volume extends DiskResource {
  /** See {@link lineageOf}. */
  readonly lineage?: string | undefined;
  readonly snapshot?: string | undefined;
  readonly zone: string;
  readonly type: VolumeType;
  readonly iops?: number | undefined;
  readonly throughput?: number | undefined;
  readonly encrypted: boolean;
  readonly kmsKey?: string | undefined;
  /** Its last modification. */
  readonly modification?: Modification | undefined;
  /** The requested attachment. Only the kernel knows whether the volume is really attached. */
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
  /** When detaching was requested. */
  readonly asked?: string;
  /** The process that attaches it, until it is attached. */
  readonly maker?: string | undefined;
}

export interface Snapshot extends DiskResource {
  /** The volume that it was created from; {@link noVolume} if there is none. */
  readonly volume: string;
  /** See {@link lineageOf}. */
  readonly lineage?: string | undefined;
  /** Set if its blocks are written with EBS direct. */
  readonly upload?: Upload | undefined;
  readonly description: string;
  readonly encrypted: boolean;
  readonly kmsKey?: string | undefined;
  /** Whether it is a copy, which takes longer. */
  readonly copied?: boolean;
  /** Who may create volumes from it, besides its owner. */
  readonly sharedWith?: Sharing | undefined;
}

export interface Upload {
  readonly parent?: string;
  /** Without a new block for so long, the snapshot fails. */
  readonly timeoutMinutes: number;
  /** When all blocks were written. */
  readonly completed?: string;
}

/** The volume of copied snapshots, and of those that EBS direct writes. */
export const noVolume = 'vol-ffffffff';

/** What a volume or snapshot has in common with all others from which it was made, or that were made from it, except copied snapshots. */
export function lineageOf(disk: Volume | Snapshot): string {
  return disk.lineage ?? ('volume' in disk && disk.volume !== noVolume ? disk.volume : disk.id);
}

/** Which other accounts may use a resource. `groups`: only `all`. */
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
  /** False for an image created together with its snapshots: it is ready when they are. */
  readonly ready?: boolean;
  /** The image that it was copied from. */
  readonly source?: { readonly image: string; readonly region: string } | undefined;
  /** The instance whose volumes it was created from. */
  readonly instance?: string | undefined;
  /** Whether nobody may use it until it is enabled again. */
  readonly disabled?: boolean | undefined;
  readonly sharedWith?: Sharing | undefined;
  readonly productCodes?: readonly string[] | undefined;
  readonly deprecated?: string | undefined;
  /** With a cooldown, it stays protected for a day after the protection is disabled. */
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

/** The stored resources by kind: one folder per kind, one JSON file per resource. */
export interface Resources {
  volumes: Volume;
  snapshots: Snapshot;
  images: Image;
}
export type Kind = keyof Resources;
