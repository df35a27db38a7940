import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { type ParsedDocument, pointerStep } from './document.js';
import { type Source, type Span, unixText } from './source.js';

const nameOf = /[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=/y;
// Lines end by LF alone: `.` would stop at a lone CR, and at U+2028.
const valueOf = /[ \t]*'([^']*)'|[ \t]*"([^"\\]*(?:\\[\s\S][^"\\]*)*)"|(?![ \t]*['"])([^\n]*)/y;
const endOf = /(?:[ \t]+#[^\n]*|[ \t]*)(?:\n|$)/y;
const nothing = /[ \t]*(?:#[^\n]*)?(?:\n|$)/y;

/**
 * Reads a dotenv file: lines `NAME=value`, which set the input `name`. Single quotes contain literal text; double quotes allow
 * `\n \r \t \" \\ \$`; both may span several lines. Without quotes a value ends before a space and `#`. Nothing is
 * expanded. Values are texts. Diagnostics name lines but never show them, since they may contain secrets.
 */
export function parseDotenv(source: Source): { document: ParsedDocument; diagnostics: Diagnostic[] } {
  const text = unixText(source.text);
  const hidden = { ...source, text, isPrivate: true };
  const diagnostics: Diagnostic[] = [];
  const values = new Map<string, string>();
  const lines = new Map<string, Span>();
  let at = 0;
  const next = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return null;
    at = pattern.lastIndex;
    return match;
  };
  while (at < text.length) {
    const span = { source: hidden, start: at, end: at };
    const report = (message: string, help: string, code: Diagnostic['code'] = 'inputs-file') => diagnostics.push({ code, message, span, help });
    if (next(nothing) !== null) continue;
    const name = next(nameOf)?.[1]?.toLowerCase();
    if (name === undefined) report('this line is not NAME=value', "put a value of several lines into quotes: NAME='…'");
    else if (values.has(name)) report('this line sets the same input as an earlier line', 'remove one of them', 'duplicate-key');
    const value = name === undefined ? undefined : next(valueOf);
    if (value === null) {
      report('the quote that begins on this line is never closed', 'put a value that contains \' into ", and one that contains " into \'');
      break;
    }
    if (name !== undefined && value !== undefined) {
      const [, raw, escaped, plain = ''] = value;
      values.set(name, raw ?? (escaped === undefined ? plain.replace(/[ \t]#[^\n]*$/, '').trim() : unescaped(escaped)));
      lines.set(pointerStep(name), span);
      if (next(endOf) !== null) continue;
      report('text follows the closing quote on this line', 'quote the whole value, or put a space before a comment');
    }
    next(/[^\n]*(?:\n|$)/y);
  }
  const spanOf = (pointer: string) => lines.get(pointer) ?? { source: hidden, start: 0, end: 0 };
  return {
    document: {
      source: hidden,
      value: Object.fromEntries(values),
      size: values.size,
      spanOf,
      keySpanOf: spanOf,
      spanInside: spanOf,
      writtenAt: () => undefined,
    },
    diagnostics,
  };
}

function unescaped(text: string): string {
  const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };
  return text.replace(/\\(.)/gs, (whole, letter: string) => letters[letter] ?? whole);
}
