/** Limits and times on this host, each with its reason. Times are in milliseconds unless the name contains another unit. */
export const hostPolicy = {
  /** Time from TERM to KILL when a command is cancelled. apt and mmdebstrap need a few seconds to clean up. */
  termToKillMs: 10_000,
  /** How long to wait for more output after a command has ended, because a process that escaped may keep the pipe open. */
  outputAfterEndMs: 1_000,
  /** How many lines of output to show when a command fails. */
  tailLines: 20,
  /** How many bytes of output to process at once. */
  outputPart: 8_192,
  /** How long to wait for a file system with the same UUID: as long as a long task takes. */
  sameUuidMs: 30 * 60_000,
  /** How often to look whether a file system with the same UUID is still mounted. */
  mountAgainMs: 200,
  /** How long a device node may take to appear after EC2 reports "attached". */
  deviceNodeMs: 60_000,
  /** When to break a lock whose owner cannot be checked, because it is in another pid namespace or on another host. */
  lockStaleMs: 10_000,
  /** How long to wait for a lock that is only held briefly. */
  lockWaitMs: 60_000,
} as const;
