import { vocabularies } from './foreign_terms.js';

/** A hint for an unknown word among those known: another tool's name for one of them, a near miss, or the list. */
export function hintFor(word: string, known: readonly string[]): string | undefined {
  const foreign = foreignWord(word, known);
  if (foreign !== undefined) return foreign;
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (known.length === 0) return undefined;
  return `known here: ${closestFirst(word, known).slice(0, 8).join(', ')}${known.length > 8 ? ', …' : ''}`;
}

/** Longer words, and more of them, are not compared. */
const [longestWord, mostWords] = [100, 200];

function closestFirst(word: string, known: readonly string[]): readonly string[] {
  if (word.length > longestWord || known.length > mostWords) return known;
  const ruler = new Ruler();
  const distances = new Map(known.map((candidate) => [candidate, ruler.distance(word, candidate.slice(0, longestWord), longestWord)]));
  return [...known].sort((a, b) => (distances.get(a) ?? 0) - (distances.get(b) ?? 0));
}

function foreignWord(word: string, known: readonly string[]): string | undefined {
  // So many are names of a recipe, and no words of the language.
  if (known.length > mostWords) return undefined;
  for (const { place, words } of vocabularies) {
    if (!known.includes(place)) continue;
    for (const [tool, own] of Object.entries(words)) {
      const ours = Object.hasOwn(own, word) ? own[word] : undefined;
      if (ours === undefined) continue;
      const theirs = tool === '' ? `"${word}"` : `${tool}${tool.endsWith('s') ? "'" : "'s"} "${word}"`;
      const ownKey = /^[a-z_.]+$/.test(ours);
      if (ownKey && !known.includes(ours.split('.')[0] as string)) continue;
      if (ours === '') return `${theirs} has no counterpart here; take it out`;
      return ownKey ? `${theirs} is "${ours}" here` : `for ${theirs}: ${ours}`;
    }
  }
  return undefined;
}

/** A hint for a name in a template that other tools' templates use. */
export function hintForPath(path: readonly string[]): string | undefined {
  const [first = '', second, third, fourth] = path;
  const output = third === 'outputs' && second !== undefined ? `${second}.${fourth ?? 'NAME'}` : undefined;
  if (['needs', 'steps', 'tasks', 'jobs'].includes(first))
    return output === undefined ? 'a task is named by itself: {{ TASK.OUTPUT }}' : `write {{ ${output} }}`;
  if (first === 'item') return 'Ansible\'s and Argo\'s "item" is "matrix.NAME" here, in a task with "strategy"';
  if (['var', 'input', 'params', 'parameters'].includes(first)) return `write {{ inputs.${second ?? 'NAME'} }}`;
  if (first === 'local') return `write {{ vars.${second ?? 'NAME'} }}`;
  if (['isotime', 'timestamp', 'uuid'].includes(first)) return `Packer's "${first}" is "run.${first}" here`;
  if (['secrets', 'github', 'runner', 'workflow', 'build', 'source', 'hostvars'].includes(first))
    return `give the value by an input: {{ inputs.${second ?? 'NAME'} }}`;
  if (/^[A-Z_]+$/.test(first)) return `a variable of the environment is {{ env.${first} }}; one of the recipe {{ vars.${first.toLowerCase()} }}`;
  if (first.startsWith('ansible_')) return 'give the value by an input, or by {sh: …} in "vars"';
  return undefined;
}

/** A hint for text that other tools' templates use, where it is no template here. */
export function hintForSyntax(text: string): string | undefined {
  if (/^\{\{-?\s*user\s/.test(text)) return "Packer's {{ user `x` }} is {{ inputs.x }} here";
  if (/^\{\{-?\s*env\s/.test(text)) return "Packer's {{ env `X` }} is {{ env.X }} here";
  if (/^\{\{-?\s*build\s/.test(text)) return "Packer's {{ build `X` }} is an output here: {{ TASK.OUTPUT }}";
  if (/^\{\{-?\s*\.[A-Z_]+\s*-?\}\}/.test(text)) return "Taskfile's {{.NAME}} is {{ vars.name }} or {{ inputs.name }} here; for literal braces write \\{{";
  if (/^\{\{[^}]*\|/.test(text)) return 'there are no filters; helpers come first: {{ lower inputs.x }}, {{ default inputs.x "y" }}';
  if (/^\{\{[^}]*(==|!=|&&|\|\|)/.test(text)) return 'write {{ eq a b }}, {{ ne a b }}, {{ and a b }}, {{ or a b }}';
  return undefined;
}

/** The known word a typo was probably meant to be. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > longestWord) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  // Among many, one that differs as much would not be what was meant.
  let least = Math.min(Math.max(1, Math.floor(word.length / 3)) + 1, word.length, known.length > mostWords ? 3 : Infinity);
  const ruler = new Ruler();
  const [letters, others] = [lettersOf(wanted), othersOf(wanted)];
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const other = candidate.toLowerCase();
    // Each that only one of them has takes an edit.
    if (bits(letters & ~lettersOf(other)) + bits(others & ~othersOf(other)) >= least) continue;
    const d = ruler.distance(wanted, other, least);
    if (d < least) [best, least] = [candidate, d];
    if (least === 0) break;
  }
  return best;
}

/** Which letters a word has, a bit for each. */
function lettersOf(word: string): number {
  let found = 0;
  for (let i = 0; i < word.length; i += 1) if (word.charCodeAt(i) > 96) found |= 1 << (word.charCodeAt(i) & 31);
  return found;
}

/** Which digits and signs a word has; some of them share a bit. */
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

/** Counts edits between words; its rows are used again and again. */
class Ruler {
  private rows = [new Int32Array(256), new Int32Array(256), new Int32Array(256)] as [Int32Array, Int32Array, Int32Array];

  /** Edits, a swap of neighbours counting as one (optimal string alignment); `most` where they are so many or more. */
  distance(a: string, b: string, most: number): number {
    let [before, last, row] = this.rows;
    for (let j = 0; j <= b.length; j += 1) last[j] = j;
    for (let i = 1; i <= a.length; i += 1) {
      // Farther from the diagonal are more edits than that.
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
