/** Numbers of the runtime, each with its reason. Times in milliseconds unless the name says otherwise. */
export const policy = {
  /** The longest a user's undo script may take: nothing else ends it. */
  undoScriptMs: 10 * 60_000,
  /** A terminal that closes may send HUP twice; the same signal within this time is one. */
  sameSignalMs: 300,
  /** How often one undo is tried; a device may be busy for a moment after its last user is gone. */
  undoAttempts: 6,
  undoFirstDelayMs: 100,
  undoBackoff: 2.5,
  /** A line longer than this is cut into pieces, so that output without newlines needs no memory. */
  longestLine: 65_536,
  /** Lines of output kept for later while an interactive script has the terminal; the logs have them all. */
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
} as const;
