/** A quote or bracket without its counterpart. */
export interface Unclosed {
  readonly message: string;
  readonly start: number;
  readonly end: number;
  readonly help?: string | undefined;
}

/** Longer texts are not searched for the cause of an error. */
const longestText = 200_000;

const closers: Readonly<Record<string, string>> = { '{': '}', '[': ']' };

/** The quote or bracket that causes a YAML error at an offset: it is unclosed there, closed by the wrong one, or too many. */
export function unclosedIn(text: string, error: number): Unclosed | undefined {
  if (text.length > longestText) return undefined;
  const open: number[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at] as string;
    const begins = /["'{[|>]/.test(char) && beginsValue(text, at, open.length > 0);
    if (char === '#' && /^$|\s/.test(text[at - 1] ?? '')) at = lineEnd(text, at);
    else if (begins && (char === '|' || char === '>') && open.length === 0) at = blockEnd(text, at);
    else if (begins && (char === '"' || char === "'")) {
      const end = quoteEnd(text, at);
      const sameLine = end <= lineEnd(text, at);
      if (end > error && !sameLine) return unclosed(text, at);
      if (!sameLine && /^[^\S\n]*[\w-]+:\s/m.test(text.slice(lineEnd(text, at) + 1, end)) && error <= end + 80) return unclosed(text, at);
      if (error === end + 1 && open.length > 0 && /["']/.test(text[error] ?? ''))
        return { message: 'a comma is missing before this', start: error, end: error + 1, help: 'write , between the entries' };
      if (error >= end && error <= end + 1 && /\S/.test(text[error] ?? '') && !/[,\]}:#]/.test(text[error] ?? '')) return textBehindQuote(text, at, end);
      at = end;
    } else if (char in closers && (begins || open.length > 0)) {
      open.push(at);
      at += 1;
    } else if (char === '}' || char === ']') {
      const opened = open.pop();
      if (opened === undefined && at === error) return { message: `there is one ${char} too many`, start: at, end: at + 1, help: 'remove it' };
      if (opened !== undefined && closers[text[opened] as string] !== char) return wronglyClosed(text, opened, at);
      at += 1;
    } else if (char === '\n' && open.length > 0 && at >= error - 1 - indentAt(text, at + 1)) return unclosed(text, open.at(-1) as number);
    else at += 1;
  }
  return open.length > 0 ? unclosed(text, open.at(-1) as number) : undefined;
}

function unclosed(text: string, start: number): Unclosed {
  const char = text[start] as string;
  return { message: `this ${char} is never closed`, start, end: start + 1, help: `add ${closers[char] ?? char}` };
}

function wronglyClosed(text: string, opened: number, at: number): Unclosed {
  const [opener, closer] = [text[opened] as string, text[at] as string];
  return { message: `this ${opener} is closed by ${closer}`, start: opened, end: opened + 1, help: `add ${closers[opener]} before the ${closer}` };
}

function textBehindQuote(text: string, start: number, end: number): Unclosed {
  const char = text[start] as string;
  const help =
    char === "'" ? "write '' for an apostrophe inside single quotes, or use double quotes" : 'write \\" for a quote inside double quotes, or use single quotes';
  return { message: `this ${char} ends the text, and more text follows`, start: end - 1, end, help };
}

/** Whether a value can begin at an offset: after `key: `, `- `, or in a list or map on one line. */
function beginsValue(text: string, at: number, isFlow: boolean): boolean {
  const before = text.slice(Math.max(0, at - 200), at).replace(/^.*\n/s, '');
  return /(^|: +|- +)$/.test(before) || /^\s*$/.test(before) || (isFlow && /[[{,]\s*$/.test(before));
}

function quoteEnd(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at += 1) {
    if (quote === '"' && text[at] === '\\') at += 1;
    else if (text[at] === quote) {
      if (quote === '"' || text[at + 1] !== "'") return at + 1;
      at += 1;
    }
  }
  return text.length + 1;
}

/** The end of the lines that are indented more than the line of a block scalar's `|`. */
function blockEnd(text: string, start: number): number {
  const indent = indentAt(text, text.lastIndexOf('\n', start) + 1);
  let end = lineEnd(text, start);
  while (end < text.length) {
    const next = lineEnd(text, end + 1);
    if (text.slice(end + 1, next).trim() !== '' && indentAt(text, end + 1) <= indent) break;
    end = next;
  }
  return end;
}

function indentAt(text: string, lineStart: number): number {
  let at = lineStart;
  while (text[at] === ' ') at += 1;
  return at - lineStart;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}
