/** The parts of the harness: images that are hostile, acts of a script, and installs of real packages. */
export const parts = ['images', 'acts', 'debian', 'rpm'] as const;
export type Part = (typeof parts)[number];

/** One build on one image, with what must come of it. */
export interface Case {
  readonly part: Part;
  /** The row of the page that it counts in. */
  readonly sort: string;
  readonly name: string;
  /** A script of the host that changes the image before the build; its working folder is the image's root. */
  readonly make?: string;
  /** The file system of the image; ext4 by default. */
  readonly type?: 'ext4' | 'xfs' | 'btrfs';
  /** A script of the host that makes the whole disk `$DISK` instead; it ends with the root mounted, or with none. */
  readonly disk?: string;
  /** The script of the build in the chroot. */
  readonly act?: string;
  /** Keys of the task that runs it, e.g. `timeout: 2s`. */
  readonly keys?: string;
  /** A task after it in the same chroot, instead of the usual one. */
  readonly after?: string;
  /** Values for inputs of the library, e.g. `partition: 0`. */
  readonly with?: string;
  /** Whether the library cleanup.yml works between the two. */
  readonly cleanup?: boolean;
  /** Whether it is run at a terminal. */
  readonly terminal?: boolean;
  /** `well`: the run must succeed. A pattern: it must fail, with an error that matches. Either by default. */
  readonly ends?: 'well' | RegExp;
  /** What the log of the act must hold. */
  readonly log?: RegExp;
  /** What a warning of the run must hold. */
  readonly warns?: RegExp;
  /** What the image must have: a file with this text, a link as `-> TARGET`, or nothing. */
  readonly image?: Readonly<Record<string, string | RegExp | null>>;
  /** How long a start of the program may take, in seconds. */
  readonly limit?: number;
}

/** How a case ended: the program succeeded, it failed with a message, or it did something that it must not. */
export interface Outcome {
  readonly part: Part;
  readonly sort: string;
  readonly name: string;
  readonly result: 'succeeded' | 'failed';
  readonly wrong: readonly string[];
  readonly hung: boolean;
  /** The error that was reported, or the last lines of output. */
  readonly said: string;
  readonly seconds: number;
}
