/** Longer words, and more of them, are not compared. */
export const [longestWord, mostWords] = [100, 200];

/** The known word a typo was probably meant to be. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > longestWord) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  // Among many words, one that differs this much is hardly the one that was meant.
  let least = Math.min(Math.max(1, Math.floor(word.length / 3)) + 1, word.length, known.length > mostWords ? 3 : Infinity);
  const ruler = new Ruler();
  const [letters, others] = [lettersOf(wanted), othersOf(wanted)];
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const other = candidate.toLowerCase();
    // Each letter that only one of the words has costs an edit.
    if (bits(letters & ~lettersOf(other)) + bits(others & ~othersOf(other)) >= least) continue;
    const d = ruler.distance(wanted, other, least);
    if (d < least) [best, least] = [candidate, d];
    if (least === 0) break;
  }
  return best;
}

/** The letters of a word, a bit for each. */
function lettersOf(word: string): number {
  let found = 0;
  for (let i = 0; i < word.length; i += 1) if (word.charCodeAt(i) > 96) found |= 1 << (word.charCodeAt(i) & 31);
  return found;
}

/** The digits and signs of a word; some of them share a bit. */
function othersOf(word: string): number {
  let found = 0;
  for (let i = 0; i < word.length; i += 1) if (word.charCodeAt(i) <= 96) found |= 1 << (word.charCodeAt(i) & 31);
  return found;
}

function bits(of: number): number {
  let count = 0;
  for (let rest = of; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/** Counts edits between words. Its rows are reused, since many words are compared. */
class Ruler {
  private rows = [new Int32Array(256), new Int32Array(256), new Int32Array(256)] as [Int32Array, Int32Array, Int32Array];

  /** The number of edits, at most `most`. Swapped neighbours count as one edit (optimal string alignment). */
  distance(a: string, b: string, most: number): number {
    let [before, last, row] = this.rows;
    for (let j = 0; j <= b.length; j += 1) last[j] = j;
    for (let i = 1; i <= a.length; i += 1) {
      // Cells farther from the diagonal cannot have fewer edits than the limit.
      const from = Math.max(1, i - most);
      const until = Math.min(b.length, i + most);
      row[from - 1] = from === 1 ? i : most;
      let least = most;
      for (let j = from; j <= until; j += 1) {
        let d = Math.min(last[j] as number, row[j - 1] as number) + 1;
        d = Math.min(d, (last[j - 1] as number) + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1));
        if (i > 1 && j > 1 && a.charCodeAt(i - 1) === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === b.charCodeAt(j - 1)) {
          d = Math.min(d, (before[j - 2] as number) + 1);
        }
        row[j] = d;
        if (d < least) least = d;
      }
      row[until + 1] = most;
      if (least >= most) return most;
      [before, last, row] = [last, row, before];
    }
    return Math.min(most, last[b.length] as number);
  }
}
