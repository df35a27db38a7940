import { leastSecret } from '../../dsl/recipe/inputs.js';
import { policy } from '../engine/policy.js';
import { type Ends, FormTree } from './form_tree.js';
import { type Form, formsOf, startLength, startsOf } from './secret_forms.js';

/**
 * Removes the secrets of a run from text. Text is read once, however many secrets there are: a table shows for every
 * four characters whether a secret can begin with them.
 */
export class Redactor {
  private readonly known = new Set<string>();
  /** Forms that do not wrap, and forms that do. */
  private readonly byStart = [new Map<string, FormTree>(), new Map<string, FormTree>()] as const;
  private starts: Uint8Array | undefined;

  /** Whether there are any secrets to remove. */
  get isNeeded(): boolean {
    return this.starts !== undefined;
  }

  /** Registers a value, or the values inside it, in all its forms (see {@link formsOf}). Ignores values that are too short to be secret. */
  add(value: unknown): void {
    if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) this.add(inner);
      return;
    }
    const text = value === null || value === undefined || typeof value === 'boolean' ? '' : String(value);
    if (text.length < leastSecret || this.known.has(text)) return;
    this.known.add(text);
    for (const form of formsOf(text)) for (const start of startsOf(form)) this.look(start, form);
  }

  private look(start: string, form: Form): void {
    this.starts ??= new Uint8Array(hashes);
    let hash = 0;
    for (let i = 0; i < startLength; i += 1) hash = step(hash, start.charCodeAt(i));
    this.starts[hash] = 1;
    const byStart = this.byStart[form.wraps ? 1 : 0];
    const tree = byStart.get(start) ?? new FormTree(form.wraps);
    byStart.set(start, tree);
    tree.add(form);
  }

  /** Replaces each secret by `***`, once for each line that it spans. */
  redact(text: string): string {
    let out = '';
    let done = 0;
    for (const { from, to } of this.found(text)) {
      const lines = text.slice(from, to).split('\n').length;
      out += `${text.slice(done, from)}***${'\n***'.repeat(lines - 1)}`;
      done = to;
    }
    return done === 0 ? text : out + text.slice(done);
  }

  /** The last position up to `at` where the text can be cut without cutting a secret. If a secret begins the text, its end. */
  cutBefore(text: string, at: number): number {
    const across = this.found(text).find(({ from, to }) => from < at && to > at);
    return across === undefined ? at : across.from > 0 ? across.from : across.to;
  }

  /** The positions of secrets. Those that overlap or touch are merged. */
  private found(text: string): { from: number; to: number }[] {
    const { starts } = this;
    const ends: Ends = new Map();
    const found: { from: number; to: number }[] = [];
    if (starts === undefined) return found;
    for (let i = 0, hash = 0; i < text.length; i += 1) {
      hash = step(hash, text.charCodeAt(i));
      if (starts[hash] === 0) continue;
      const at = i - startLength + 1;
      const end = this.longestAt(text, at, ends);
      if (end < 0) continue;
      const last = found.at(-1);
      if (last !== undefined && at <= last.to) last.to = Math.max(last.to, end);
      else found.push({ from: at, to: end });
    }
    return found;
  }

  /** The end of the longest secret that begins at a position; -1 when none does. */
  private longestAt(text: string, at: number, ends: Ends): number {
    if (at < 0) return -1;
    const start = text.slice(at, at + startLength);
    return Math.max(...this.byStart.map((byStart) => byStart.get(start)?.endIn(text, at, ends) ?? -1));
  }

  /** Removes secrets from a message, then cuts its lines to a readable length. In this order, because half a secret would not be recognized. */
  message(text: string): string {
    const cut = (line: string) => (line.length > policy.longestMessageLine ? `${line.slice(0, policy.longestMessageLine)}…` : line);
    return this.redact(text).split('\n').map(cut).join('\n');
  }

  /** Replaces each secret in the strings, names and numbers of a value by `***`. */
  redactValue<T>(value: T): T {
    if (!this.isNeeded) return value;
    if (typeof value === 'string') return this.redact(value) as T;
    if (typeof value === 'number') return (this.redact(String(value)) === String(value) ? value : '***') as T;
    if (Array.isArray(value)) return value.map((inner) => this.redactValue(inner)) as T;
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [this.redact(name), this.redactValue(inner)])) as T;
  }
}

/** A hash of the last four characters. Older characters have been shifted out. */
function step(hash: number, code: number): number {
  return ((hash << 5) ^ code) & (hashes - 1);
}
const hashes = 1 << (5 * startLength);
