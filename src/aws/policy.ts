/** Limits and times for EC2, each with its reason. Times are in milliseconds unless the name contains another unit. */
export const ec2Policy = {
  /** How long describe calls may miss a new resource. Source: EC2 API reference, "Eventual consistency". */
  eventualConsistencyMs: 30_000,
  /** Delay before the first retry of a request; it grows up to the cap. */
  pollFirstMs: 250,
  pollBackoff: 1.5,
  pollMostMs: 5_000,
  /** Maximum difference between the clocks of this machine and of EC2. */
  clockSkewMs: 5_000,
  /**
   * Polling: look at once, unless the previous answer already contains the state. Then look at this interval, and
   * later after this share of the time so far, or of the remaining time.
   */
  pollSteadyMs: 500,
  /** The first look at an embedded EC2 without added delays, which is in this process; the next ones after twice the time, until they are at the usual intervals. */
  pollEmbeddedMs: 50,
  pollOfWaited: 0.3,
  pollOfRest: 0.75,
  /** Time limits for waiting for EC2. A snapshot of a large volume takes hours. */
  volumeReadyMs: 5 * 60_000,
  attachMs: 5 * 60_000,
  snapshotMs: 6 * 3_600_000,
  imageMs: 30 * 60_000,
  /** Copies to other regions may be queued for hours. */
  copyMs: 12 * 3_600_000,
  /** Maximum number of copies at once. Source: EC2 User Guide, "Copy an AMI": 20 to one region. */
  copiesAtOnce: 20,
  /** How often to send a call without a client token, and the longest pause when EC2 throttles. */
  sendAttempts: 8,
  throttledMaxMs: 20_000,
  /** Delay before the first retry when EC2 has reached a temporary limit; it grows up to the cap. */
  limitFirstMs: 5_000,
  limitMostMs: 60_000,
  /** How long to search for resources by the tags of a run when EC2 does not answer. */
  searchMs: 2 * 60_000,
} as const;
