/** What the scripts and the recipes that are timed have in common. */

/** The phases a script of this folder printed, in seconds. */
export function phasesIn(printed: string): Map<string, number> {
  const lines = printed.trim().split('\n');
  return new Map(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

/** The seconds of each node of a run, from what it printed with `--format json`. */
export function secondsIn(events: string): Map<string, number> {
  const ended = events.split('\n').filter((line) => line.includes('"task.finished"'));
  return new Map(ended.map((line) => JSON.parse(line) as { task: string; seconds: number }).map(({ task, seconds }) => [task, seconds]));
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
