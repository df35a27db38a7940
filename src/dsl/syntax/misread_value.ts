import { type Found, type Line, quoted } from './yaml_line.js';

/** A text behind a key, or behind a dash, that YAML does not read as text because of its first characters. */
interface Written {
  readonly key: string | undefined;
  /** The text without a comment, and where it begins. */
  readonly text: string;
  readonly start: number;
}

/** What YAML reads in the value of a line that is meant as text, such as `run: [ -f x ] && make`. */
export function misreadValue(line: Line): Found | undefined {
  const [, before = '', key, value] = /^( *(?:- +)*(?:([\w-][\w .-]{0,80}):[ \t]+)?)(\S.*)$/.exec(line.text) ?? [];
  if (value === undefined || before.trim() === '') return undefined;
  const written = { key, text: value.replace(/\s+#.*$/, ''), start: line.at(before.length) };
  return inBrackets(written) ?? behindIndicator(written) ?? behindQuote(written) ?? wordOfYaml(written);
}

/** `[ -f x ] && make`, `{ echo a; echo b; } > log`. */
function inBrackets({ key, text, start }: Written): Found | undefined {
  const [open = ''] = text;
  if (!/[[{]/.test(open) || text.startsWith('{{')) return undefined;
  const end = bracketEnd(text);
  const rest = text.slice(end).trim();
  if (end < 0 || /^[,\]}:#]/.test(rest) || (rest === '' && !scriptKeys.has(key ?? ''))) return undefined;
  const what = open === '[' ? 'a list' : 'a map';
  const message = rest === '' ? `"${open}" begins ${what} in YAML` : `"${open}" begins ${what}, and text follows its end`;
  const help = listKeys.has(key ?? '') ? `remove the text after "${text[end - 1]}"` : `quote the text: ${quoted(text)}`;
  return { message, start, end: start + text.length, help };
}

/** The offset after the bracket that closes the first one; -1 if none does. */
function bracketEnd(text: string): number {
  let depth = 0;
  for (const { index, 0: char } of text.matchAll(/"[^"]*"|'[^']*'|[[\]{}]/g)) {
    if (/[[{]/.test(char)) depth += 1;
    else if (/[\]}]/.test(char)) depth -= 1;
    if (depth === 0) return index + char.length;
  }
  return -1;
}

/** `| echo hi`, `|bash`, `> log`. */
function behindIndicator({ key, text, start }: Written): Found | undefined {
  const [, indicator, space, rest] = /^([|>])[+-]?\d?[+-]?(\s*)(\S.*)$/.exec(text) ?? [];
  if (indicator === undefined || rest === undefined) return undefined;
  const message = `"${indicator}" begins a text on the next lines, and this line goes on after it`;
  const plain = `write ${key === undefined ? '' : `${key}: `}${/: |^\W| #/.test(rest) ? quoted(rest) : rest}`;
  const others = text.startsWith('> ') ? `, or quote a redirection: ${quoted(text)}` : ', or begin the text on the next line, indented';
  return { message, start, end: start + text.length, help: space === '' ? `quote the text: ${quoted(text)}` : `${plain}${others}` };
}

/** `"a" && b`, `'it's'`. */
function behindQuote({ text, start }: Written): Found | undefined {
  const [, first] = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')/.exec(text) ?? [];
  const rest = text.slice(first?.length);
  if (first === undefined || /^\s*($|[,\]}:#])/.test(rest)) return undefined;
  const quote = first[0] as string;
  const inner = !/^\s/.test(rest) && text.endsWith(quote) && !text.includes('\\') ? text.slice(1, -1) : text;
  const end = start + first.length;
  return { message: `this ${quote} ends the text, and more text follows`, start: end - 1, end, help: `write ${quoted(inner)}` };
}

/** `- echo hi`, `: x`, `? x`, `*.deb x`. */
function wordOfYaml({ key, text, start }: Written): Found | undefined {
  const end = start + text.length;
  const [, item] = /^-\s+(.*)$/.exec(text) ?? [];
  if (item !== undefined && key !== undefined) {
    const help = listKeys.has(key) ? `write ${key}: [${item}]` : `write ${quoted(item)}`;
    return { message: '"-" begins a list item, which cannot be on the line of its key', start, end, help };
  }
  const help = `quote the text: ${quoted(text)}`;
  if (/^[:?](\s|$)/.test(text)) return { message: `a value cannot begin with "${text[0]} "`, start, end, help };
  return /^\*\S+\s+[^:\s]/.test(text) ? { message: '"*" begins an alias, and text follows it', start, end, help } : undefined;
}

/** Keys whose value is a script, or a list. */
const scriptKeys = new Set(['run', 'sh']);
const listKeys = new Set(['needs', 'before', 'sources', 'generates', 'status', 'locks', 'goals', 'shell', 'preconditions', 'enum']);
