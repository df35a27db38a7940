/** A duration: whole numbers with units, the largest unit first: `500ms`, `90s`, `20m`, `1h30m`. */
export const durationPattern = '^(?=[0-9])([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$';

const duration = new RegExp(durationPattern);

/** Milliseconds of the units in {@link durationPattern}, in its order: h, m, s, ms. */
const unitsMs = [3_600_000, 60_000, 1000, 1];

/** The longest time that a timer of Node can wait: 24 days. */
export const longestTimerMs = 2 ** 31 - 1;

/** Milliseconds of a duration as recipes write it; undefined if the text is not a duration, or one longer than {@link longestTimerMs}. */
export function durationMs(text: string): number | undefined {
  const [, ...parts] = duration.exec(text) ?? [];
  if (parts.length === 0) return undefined;
  const ms = parts.reduce((sum, part, i) => sum + Number.parseInt(part ?? '0', 10) * (unitsMs[i] as number), 0);
  return ms <= longestTimerMs ? ms : undefined;
}
