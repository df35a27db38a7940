/** Numbers of the runtime, each with its reason. Times in milliseconds unless the name says otherwise. */
export const policy = {
  /** From TERM to KILL when a command is cancelled: apt and mmdebstrap need a few seconds to let go. */
  termToKillMs: 10_000,
  /** How long output may still come after its command has ended, kept open by a process that escaped. */
  outputAfterEndMs: 1_000,
  /** The longest a user's undo script may take: nothing else ends it. */
  undoScriptMs: 10 * 60_000,
  /** A terminal that closes may send HUP twice; the same signal within this time is one. */
  sameSignalMs: 300,
  /** How often one undo is tried; a device may be busy for a moment after its last user is gone. */
  undoAttempts: 6,
  undoFirstDelayMs: 100,
  undoBackoff: 2.5,
  /** Lines of a failed command that are shown. */
  tailLines: 20,
  /** Bytes of output that are looked at at once. */
  outputPart: 8_192,
  /** A line longer than this is cut into pieces, so that output without newlines needs no memory. */
  longestLine: 65_536,
  /** Lines of output that wait for the screen while a script asks on it; the logs have them all. */
  heldLines: 10_000,
  /** More characters than what is looked for of a secret at once may take, in whatever way it is written. */
  longestStretch: 8_192,
  /** A line of a message is cut after this many characters. */
  longestMessageLine: 1_000,
  /** Values that one script may have hidden, and their characters: each value costs time with every line, each character time and memory at once. */
  mostMasks: 1_000,
  mostMaskChars: 2 ** 18,
  /** How much of a task's log is kept unless a run says otherwise, and how much of the end behind the place where it was cut. */
  logBytes: 100 * 2 ** 20,
  logTailChars: 65_536,
  /** The screen is redrawn at most this often. */
  redrawMs: 100,
  /** Describe calls may not show for this long what was just made. Source: EC2 API reference, "Eventual consistency". */
  eventualConsistencyMs: 30_000,
  /** Trying again at EC2: after this, growing to the cap. */
  pollFirstMs: 250,
  pollBackoff: 1.5,
  pollMostMs: 5_000,
  /** How much the clocks of this machine and of EC2 may differ. */
  clockSkewMs: 5_000,
  /** Waiting for EC2: look at once, unless the answer to the call told already, then this often, then after this share of the time so far, or of what is left. */
  pollSteadyMs: 500,
  pollOfWaited: 0.3,
  pollOfRest: 0.75,
  /** Time limits of waiting for EC2. A snapshot of a large volume takes hours. */
  volumeReadyMs: 5 * 60_000,
  attachMs: 5 * 60_000,
  snapshotMs: 6 * 3_600_000,
  imageMs: 30 * 60_000,
  /** Copies to other regions may queue for hours. */
  copyMs: 12 * 3_600_000,
  /** Copies that run at once. Source: EC2 User Guide, "Copy an AMI": 20 to one region. */
  copiesAtOnce: 20,
  /** How often a call without a token against doubles is sent, and the longest pause when EC2 has too much to do. */
  sendAttempts: 8,
  throttledMostMs: 20_000,
  /** Trying again where EC2 has reached a limit that passes: after this, growing to the cap. */
  limitFirstMs: 5_000,
  limitMostMs: 60_000,
  /** How long what carries the tags of a run is looked for, where EC2 does not answer. */
  searchMs: 2 * 60_000,
  /** How long a device node may take to appear after EC2 said "attached". */
  deviceNodeMs: 60_000,
  /** A lock whose owner cannot be asked (another pid namespace or host) is broken after this. */
  lockStaleMs: 10_000,
  /** How long to wait for a lock that is held for moments. */
  lockWaitMs: 60_000,
} as const;
