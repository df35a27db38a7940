const one = Symbol('any character');
const many = Symbol('any characters');
type Part = string | typeof one | typeof many;

/**
 * Compiles the value of a filter: `*` matches any characters and `?` matches one. After a backslash, `*`, `?` and the
 * backslash match themselves. The number of steps is at most the length of the text times that of the pattern.
 * Source: EC2 User Guide, "List and filter using the CLI and API".
 */
export function wildcard(pattern: string): (text: string) => boolean {
  const parts = partsOf(pattern);
  const least = parts.filter((part) => part !== many).length;
  return (text) => {
    const characters = [...text];
    return characters.length >= least && matches(characters, parts);
  };
}

function partsOf(pattern: string): Part[] {
  return [...pattern.matchAll(/\\([*?\\])|./gsu)].map(([whole, escaped]) => escaped ?? (whole === '*' ? many : whole === '?' ? one : whole));
}

/** On a mismatch, only the last `*` is retried: an earlier one would find nothing else. */
function matches(text: readonly string[], parts: readonly Part[]): boolean {
  let [at, part, star, from] = [0, 0, -1, 0];
  while (at < text.length) {
    const wanted = parts[part];
    if (wanted === many) {
      star = part;
      from = at;
      part += 1;
    } else if (wanted === one || wanted === text[at]) {
      at += 1;
      part += 1;
    } else if (star >= 0) {
      from += 1;
      at = from;
      part = star + 1;
    } else return false;
  }
  return parts.slice(part).every((rest) => rest === many);
}
