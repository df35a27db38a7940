import { article } from '../recipe/inputs.js';
import type { SchemaError } from '../recipe/kind.js';
import { templatePattern } from '../syntax/lexical.js';
import { patternWords } from './pattern_words.js';

/** A JSON Schema as ajv passes it on with an error. */
export type Schema = Readonly<Record<string, unknown>>;

/** The message for an error that a schema found, without its place. */
export function messageOf(error: SchemaError): string {
  const { keyword, params } = error;
  const parent = error.parentSchema as Schema | undefined;
  const limit = String(params['limit']);
  const plural = params['limit'] === 1 ? '' : 's';
  switch (keyword) {
    case 'additionalProperties':
      return `unknown key "${String(params['additionalProperty'])}"`;
    case 'required':
      return `the key "${String(params['missingProperty'])}" is missing`;
    case 'dependentRequired':
      return `"${String(params['property'])}" requires "${String(params['missingProperty'])}"`;
    case 'anyOf':
      return `${oneOfKeys(parent).join(' or ')} is missing`;
    case 'false schema':
      return keyOf(error) === 'run' ? 'a task has either "uses" or "run", not both' : `"${keyOf(error)}" does not apply to this kind`;
    case 'type':
      return `must be ${typesOf(parent)}`;
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue'])}`;
    case 'enum':
      return allowedIn(parent).length === 1 ? `must be "${allowedIn(parent)[0]}"` : `must be one of ${allowedIn(parent).map(String).join(', ')}`;
    case 'pattern':
      return patternMessage(error, parent);
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    case 'minItems':
      return `must have at least ${limit} item${plural}`;
    case 'maxItems':
      return `must have at most ${limit} item${plural}`;
    case 'minProperties':
      return 'must not be empty';
    case 'minLength':
      return `must have at least ${limit} character${plural}`;
    case 'maxLength':
      return `must have at most ${limit} character${plural}`;
    default:
      return error.message ?? keyword;
  }
}

function patternMessage(error: SchemaError, parent: Schema | undefined): string {
  const pattern = String(error.params['pattern']);
  if (error.propertyName !== undefined) return `invalid name "${error.propertyName}"`;
  if (pattern === templatePattern) return `must be ${typesOf(parent)}, or a template`;
  const words = patternWords(pattern);
  return words === undefined ? 'does not have the right form' : `must be ${words}`;
}

/** The last step of the path to a value: its key, or its index in a list. */
export function keyOf({ instancePath }: SchemaError): string {
  return (instancePath.split('/').at(-1) ?? '').replaceAll('~1', '/').replaceAll('~0', '~');
}

/** The values that a schema allows. */
export function allowedIn(parent: Schema | undefined): unknown[] {
  return (parent?.['enum'] as unknown[] | undefined) ?? [];
}

/** The keys of which a schema with `anyOf` wants one, in quotes. */
export function oneOfKeys(parent: Schema | undefined): string[] {
  const branches = (parent?.['anyOf'] as readonly { readonly required?: readonly string[] }[] | undefined) ?? [];
  return branches.flatMap(({ required }) => required ?? []).map((name) => `"${name}"`);
}

/** The types that a schema allows, without null and without templates. */
export function typesIn(parent: Schema | undefined): string[] {
  const types = [parent?.['type']].flat().filter((type): type is string => typeof type === 'string' && type !== 'null');
  // Where a template is allowed besides a value, the value is what was meant.
  return types.length > 1 && parent?.['pattern'] === templatePattern ? types.filter((type) => type !== 'string') : types;
}

const typeNames: Record<string, string> = { array: 'list', object: 'map' };

function typesOf(parent: Schema | undefined): string {
  return typesIn(parent)
    .map((type) => article(typeNames[type] ?? type))
    .join(' or ');
}
