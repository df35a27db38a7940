import type { DataRange } from './data_ranges.js';

/** A part of a file that is in one piece on the disk, in bytes. */
interface Extent {
  readonly start: number;
  readonly end: number;
  /** Where it begins on the disk. */
  readonly at: number;
}

/**
 * The ranges that two files have in the same place on the disk, so that their content is the same: on a copy-on-write
 * file system, all that is not changed. Empty if filefrag cannot find out.
 * @param run runs a program and returns its output.
 */
export async function sharedRanges(run: (command: readonly string[]) => Promise<string>, file: string, other: string): Promise<DataRange[]> {
  const [some, others] = await Promise.all([extentsOf(run, file), extentsOf(run, other)]);
  const shared: DataRange[] = [];
  for (let i = 0, j = 0; i < some.length && j < others.length; ) {
    const [a, b] = [some[i] as Extent, others[j] as Extent];
    const [start, end] = [Math.max(a.start, b.start), Math.min(a.end, b.end)];
    if (start < end && a.at - a.start === b.at - b.start) shared.push([start, end]);
    if (a.end < b.end) i += 1;
    else j += 1;
  }
  return shared;
}

/**
 * What is on the disk in a known place, in order. Data that is not written yet is written first: until then the old place is reported.
 * Source: filefrag(8), and the kernel's filesystems/fiemap.rst.
 */
async function extentsOf(run: (command: readonly string[]) => Promise<string>, file: string): Promise<Extent[]> {
  const text = await run(['filefrag', '-s', '-v', '-b1', file]).catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, start, end, at, flags = ''] = /^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\.\s*\d+:\s*\d+:(.*)$/.exec(line) ?? [];
    if (start === undefined || /unknown|delalloc|encoded|inline|not_aligned/.test(flags)) return [];
    return [{ start: Number(start), end: Number(end) + 1, at: Number(at) }];
  });
}

/** Ranges without others, which are in order and do not overlap. */
export function without(ranges: readonly DataRange[], others: readonly DataRange[]): DataRange[] {
  return ranges.flatMap(([start, end]) => {
    const rest: DataRange[] = [];
    let at = start;
    for (const [from, to] of others) {
      if (to <= at) continue;
      if (from >= end) break;
      if (from > at) rest.push([at, from]);
      at = to;
    }
    return at < end ? [...rest, [at, end] as const] : rest;
  });
}
