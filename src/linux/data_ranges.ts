/** Where a sparse file has data, in bytes: from the first to before the second. */
export type DataRange = readonly [number, number];

/**
 * The ranges of a sparse file that have data, in order. Node cannot seek, so perl does, which every Debian has. Without perl, all of the file
 * counts as data.
 * @param run runs a program and returns its output.
 */
export async function dataRanges(run: (command: readonly string[]) => Promise<string>, file: string, size: number): Promise<DataRange[]> {
  const text = await run(['perl', '-e', seekData, file]).catch(() => `0 ${size}\n`);
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ').map(Number) as [number, number]);
}

/** Source: lseek(2): 3 is SEEK_DATA, 4 is SEEK_HOLE; ENXIO after the last data. */
const seekData = `open F, "<", $ARGV[0] or die "$!";
for ($at = 0; defined($data = sysseek(F, $at, 3)); $at = $hole) {
  defined($hole = sysseek(F, $data, 4)) or die "$!";
  print $data + 0, " ", $hole + 0, "\\n";
}
die "$!" unless $!{ENXIO};`;
