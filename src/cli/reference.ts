import { stringify } from 'yaml';
import type { AnyKind } from '../runtime/engine/kind.js';

type Schema = Readonly<Record<string, unknown>>;

/** A parameter or an output of a kind, as the manual shows it. */
export interface ManualRow {
  readonly name: string;
  readonly type: string;
  readonly facts: readonly string[];
  readonly description: string;
  /** Of the items of a list or the entries of a map that have keys of their own. */
  readonly rows: readonly ManualRow[];
}

/** The rows of a schema of type object. */
export function rowsOf(schema: AnyKind['params']): ManualRow[] {
  return rows(schema as unknown as Schema);
}

/** A task of a kind, as written in a recipe. */
export function exampleOf(kind: AnyKind): string {
  const task = { uses: kind.name, ...(kind.in === 'required' ? { in: 'sys' } : {}), ...(Object.keys(kind.example).length === 0 ? {} : { with: kind.example }) };
  return stringify({ tasks: { example: task } }, { lineWidth: 0 }).trimEnd();
}

/** What happens to the things that a kind creates. */
export function undoOf(kind: AnyKind): string {
  if (kind.undoes === undefined) return 'Nothing is undone.';
  return kind.lifetime === 'resource'
    ? `As soon as no remaining task uses it, whether the run succeeds or fails: ${kind.undoes}.`
    : `If the run fails: ${kind.undoes}. If it succeeds, the result is kept.`;
}

function rows(schema: Schema): ManualRow[] {
  const required = (schema['required'] as readonly string[] | undefined) ?? [];
  return Object.entries((schema['properties'] as Record<string, Schema> | undefined) ?? {}).map(([name, property]) => ({
    name,
    type: typeOf(property),
    facts: factsOf(property, required.includes(name)),
    description: String(property['description'] ?? ''),
    rows: rows(inner(property)),
  }));
}

function inner(property: Schema): Schema {
  const items = property['items'] as Schema | undefined;
  const entries = property['additionalProperties'];
  return items ?? (typeof entries === 'object' && entries !== null ? (entries as Schema) : property);
}

function typeOf(property: Schema): string {
  const named = { array: 'list', object: 'map' } as Record<string, string>;
  const types = [property['type']].flat().map((type) => named[String(type)] ?? String(type));
  return property['enum'] === undefined ? types.join(' or ') : (property['enum'] as unknown[]).map(String).join(', ');
}

function factsOf(property: Schema, required: boolean): string[] {
  const facts = required ? ['required'] : [];
  if (property['default'] !== undefined) facts.push(`default ${JSON.stringify(property['default'])}`);
  if (property['minimum'] !== undefined) facts.push(`from ${property['minimum']}`);
  if (property['maximum'] !== undefined) facts.push(`up to ${property['maximum']}`);
  if (property['maxLength'] !== undefined) facts.push(`up to ${property['maxLength']} characters`);
  return facts;
}
