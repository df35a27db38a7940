import { vocabularies } from './vocabularies.js';

/** A hint for an unknown word among those known: another tool's name for one of them, a near miss, or the list. */
export function hintFor(word: string, known: readonly string[]): string | undefined {
  const foreign = foreignWord(word, known);
  if (foreign !== undefined) return foreign;
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (known.length === 0) return undefined;
  const distances = new Map(known.map((candidate) => [candidate, distance(word, candidate)]));
  const sorted = [...known].sort((a, b) => (distances.get(a) ?? 0) - (distances.get(b) ?? 0));
  return `known here: ${sorted.slice(0, 8).join(', ')}${sorted.length > 8 ? ', …' : ''}`;
}

function foreignWord(word: string, known: readonly string[]): string | undefined {
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
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase());
    if (d < least && d < word.length) [best, least] = [candidate, d];
  }
  return best;
}

/** Edits between two words, a swap of neighbours counting as one (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, (before[j - 2] ?? 0) + 1);
      row.push(d);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
