import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar } from 'yaml';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { errorsOf, tooDeep } from './document_errors.js';
import { foreignFile } from './foreign_file.js';
import { limits, limitText } from './limits.js';
import { firstCharacterOf, type Source, type Span } from './source.js';
import { sourceOffsets } from './source_offsets.js';
import { firstDocuments } from './yaml_documents.js';

/** YAML as plain values, with the place of each. */
export interface ParsedDocument {
  readonly source: Source;
  /** Maps, lists, strings, numbers, booleans and null. */
  readonly value: unknown;
  /** How many values it has, including itself. */
  readonly size: number;
  /** The place of the value at a JSON pointer, e.g. `/tasks/root/with`; if it does not exist, that of the nearest value above. */
  spanOf(pointer: string): Span;
  /** The place of the key at a JSON pointer; for items of lists, that of the value. */
  keySpanOf(pointer: string): Span;
  /** The place of a part of the string at a JSON pointer; offsets count characters of the string. */
  spanInside(pointer: string, start: number, end: number): Span;
  /** The text of the scalar at a JSON pointer as written, e.g. `0755`. */
  writtenAt(pointer: string): string | undefined;
}

/** A step of a JSON pointer, escaped as RFC 6901 says. */
export function pointerStep(key: string | number): string {
  return `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** The value at a pointer, and the places inside it by the next step. */
interface Place {
  readonly key?: Node | undefined;
  value: Node | null;
  readonly inside: Map<string, Place>;
}

/**
 * Parses YAML 1.2 strictly: warnings are errors, there is one document, no merge keys, no tags.
 * @param most maximum number of values.
 */
export function parseDocument(source: Source, most: number = limits.values): { document?: ParsedDocument; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const parsed = firstDocuments(source.text);
  if (parsed === undefined) {
    const message = `a recipe has at most ${limitText(limits.tokens)} tokens of YAML`;
    return { diagnostics: [{ code: 'limit', message, span: firstCharacterOf(source) }] };
  }
  const doc = parsed[0];
  const foreign = foreignFile(source);
  if (foreign !== undefined) return { diagnostics: [foreign] };
  if (doc === undefined) {
    return { diagnostics: [{ code: 'yaml', message: 'the recipe is empty', span: firstCharacterOf(source), help: 'begin with "version: 1"' }] };
  }
  diagnostics.push(...errorsOf(source, doc, parsed[1]));
  if (diagnostics.length > 0) return { diagnostics };

  const root: Place = { value: null, inside: new Map() };
  const walker = new Walker(source, diagnostics, most);
  const value = walker.value(doc.contents, root);
  if (diagnostics.some((d) => d.code !== 'unquoted')) return { diagnostics };

  const nearest = (pointer: string): Place => {
    let place = root;
    for (const step of pointer.split('/').slice(1)) {
      const next = place.inside.get(step);
      if (next === undefined) break;
      place = next;
    }
    return place;
  };
  const span = (node: Node | null | undefined): Span => {
    const range = node?.range;
    return range ? { source, start: range[0], end: Math.max(range[1], range[0] + 1) } : firstCharacterOf(source);
  };
  // The offsets of a long script with many references are computed once.
  const offsetsOf = new Map<Node, number[]>();
  const document: ParsedDocument = {
    source,
    value,
    size: walker.size,
    spanOf: (pointer) => {
      const place = nearest(pointer);
      return span(place.value?.range ? place.value : place.key);
    },
    keySpanOf: (pointer) => {
      const place = nearest(pointer);
      return span(place.key ?? place.value);
    },
    spanInside: (pointer, start, end) => {
      const node = nearest(pointer).value;
      if (!isScalar(node) || typeof node.value !== 'string') return span(node);
      const offsets = offsetsOf.get(node) ?? sourceOffsets(source, node as Scalar<string>);
      offsetsOf.set(node, offsets);
      const first = offsets[start] ?? offsets.at(-1) ?? 0;
      const last = offsets[Math.max(start, end - 1)] ?? first;
      return { source, start: first, end: last + 1 };
    },
    writtenAt: (pointer) => {
      const { value } = nearest(pointer);
      const node = isAlias(value) ? walker.targets.get(value) : value;
      return isScalar(node) ? node.source : undefined;
    },
  };
  return { document, diagnostics };
}

class Walker {
  size = 0;
  private depth = 0;
  private readonly open = new Set<Node>();
  private readonly anchors = new Map<string, Node>();
  /** The target of each alias. */
  readonly targets = new Map<Alias, Node>();

  constructor(
    private readonly source: Source,
    private readonly diagnostics: Diagnostic[],
    private readonly most: number,
  ) {}

  value(node: Node | null, place: Place): unknown {
    this.size += 1;
    if (this.size > this.most) {
      const help = 'an alias counts as all values that it repeats';
      if (this.size === this.most + 1) this.report(`a recipe and its libraries have at most ${limitText(limits.values)} values`, node, help, 'limit');
      return null;
    }
    if (isAlias(node)) return this.alias(node, place);
    place.value = node;
    if (node === null) return null;
    // If two anchors have one name, an alias means the last one before it. What an alias repeats was visited before.
    if (node.anchor !== undefined && !this.anchored.has(node)) this.anchor(node.anchor, node);
    this.anchored.add(node);
    if (node.tag !== undefined && !coreTags.test(node.tag)) return this.tagged(node);
    if (isScalar(node)) return this.scalar(node);
    if (this.open.has(node)) {
      this.report('an alias cannot be inside its own anchor', node, 'write the values instead of the alias');
      return null;
    }
    if (this.depth === limits.depth) {
      this.report(tooDeep, node, undefined, 'limit');
      return null;
    }
    this.open.add(node);
    this.depth += 1;
    try {
      if (isSeq(node)) return node.items.map((item, i) => this.value(item as Node, this.below(place, i)));
      if (isMap(node)) return this.map(node.items as Pair<Node, Node | null>[], place, node);
      this.report('this value cannot be part of a recipe', node);
      return null;
    } finally {
      this.depth -= 1;
      this.open.delete(node);
    }
  }

  private readonly anchored = new Set<Node>();

  private below(place: Place, step: string | number, key?: Node): Place {
    const inner: Place = { key, value: null, inside: new Map() };
    place.inside.set(pointerStep(step).slice(1), inner);
    return inner;
  }

  private alias(node: Alias, place: Place): unknown {
    const target = this.targets.get(node) ?? this.anchors.get(node.source);
    if (target === undefined) {
      const isPattern = !/^[\w-]+$/.test(node.source);
      const help = isPattern ? `quote the text: "*${node.source}"` : `define it before this line: &${node.source} VALUE`;
      this.report(`"*" begins an alias, and there is no anchor &${node.source}`, node, help);
      return null;
    }
    this.targets.set(node, target);
    if (this.open.has(target)) {
      this.report('an alias cannot be inside its own anchor', node, 'write the values instead of the alias');
      return null;
    }
    const value = this.value(target, place);
    place.value = node;
    return value;
  }

  private anchor(name: string, node: Node): void {
    this.anchors.set(name, node);
    if (/^[\w-]+$/.test(name)) return;
    this.report(
      `"&" begins an anchor, and "${name}" cannot be the name of one`,
      node,
      `quote the text: "&${name} ${this.source.text.slice(...(node.range ?? [0, 0]).slice(0, 2)).trim()}"`,
    );
  }

  /** YAML would drop the `!` of `run: ! grep …`, which then does the opposite. */
  private tagged(node: Node): null {
    const [start, end] = node.range ?? [0, 1];
    const tag = this.source.text.lastIndexOf('!', start - 1);
    const text = this.source.text.slice(node.tag === '!' ? tag : start, end).trim();
    const span = { source: this.source, start: tag, end };
    const help = isScalar(node) ? `quote the text: ${JSON.stringify(text)}` : 'remove the tag';
    this.diagnostics.push({ code: 'yaml', message: '"!" begins a tag, and recipes have no tags', span, help });
    return null;
  }

  private scalar(node: Scalar): unknown {
    if (typeof node.value === 'bigint') return Number(node.value);
    if (node.type === 'PLAIN' && typeof node.value === 'string') this.plainText(node.value, node);
    return node.value;
  }

  /** Characters that look like YAML's own and are part of the text. */
  private plainText(text: string, node: Node): void {
    if (/^\s*[\w-]+:[\u00a0\u2007\u202f]/.test(text)) this.report('a no-break space follows the colon, so this is text', node, 'replace it with a space');
    const [, inner] = /^[\u201c\u201d\u201e]([^"\n]*)[\u201c\u201d]$/.exec(text) ?? [];
    if (inner !== undefined) this.report('typographic quotes are part of the text', node, `write "${inner}"`);
  }

  private map(pairs: readonly Pair<Node, Node | null>[], place: Place, node: Node): unknown {
    const out: Record<string, unknown> = {};
    for (const { key, value } of pairs) {
      if (isMap(key) || isSeq(key)) {
        this.unquoted(node);
        return unquotedTemplate;
      }
      if (isAlias(key)) {
        this.report('a key must be text, not an alias', key);
        continue;
      }
      if (key?.anchor !== undefined) this.anchor(key.anchor, key);
      const name = isScalar(key) ? String(key.value) : '';
      if (/^[\u00a0\u2007\u202f]/.test(name)) {
        this.report('this line is indented with no-break spaces', key, 'replace them with spaces');
        continue;
      }
      if (name === '<<') {
        this.report('merge keys (<<) are not supported', key, 'share values with "defaults", "vars" or "includes"', 'merge-key');
        continue;
      }
      if (name.length > limits.key) {
        this.report(`a key has at most ${limitText(limits.key)} characters`, key, undefined, 'limit');
        continue;
      }
      if (Object.hasOwn(out, name)) this.duplicate(name, key, place);
      // Defined, not assigned: a key called __proto__ is an ordinary (and then unknown) key.
      Object.defineProperty(out, name, {
        value: this.value(value, this.below(place, name, key)),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return out;
  }

  private duplicate(name: string, key: Node | null, place: Place): void {
    const [[start, end], first] = [key?.range ?? [0, 1], place.inside.get(pointerStep(name).slice(1))?.key?.range];
    const notes = first ? [{ message: 'first defined here', span: { source: this.source, start: first[0], end: first[1] } }] : [];
    this.diagnostics.push({
      code: 'duplicate-key',
      message: `duplicate key "${name}"`,
      span: { source: this.source, start, end },
      notes,
      help: 'rename or remove one of them',
    });
  }

  private unquoted(node: Node): void {
    const [start, end] = node.range ?? [0, 1];
    const written = this.source.text.slice(start, end).trim();
    this.diagnostics.push({
      code: 'unquoted',
      message: 'a value that begins with "{{" must be quoted; YAML reads it as a map',
      span: { source: this.source, start, end: start + written.length },
      help: `write "${written}"`,
    });
  }

  private report(message: string, node: Node | null, help?: string, code: Diagnostic['code'] = 'yaml'): void {
    const [start, end] = node?.range ?? [0, 1];
    this.diagnostics.push({ code, message, span: { source: this.source, start, end }, help });
  }
}

/** Tags that only repeat what a value is anyway. */
const coreTags = /^tag:yaml\.org,2002:(?:str|int|float|bool|null|map|seq)$/;

/** Replaces an unquoted `{{ x }}`, so that the same place is not reported twice. */
const unquotedTemplate = '{{ run.id }}';
