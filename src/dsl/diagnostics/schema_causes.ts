import type { SchemaError } from '../recipe/kind.js';
import { limits } from '../syntax/limits.js';
import { oneOfKeys, type Schema } from './schema_messages.js';
import { meantBy, nearest } from './suggest.js';

/** Without errors that only follow from another one, and without those after the limit. */
export function causesAmong(all: readonly SchemaError[]): SchemaError[] {
  const errors = all.slice(0, limits.errors);
  const byPath = new Map<string, SchemaError[]>();
  for (const error of errors) {
    const others = byPath.get(error.instancePath);
    if (others === undefined) byPath.set(error.instancePath, [error]);
    else others.push(error);
  }
  return errors.filter((error) => isCause(error, byPath));
}

function isCause(error: SchemaError, byPath: ReadonlyMap<string, readonly SchemaError[]>): boolean {
  if (error.keyword === 'if' || error.keyword === 'propertyNames') return false;
  const others = byPath.get(error.instancePath) ?? [];
  // A script in braces has as many unknown keys as it has commas.
  if (isText(error) && error.instancePath.endsWith('/run') && others.find(isText) !== error) return false;
  // The list of values says more than their type.
  if (error.keyword === 'type' && others.some((other) => other.keyword === 'enum')) return false;
  // One of several keys may be there under another name.
  if (error.keyword === 'anyOf' && others.some((other) => oneOfKeys(error.parentSchema as Schema).some((key) => isMeantAs(other, key.slice(1, -1)))))
    return false;
  if (error.keyword === 'required') {
    const missing = String(error.params['missingProperty']);
    // A key that is misspelt, or has the name that another tool gives it, is not missing.
    if (others.some((other) => isMeantAs(other, missing))) return false;
    // A script in braces is a map without a file.
    if (missing === 'file' && others.some(isText)) return false;
    // Unknown keys beside "uses" are usually the parameters.
    if (missing === 'with' && others.some(({ keyword }) => keyword === 'additionalProperties')) return false;
    // One of several keys is reported as such.
    if (others.some((other) => other.keyword === 'anyOf' && branchesOf(other).includes(error.parentSchema))) return false;
  }
  // What a key may hold does not matter where the key itself is wrong.
  for (let path = error.instancePath; path !== ''; ) {
    path = path.slice(0, path.lastIndexOf('/'));
    if (byPath.get(path)?.some((other) => other.keyword === 'false schema')) return false;
  }
  return true;
}

function branchesOf({ parentSchema }: SchemaError): readonly unknown[] {
  return (parentSchema as { anyOf?: readonly unknown[] } | undefined)?.anyOf ?? [];
}

/** Whether an unknown key is a text, such as the commands of `run: { echo a; }`. */
export function isText({ keyword, params }: SchemaError): boolean {
  return keyword === 'additionalProperties' && /\s/.test(String(params['additionalProperty']));
}

function isMeantAs({ keyword, params, parentSchema }: SchemaError, name: string): boolean {
  if (keyword !== 'additionalProperties') return false;
  const written = String(params['additionalProperty']);
  const known = Object.keys(((parentSchema as Schema | undefined)?.['properties'] as Schema | undefined) ?? {});
  return nearest(written, [name]) === name || meantBy(written, known) === name;
}
