/** Limits and times for EBS direct, each with its reason. Times are in milliseconds unless the name contains another unit. */
export const directPolicy = {
  /** The size of a block. Source: EBS User Guide, "EBS direct APIs". */
  blockBytes: 524_288,
  /** How many requests are sent at the same time: 1 GiB in 4 s if each takes 100 ms. EBS allows about 1,000 a second for each snapshot. */
  blocksAtOnce: 64,
  /** How few, after EBS has throttled. */
  blocksAtLeast: 4,
  /** The lengths of the longest and the shortest list. Source: EBS API reference, MaxResults. */
  listedAtMost: 10_000,
  listedAtLeast: 100,
  /** How often the token of a block is replaced. Tokens are valid for 7 days. */
  tokenRenewals: 3,
  /** Pause between attempts of a request; it doubles up to the longest. */
  pauseFirstMs: 250,
  pauseMostMs: 20_000,
  /** The longest pause of all requests after EBS has throttled one: its limits are by the second. */
  pauseAllMostMs: 2_000,
  /** How long a snapshot may "not exist" after StartSnapshot. Source: EBS User Guide, "Use EBS direct APIs to access the contents". */
  unknownMs: 2 * 60_000,
  /** Time without any block after which EBS gives up a pending snapshot: a paused run may be resumed the next day. The longest is 4,320. */
  timeoutMinutes: 24 * 60,
  /** Time to connect, and without any data on a connection. */
  connectMs: 10_000,
  idleMs: 60_000,
  /** Time between reports of progress. */
  progressEveryMs: 2_000,
} as const;
