import type { DataRange } from './data_ranges.js';
import { extentsIn, type FileExtent } from './file_extents.js';

/**
 * The ranges that two files have in the same place on the disk, so that their content is the same: on a copy-on-write
 * file system, all that is not changed. Empty if filefrag cannot find out.
 * @param run runs a program and returns its output.
 */
export async function sharedRanges(run: (command: readonly string[]) => Promise<string>, file: string, other: string): Promise<DataRange[]> {
  const [some, others] = await Promise.all([extentsOf(run, file), extentsOf(run, other)]);
  const shared: DataRange[] = [];
  for (let i = 0, j = 0; i < some.length && j < others.length; ) {
    const [a, b] = [some[i] as FileExtent, others[j] as FileExtent];
    const [start, end] = [Math.max(a.start, b.start), Math.min(a.end, b.end)];
    if (start < end && a.at - a.start === b.at - b.start) shared.push([start, end]);
    if (a.end < b.end) i += 1;
    else j += 1;
  }
  return shared;
}

/** What is on the disk in a known place, in order. Data that is not written yet is written first: until then the old place is reported. */
async function extentsOf(run: (command: readonly string[]) => Promise<string>, file: string): Promise<FileExtent[]> {
  const text = await run(['filefrag', '-s', '-v', '-b1', file]).catch(() => '');
  return extentsIn(text).filter(({ flags }) => !/unknown|delalloc|encoded|inline|not_aligned/.test(flags));
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
