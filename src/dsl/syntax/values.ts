import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { type ParsedDocument, pointerStep } from './document.js';
import type { Span } from './source.js';
import { parseTemplate, pathText, type Reference, type Template } from './template.js';

/** Where a value was written. */
export interface Place {
  readonly document: ParsedDocument;
  readonly pointer: string;
}

/** A value of a recipe whose strings may be templates. */
export type Value =
  | { readonly type: 'literal'; readonly value: unknown; readonly at: Place }
  | { readonly type: 'template'; readonly template: Template; readonly at: Place }
  | { readonly type: 'list'; readonly items: readonly Value[]; readonly at: Place }
  | { readonly type: 'map'; readonly entries: ReadonlyMap<string, Value>; readonly at: Place };

/** A reference with its place. */
export interface PlacedReference extends Reference {
  readonly span: Span;
}

/** Turns a plain value into one whose templates are read; errors in templates are added to `diagnostics`. */
export function readValue(plain: unknown, at: Place, diagnostics: Diagnostic[]): Value {
  if (typeof plain === 'string' && plain.includes('{{')) return readTemplate(plain, at, diagnostics);
  if (Array.isArray(plain)) {
    return { type: 'list', at, items: plain.map((item, i) => readValue(item, below(at, i), diagnostics)) };
  }
  if (typeof plain === 'object' && plain !== null) return { type: 'map', at, entries: readValues(plain, at, diagnostics) };
  return { type: 'literal', value: plain, at };
}

/** The entries of a map as values. */
export function readValues(plain: object | undefined | null, at: Place, diagnostics: Diagnostic[]): Map<string, Value> {
  return new Map(Object.entries(plain ?? {}).map(([name, value]) => [name, readValue(value, below(at, name), diagnostics)]));
}

/**
 * The entries of a map whose values have no declared type. `1.10` is the number 1.1 to YAML and `0755` is 755; where the
 * text may have been meant, as in an environment, that is an error.
 */
export function readUntyped(plain: object | undefined | null, at: Place, diagnostics: Diagnostic[]): Map<string, Value> {
  const values = readValues(plain, at, diagnostics);
  for (const value of values.values()) checkTexts(value, diagnostics);
  return values;
}

/** Finds numbers and booleans in a value that YAML does not read as written. */
export function checkTexts(value: Value, diagnostics: Diagnostic[]): void {
  if (value.type === 'list') for (const item of value.items) checkTexts(item, diagnostics);
  if (value.type === 'map') for (const entry of value.entries.values()) checkTexts(entry, diagnostics);
  if (value.type !== 'literal' || (typeof value.value !== 'number' && typeof value.value !== 'boolean')) return;
  const { document, pointer } = value.at;
  const read = String(value.value);
  const written = document.writtenAt(pointer) ?? read;
  if (written === read) return;
  const message = `YAML reads ${written} as the ${typeof value.value} ${read}`;
  diagnostics.push({ code: 'number', message, span: document.spanOf(pointer), help: `write "${written}" for the text, or ${read}` });
}

/** All references in a value, with their places. */
export function referencesIn(value: Value): PlacedReference[] {
  switch (value.type) {
    case 'literal':
      return [];
    case 'list':
      return value.items.flatMap(referencesIn);
    case 'map':
      return [...value.entries.values()].flatMap(referencesIn);
    case 'template':
      return value.template.references.map((reference) => ({
        ...reference,
        span: value.at.document.spanInside(value.at.pointer, reference.start, reference.end),
      }));
  }
}

/** A script or another text as it is written, templates included. */
export function writtenText(value: Value): string {
  return value.type === 'template' ? value.template.text : value.type === 'literal' ? String(value.value ?? '') : '';
}

/** The reference in a value that consists of one reference. */
export function onlyReferenceIn(value: Value): Reference | undefined {
  if (value.type !== 'template') return undefined;
  const [reference, ...more] = value.template.references;
  const { single, text } = value.template;
  const plain = single && reference !== undefined && more.length === 0 && text.slice(2, -2).trim() === pathText(reference.path);
  return plain ? reference : undefined;
}

/**
 * The plain value, each template rendered.
 * @param valueOf returns the value of a reference.
 * @param evaluated receives the value of each `{{ }}`, with the references it read.
 * @throws Error whose message names the place, when a template cannot be rendered.
 */
export function render(
  value: Value,
  valueOf: (reference: Reference) => unknown,
  evaluated: (result: unknown, references: readonly Reference[]) => void = () => {},
): unknown {
  switch (value.type) {
    case 'literal':
      return value.value;
    case 'list':
      return value.items.map((item) => render(item, valueOf, evaluated));
    case 'map':
      return Object.fromEntries([...value.entries].map(([name, entry]) => [name, render(entry, valueOf, evaluated)]));
    case 'template':
      return value.template.render(valueOf, evaluated);
  }
}

/** The place of a key inside a place. */
export function below(at: Place, key: string | number): Place {
  return { document: at.document, pointer: at.pointer + pointerStep(key) };
}

function readTemplate(text: string, at: Place, diagnostics: Diagnostic[]): Value {
  const { template, diagnostics: found } = parseTemplate(text);
  for (const { code, message, start, end, help } of found) {
    diagnostics.push({ code, message, span: at.document.spanInside(at.pointer, start, end), help });
  }
  return template === undefined ? { type: 'literal', value: text, at } : { type: 'template', template, at };
}
