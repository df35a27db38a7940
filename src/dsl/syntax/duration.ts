/** A length of time: `500ms`, `90s`, `20m`, `2h`. */
export const durationPattern = '^[0-9]+(ms|s|m|h)$';

/** Timers take no more than this, 24 days. */
export const longestTimerMs = 2 ** 31 - 1;

/** Milliseconds of a duration as the language writes it; undefined when it is not one. */
export function durationMs(text: string): number | undefined {
  const match = /^([0-9]+)(ms|s|m|h)$/.exec(text);
  if (match === null) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] as 'ms' | 's' | 'm' | 'h'];
  const ms = Number(match[1]) * unit;
  return ms <= longestTimerMs ? ms : undefined;
}
