/** Limits and times of the runtime, each with its reason. Times are in milliseconds unless the name contains another unit. */
export const policy = {
  /** Maximum duration of an undo script. Nothing else ends it. */
  undoScriptMs: 10 * 60_000,
  /** A terminal that closes may send HUP twice. The same signal within this time counts once. */
  sameSignalMs: 300,
  /** How often an undo is attempted. A device may stay busy for a moment after its last user ended. */
  undoAttempts: 6,
  undoFirstDelayMs: 100,
  undoBackoff: 2.5,
  /** A longer line is split, so that output without newlines does not fill memory. */
  longestLine: 65_536,
  /** Lines of output held back while an interactive script uses the terminal. The logs contain all lines. */
  heldLines: 10_000,
  /** Maximum length in characters of one form of a secret, in its longest encoding. */
  longestStretch: 8_192,
  /** Lines of messages are cut after this many characters. */
  longestMessageLine: 1_000,
  /** Limits on the values, and their characters, that one script may hide. Each value costs time on every line; each character costs time and memory. */
  maxMasks: 1_000,
  maxMaskChars: 2 ** 18,
  /** Default limit on the size of a task's log, and how many characters of its end are kept after that limit. */
  logBytes: 100 * 2 ** 20,
  logTailChars: 65_536,
  /** How long a layer is assumed to take until one was made, and the time of snapshots up to which they count as instant. */
  layerMs: 250,
  /** Less data on a volume than this, in MiB, says nothing about the speed of copies. */
  layerMeasuredMiB: 256,
  /** Work that was never done before must take this many times as long as the copy of its disk, so that copies make a run a tenth slower at most. */
  layerCopyShare: 10,
  /** Minimum time between two updates of the screen. */
  redrawMs: 100,
} as const;
