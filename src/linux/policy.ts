/** Numbers of what is done on this host, each with its reason. Times in milliseconds unless the name says otherwise. */
export const hostPolicy = {
  /** From TERM to KILL when a command is cancelled: apt and mmdebstrap need a few seconds to let go. */
  termToKillMs: 10_000,
  /** How long output may still come after its command has ended, kept open by a process that escaped. */
  outputAfterEndMs: 1_000,
  /** Lines of a failed command that are shown. */
  tailLines: 20,
  /** Bytes of output that are looked at at once. */
  outputPart: 8_192,
  /** How long a device node may take to appear after EC2 said "attached". */
  deviceNodeMs: 60_000,
  /** A lock whose owner cannot be asked (another pid namespace or host) is broken after this. */
  lockStaleMs: 10_000,
  /** How long to wait for a lock that is held for moments. */
  lockWaitMs: 60_000,
} as const;
