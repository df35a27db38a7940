/** Numbers of what is asked of EC2, each with its reason. Times in milliseconds unless the name says otherwise. */
export const ec2Policy = {
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
} as const;
