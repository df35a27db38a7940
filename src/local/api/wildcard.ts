const one = Symbol('any character');
const many = Symbol('any characters');
type Part = string | typeof one | typeof many;

/**
 * Makes the test that a filter's value is: `*` stands for any characters and `?` for one; after a backslash `*`, `?` and
 * the backslash stand for themselves. Never takes more steps than the text is long times the pattern.
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

/** Where the text and the pattern part, only the last `*` is tried again: an earlier one would find nothing that it does not. */
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
