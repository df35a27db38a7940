import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseAllDocuments, type Scalar } from 'yaml';
import type { Diagnostic } from './diagnostic.js';
import { type Source, type Span, startOf } from './source.js';

/** YAML turned into plain values, every one of which still knows its place. */
export interface ParsedDocument {
  readonly source: Source;
  /** Maps, lists, strings, numbers, booleans and null. */
  readonly value: unknown;
  /** The place of the value at a JSON pointer, e.g. `/tasks/root/with`; the nearest one above it where there is none. */
  spanOf(pointer: string): Span;
  /** The place of the key at a JSON pointer; of the value where there is no key (items of lists). */
  keySpanOf(pointer: string): Span;
  /** The place of a stretch of the string at a JSON pointer, counted in characters of the string. */
  spanInside(pointer: string, start: number, end: number): Span;
  /** The text of the scalar at a JSON pointer as written, e.g. `0755`. */
  writtenAt(pointer: string): string | undefined;
}

/** A step of a JSON pointer, escaped as RFC 6901 says. */
export function pointerStep(key: string | number): string {
  return `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

interface Place {
  readonly key?: Node | undefined;
  readonly value: Node | null;
}

// More nodes than any recipe has: stops documents that multiply themselves through aliases.
const mostNodes = 200_000;

/** Parses YAML 1.2 strictly: warnings are faults, there is one document, no merge keys, no tags. */
export function parseDocument(source: Source): { document?: ParsedDocument; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const parsed = parseAllDocuments(source.text, {
    version: '1.2',
    prettyErrors: false,
  });
  const doc = Array.isArray(parsed) ? parsed[0] : undefined;
  if (doc === undefined) {
    return { diagnostics: [{ code: 'yaml', message: 'the recipe is empty', span: startOf(source), help: 'begin with "version: 1"' }] };
  }
  for (const fault of [...doc.errors, ...doc.warnings]) {
    const [start, end] = fault.pos;
    const code = fault.code === 'DUPLICATE_KEY' ? 'duplicate-key' : 'yaml';
    diagnostics.push({ code, message: yamlMessage(fault.message), span: { source, start, end }, help: yamlHelp(source, start) });
  }
  if (parsed.length > 1) {
    const second = parsed[1]?.range[0] ?? 0;
    diagnostics.push({ code: 'yaml', message: 'a recipe is one YAML document, here a second one begins', span: { source, start: second, end: second + 3 } });
  }
  if (doc.directives?.yaml.explicit && doc.directives.yaml.version !== '1.2') {
    diagnostics.push({
      code: 'yaml',
      message: `recipes are YAML 1.2, not ${doc.directives.yaml.version}`,
      span: { source, start: 0, end: 5 },
      help: 'remove the %YAML line',
    });
  }
  if (diagnostics.length > 0) return { diagnostics };

  const places = new Map<string, Place>();
  const walker = new Walker(source, doc, places, diagnostics);
  const value = walker.value(doc.contents, '');
  if (diagnostics.some((d) => d.code !== 'unquoted')) return { diagnostics };

  const nearest = (pointer: string): Place => {
    for (let p = pointer; ; p = p.slice(0, p.lastIndexOf('/'))) {
      const place = places.get(p);
      if (place !== undefined) return place;
      if (p === '') return { value: doc.contents };
    }
  };
  const span = (node: Node | null | undefined): Span => {
    const range = node?.range;
    return range ? { source, start: range[0], end: Math.max(range[1], range[0] + 1) } : startOf(source);
  };
  // A long script with many references is walked once.
  const offsetsOf = new Map<Node, number[]>();
  const document: ParsedDocument = {
    source,
    value,
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
      const node = isAlias(value) ? value.resolve(doc) : value;
      return isScalar(node) ? node.source : undefined;
    },
  };
  return { document, diagnostics };
}

class Walker {
  private nodes = 0;
  private readonly open = new Set<Node>();

  constructor(
    private readonly source: Source,
    private readonly doc: Document.Parsed,
    private readonly places: Map<string, Place>,
    private readonly diagnostics: Diagnostic[],
  ) {}

  value(node: Node | null, pointer: string, key?: Node): unknown {
    this.nodes += 1;
    if (this.nodes > mostNodes) {
      if (this.nodes === mostNodes + 1) this.fault('the aliases of this document multiply without end', node);
      return null;
    }
    if (isAlias(node)) return this.alias(node, pointer, key);
    this.places.set(pointer, { key, value: node });
    if (node === null) return null;
    if (isScalar(node)) return this.scalar(node);
    if (this.open.has(node)) {
      this.fault('an alias may not stand inside its own anchor', node);
      return null;
    }
    this.open.add(node);
    try {
      if (isSeq(node)) return node.items.map((item, i) => this.value(item as Node, pointer + pointerStep(i)));
      if (isMap(node)) return this.map(node.items as Pair<Node, Node | null>[], pointer, node);
      this.fault('this is not a value a recipe can hold', node);
      return null;
    } finally {
      this.open.delete(node);
    }
  }

  private alias(node: Alias.Parsed | Alias, pointer: string, key?: Node): unknown {
    const target = node.resolve(this.doc);
    if (target === undefined) {
      this.fault(`there is no anchor &${node.source}`, node);
      return null;
    }
    if (this.open.has(target)) {
      this.fault('an alias may not stand inside its own anchor', node);
      return null;
    }
    const value = this.value(target as Node, pointer, key);
    this.places.set(pointer, { key, value: node as Node });
    return value;
  }

  private scalar(node: Scalar): unknown {
    if (typeof node.value === 'bigint') return Number(node.value);
    return node.value;
  }

  private map(pairs: readonly Pair<Node, Node | null>[], pointer: string, node: Node): unknown {
    const out: Record<string, unknown> = {};
    for (const pair of pairs) {
      if (isMap(pair.key) || isSeq(pair.key)) {
        this.unquoted(node);
        return unquotedTemplate;
      }
      const name = isScalar(pair.key) ? String(pair.key.value) : '';
      if (name === '<<') {
        this.fault('merge keys (<<) are not part of the language', pair.key, 'use "defaults" or "includes" to share', 'merge-key');
        continue;
      }
      // Defined, not assigned: a key called __proto__ is an ordinary (and then unknown) key.
      Object.defineProperty(out, name, {
        value: this.value(pair.value, pointer + pointerStep(name), pair.key),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return out;
  }

  private unquoted(node: Node): void {
    const [start, end] = node.range ?? [0, 1];
    const written = this.source.text.slice(start, end).trim();
    this.diagnostics.push({
      code: 'unquoted',
      message: 'a value that begins with "{{" must be quoted, else YAML reads it as a map',
      span: { source: this.source, start, end: start + written.length },
      help: `write "${written}"`,
    });
  }

  private fault(message: string, node: Node | null, help?: string, code: 'yaml' | 'merge-key' = 'yaml'): void {
    const [start, end] = node?.range ?? [0, 1];
    this.diagnostics.push({ code, message, span: { source: this.source, start, end }, help });
  }
}

/** Stands where an unquoted `{{ x }}` was, so that the same place is not blamed twice. */
const unquotedTemplate = '{{ run.id }}';

/** For each character of a scalar's value, the offset in the source it was read from. */
function sourceOffsets(source: Source, node: Scalar<string>): number[] {
  const text = source.text;
  const start = node.range?.[0] ?? 0;
  const block = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
  const quoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
  let at = block ? text.indexOf('\n', start) + 1 : quoted ? start + 1 : start;
  const offsets: number[] = [];
  for (const char of node.value) {
    const space = char === ' ' || char === '\n';
    if (!space) while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r') at += 1;
    if (quoted && text[at] === '\\' && node.type === 'QUOTE_DOUBLE') {
      offsets.push(at);
      at += text[at + 1] === 'x' ? 4 : text[at + 1] === 'u' ? 6 : 2;
    } else if (node.type === 'QUOTE_SINGLE' && char === "'") {
      offsets.push(at);
      at += 2;
    } else {
      offsets.push(at);
      // A line that was folded into one space, or unfolded: the next visible character finds its place again.
      if (!space || text[at] === char) at += 1;
    }
    for (let i = 1; i < char.length; i += 1) offsets.push(at++);
  }
  return offsets;
}

function yamlMessage(message: string): string {
  const first = message.split('\n')[0] ?? message;
  return first.charAt(0).toLowerCase() + first.slice(1).replace(/\.$/, '');
}

function yamlHelp(source: Source, offset: number): string | undefined {
  const line = source.text.slice(source.text.lastIndexOf('\n', offset - 1) + 1).split('\n')[0] ?? '';
  if (/(:|-)\s+\{\{/.test(line)) return 'quote a value that begins with "{{"';
  if (/[a-z0-9_]\[[a-z0-9_]+=/.test(line)) return 'quote the name of an instance: ["root[os=trixie]"]';
  if (line.includes('\t')) return 'indent with spaces, not tabs';
  if (/^[^:]*:\s+[^"'[{].*:\s/.test(line)) return 'quote a text with ": " in it';
  return undefined;
}
