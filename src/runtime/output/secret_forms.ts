import { leastSecret } from '../../dsl/recipe/inputs.js';
import { plainText } from '../../linux/plain_text.js';

/** A character of a secret, or a sequence of the same character, in all its encodings, longest first. */
export type Unit = readonly string[];

/** A part of a secret to search for. */
export interface Form {
  readonly units: readonly Unit[];
  /** Whether a line break may occur between any two units. */
  readonly wraps: boolean;
}

/** The number of characters at the start of a form by which it is found. No form is shorter. */
export const startLength = 4;

/**
 * The forms in which a secret may appear: each of its lines unchanged, quoted for shells, escaped as in JSON,
 * percent-encoded, and its base64 at any offset in the encoded text. Long secrets are split into parts of at least
 * {@link stretch} units.
 */
export function formsOf(secret: string): Form[] {
  const text = secret.trim().slice(0, longestSecret);
  const forms: Form[] = [];
  // Control characters are removed from text before it is logged.
  for (const variant of new Set([text, plainText(text)])) {
    const lines = variant.split(/[\r\n]+/).map((line) => line.trim());
    const whole = variant.replaceAll('\r\n', '\n');
    for (const line of new Set([...lines, whole])) if (line.length >= leastSecret) forms.push(...stretches(unitsOf(line), false));
  }
  if (text.length >= leastSecret) for (const shift of [0, 1, 2]) forms.push(...stretches(base64Units(text, shift), true));
  return forms;
}

/** Only this many characters of a longer secret are searched for. */
const longestSecret = 65_536;

/** The minimum number of units in a part of a long secret; the maximum is {@link longestForm}. */
const stretch = 24;
export const longestForm = 2 * stretch;

function stretches(units: readonly Unit[], wraps: boolean): Form[] {
  const count = Math.max(1, Math.floor(units.length / stretch));
  const size = Math.ceil(units.length / count);
  return Array.from({ length: count }, (_, i) => ({ units: units.slice(i * size, (i + 1) * size), wraps })).filter((form) => form.units.length > 0);
}

/** Letters and digits are written in one way only. In a sequence of one other character, all are encoded the same way. */
function unitsOf(line: string): Unit[] {
  return [...line.matchAll(/[A-Za-z0-9]|([^A-Za-z0-9])\1{0,7}/gu)].map(([run, c]) => {
    const unit = made.get(run) ?? (c === undefined ? [run] : waysOf(c, run.length / c.length));
    made.set(run, unit);
    return unit;
  });
}

/** Cache of units, so that equal units share one object. */
const made = new Map<string, Unit>();

function waysOf(c: string, count: number): Unit {
  const bytes = [...Buffer.from(c)];
  const code = c.codePointAt(0) ?? 0;
  const hex = (n: number, digits: number) => n.toString(16).padStart(digits, '0');
  const either = (text: string) => [text, text.replace(/[a-f]/g, (digit) => digit.toUpperCase())];
  // Each backslash doubles every time a program escapes the text again.
  const escaped = (of: string) => ['\\', '\\\\', '\\\\\\\\'].map((slashes) => of.replaceAll('\\', slashes));
  const one = [
    ...(c === '\\' ? escaped(c) : ['', '\\', '\\\\', '\\\\\\'].map((slashes) => slashes + c)),
    ...either(bytes.map((byte) => `%${hex(byte, 2)}`).join('')),
    ...either(bytes.map((byte) => `\\x${hex(byte, 2)}`).join('')).flatMap(escaped),
    ...either(Array.from(c.split(''), (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`).join('')).flatMap(escaped),
    ...escaped(bytes.map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')),
    ...(code > 0x7f && code < 0x100 ? escaped(`\\x${hex(code, 2)}`) : []),
    ...(code > 0xffff ? escaped(`\\U${hex(code, 8)}`) : []),
    ...(named[c] ?? []).flatMap(escaped),
    ...(c === ' ' ? ['+'] : []),
    ...(c === "'" ? ["'\\''", "'\\\\''", `'"'"'`, `'\\"'\\"'`] : []),
    ...(c === "'" || c === '"' ? [c + c] : []),
  ];
  // A shell that expands a variable without quotes turns any white space into one space.
  const shorter = /\s/.test(c) ? [' ', ...Array.from({ length: count - 1 }, (_, i) => c.repeat(i + 1))] : [];
  return [...new Set([...one.map((way) => way.repeat(count)), ...shorter])].sort((a, b) => b.length - a.length);
}

/** Escapes with a name. Source: bash(1), QUOTING; RFC 8259, section 7. */
const named: Readonly<Record<string, readonly string[]>> = {
  '\n': ['\\n'],
  '\t': ['\\t'],
  '\r': ['\\r'],
  '\b': ['\\b'],
  '\f': ['\\f'],
  '\v': ['\\v'],
  '\u0007': ['\\a'],
  '\u001b': ['\\e', '\\E'],
};

/**
 * The base64 of a text that begins `shift` bytes (0 to 2) after a multiple of three: the characters that only the text
 * determines. At its ends, every character that the neighboring bytes allow.
 */
function base64Units(text: string, shift: number): Unit[] {
  const bytes = Buffer.from(text);
  const beside = (fill: number) => Buffer.concat([Buffer.alloc(shift, fill), bytes, Buffer.alloc(3, fill)]).toString('base64');
  const [low, high] = [beside(0x00), beside(0xff)];
  const units: Unit[] = [];
  for (let i = Math.floor((shift * 8) / 6); i * 6 < (shift + bytes.length) * 8; i += 1) {
    const value = alphabet.indexOf(low.charAt(i));
    const open = value ^ alphabet.indexOf(high.charAt(i));
    units.push(open === 0 ? (decided[value] as Unit) : oneOf(open, value | open));
  }
  return [...units, padding];
}

function oneOf(open: number, most: number): Unit {
  const key = `${open} of ${most}`;
  const unit = made.get(key) ?? decided.filter((_, other) => (other | open) === most).flat();
  made.set(key, unit);
  return unit;
}

const padding: Unit = ['%3D%3D', '%3d%3d', '%3D', '%3d', '==', '=', ''];

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** The encodings of each character: base64 for URLs, percent-encoded in URLs, and in JSON as written by PHP. Source: RFC 4648, section 5. */
const decided: readonly Unit[] = [...alphabet].map((c) => (c === '+' ? ['%2B', '%2b', '+', '-'] : c === '/' ? ['%2F', '%2f', '\\/', '/', '_'] : [c]));

/** All possible first {@link startLength} characters of a form. */
export function startsOf({ units, wraps }: Form): Set<string> {
  const starts = new Set<string>();
  const grow = (text: string, next: number) => {
    if (text.length >= startLength) starts.add(text.slice(0, startLength));
    else for (const way of units[next] ?? []) grow(text + way, next + 1);
  };
  grow('', 0);
  if (wraps) for (const start of [...starts]) for (const at of [1, 2, 3]) starts.add(`${start.slice(0, at)}\n${start.slice(at, -1)}`);
  return starts;
}
