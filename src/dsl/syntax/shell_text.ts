/**
 * A script with everything the shell does not interpret replaced by spaces: comments, text in single quotes, quoted
 * characters, and what follows a here-document. Words in double quotes stay, but the typographic characters in them
 * are replaced, since there they are text. Every character keeps its place.
 */
export function activeText(script: string): string {
  const out = [...script.split('')];
  const blank = (from: number, until: number) => {
    for (let at = from; at < until; at += 1) if (out[at] !== '\n') out[at] = ' ';
  };
  let inDouble = false;
  for (let at = 0; at < script.length; at += 1) {
    const char = script[at];
    if (char === '\\') {
      at += 1;
      blank(at - 1, Math.min(script.length, at + 1));
    } else if (char === '"') inDouble = !inDouble;
    else if (inDouble) {
      if (/[\u2010-\u201f]/.test(char ?? '')) blank(at, at + 1);
    } else if (char === "'") {
      const end = script.indexOf("'", at + 1);
      const until = end < 0 ? script.length : end + 1;
      blank(at, until);
      at = until - 1;
    } else if (char === '#' && /^$|[\s;(]/.test(script[at - 1] ?? '')) {
      const end = script.indexOf('\n', at);
      blank(at, end < 0 ? script.length : end);
      at = (end < 0 ? script.length : end) - 1;
    } else if (char === '<' && script[at + 1] === '<') {
      // Finding its end takes a parser, so what follows is not checked.
      blank(at, script.length);
      break;
    }
  }
  return out.join('');
}
