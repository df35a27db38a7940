import { article } from '../recipe/inputs.js';
import type { SchemaError } from '../recipe/kind.js';
import { type ParsedDocument, pointerStep } from '../syntax/document.js';
import { durationPattern } from '../syntax/duration.js';
import { axisValueHelp, axisValuePattern, namePattern, taskNamePattern, taskPattern, templatePattern } from '../syntax/lexical.js';
import { limits } from '../syntax/limits.js';
import type { Diagnostic } from './diagnostic.js';
import { hintFor, nearest } from './suggest.js';

type Schema = Readonly<Record<string, unknown>>;

/** The errors a schema found in a document, in the words of the language and with their places. */
export function diagnosticsOf(errors: readonly SchemaError[], document: ParsedDocument): Diagnostic[] {
  return thoseThatMatter(errors).map((error) => diagnosticOf(error, document));
}

/** The errors a schema found in a value that has no place, e.g. rendered parameters: `size: must be an integer`. */
export function messagesOf(errors: readonly SchemaError[]): string[] {
  return thoseThatMatter(errors).map(
    (error) => `${error.instancePath.slice(1).replaceAll('/', '.')}${error.instancePath === '' ? '' : ': '}${messageOf(error)}`,
  );
}

/** Without those that only say that another one, which is told too, made a whole fail; so many that nobody reads them are cut. */
function thoseThatMatter(all: readonly SchemaError[]): SchemaError[] {
  const errors = all.slice(0, limits.errors);
  const byPath = new Map<string, SchemaError[]>();
  for (const error of errors) {
    const others = byPath.get(error.instancePath);
    if (others === undefined) byPath.set(error.instancePath, [error]);
    else others.push(error);
  }
  return errors.filter((error) => matters(error, byPath));
}

function matters(error: SchemaError, byPath: ReadonlyMap<string, readonly SchemaError[]>): boolean {
  if (error.keyword === 'if' || error.keyword === 'propertyNames') return false;
  const here = byPath.get(error.instancePath) ?? [];
  // Where the values are told, their type is of no interest.
  if (error.keyword === 'type' && here.some((other) => other.keyword === 'enum')) return false;
  // A key that is misspelt is not missing.
  if (error.keyword === 'required' && here.some((other) => isMisspelt(other, String(error.params['missingProperty'])))) return false;
  // What a key may not hold is of no interest where the key may not stand at all.
  for (let path = error.instancePath; path !== ''; ) {
    path = path.slice(0, path.lastIndexOf('/'));
    if (byPath.get(path)?.some((other) => other.keyword === 'false schema')) return false;
  }
  return true;
}

function isMisspelt({ keyword, params }: SchemaError, name: string): boolean {
  return keyword === 'additionalProperties' && nearest(String(params['additionalProperty']), [name]) === name;
}

function diagnosticOf(error: SchemaError, document: ParsedDocument): Diagnostic {
  const { instancePath: pointer, keyword, params } = error;
  const message = messageOf(error);
  const parent = error.parentSchema as Schema | undefined;
  if (keyword === 'additionalProperties') {
    const name = String(params['additionalProperty']);
    const known = Object.keys((parent?.['properties'] as Schema | undefined) ?? {});
    return { code: 'unknown-key', message, span: document.keySpanOf(pointer + pointerStep(name)), help: hintFor(name, known) };
  }
  if (keyword === 'required') {
    const code = params['missingProperty'] === 'version' ? 'version' : 'missing-key';
    return { code, message, span: document.keySpanOf(pointer), help: requiredHelp(String(params['missingProperty'])) };
  }
  if (keyword === 'dependentRequired') {
    return {
      code: 'exclusive',
      message,
      span: document.keySpanOf(pointer + pointerStep(String(params['property']))),
      help: exclusiveHelp(String(params['property'])),
    };
  }
  if (keyword === 'false schema') {
    return { code: 'exclusive', message, span: document.keySpanOf(pointer), help: undefined };
  }
  if (error.propertyName !== undefined) {
    return { code: 'name', message, span: document.keySpanOf(pointer + pointerStep(error.propertyName)), help: nameHelp(error) };
  }
  const span = document.spanOf(pointer);
  const written = valueAt(document.value, pointer);
  const source = document.writtenAt(pointer) ?? '';
  if (typeof written === 'number' && /^0[0-7]+$/.test(source)) {
    return { code: 'mode', message: `${source} is a decimal number in YAML, not a file mode`, span, help: `write "${source}"` };
  }
  if (keyword === 'enum') {
    const values = allowedIn(parent);
    if (typeof written !== 'string') return { code: 'enum', message, span, help: undefined };
    const kind = pointer.endsWith('/uses');
    return {
      code: kind ? 'unknown-kind' : 'enum',
      message: kind ? `there is no kind "${written}"` : message,
      span,
      help: hintFor(written, values.map(String)),
    };
  }
  if (keyword === 'const') return { code: 'version', message, span, help: 'this program reads version 1' };
  if (keyword === 'pattern' && params['pattern'] === durationPattern) {
    return { code: 'duration', message, span, help: 'write whole numbers with units, the largest unit first: 500ms, 90s, 20m, 1h30m' };
  }
  if (keyword === 'pattern' && params['pattern'] === templatePattern) return { code: 'type', message, span, help: meaningOf(parent) };
  if (keyword === 'pattern' && params['pattern'] === taskPattern) return { code: 'pattern', message, span, help: taskNameHelp(String(written), parent) };
  if (keyword === 'pattern' && params['pattern'] === axisValuePattern) {
    return { code: 'matrix', message: `${JSON.stringify(written)} cannot stand on an axis: it becomes part of names`, span, help: axisValueHelp };
  }
  const code = keyword === 'type' ? 'type' : keyword === 'pattern' ? 'pattern' : 'range';
  return {
    code,
    message,
    span,
    help: keyword === 'type' ? typeHelp(parent, written, source) : ((parent?.['patternErrorMessage'] as string | undefined) ?? meaningOf(parent)),
  };
}

function messageOf(error: SchemaError): string {
  const { keyword, params } = error;
  const parent = error.parentSchema as Schema | undefined;
  const key = error.instancePath.split('/').at(-1) ?? '';
  switch (keyword) {
    case 'additionalProperties':
      return `unknown key "${String(params['additionalProperty'])}"`;
    case 'required':
      return `the key "${String(params['missingProperty'])}" is missing`;
    case 'dependentRequired':
      return `"${String(params['property'])}" does not stand without "${String(params['missingProperty'])}"`;
    case 'false schema':
      return key === 'run' ? 'a task has "uses" or "run", not both' : `"${key}" does not go with this kind`;
    case 'type':
      return `must be ${typesOf(parent)}`;
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue'])}`;
    case 'enum':
      return `must be one of ${allowedIn(parent)
        .map((value) => JSON.stringify(value))
        .join(', ')}`;
    case 'pattern': {
      if (error.propertyName !== undefined) return `"${error.propertyName}" is not a name`;
      if (params['pattern'] === templatePattern) return `must be ${typesOf(parent)}, or a template`;
      if (params['pattern'] === durationPattern) return 'this is not a duration';
      if (params['pattern'] === taskPattern) return 'this is not the name of a task';
      return `must match ${String(params['pattern'])}`;
    }
    case 'minimum':
      return `must be at least ${String(params['limit'])}`;
    case 'maximum':
      return `must be at most ${String(params['limit'])}`;
    case 'minItems':
      return `must have at least ${String(params['limit'])} item${params['limit'] === 1 ? '' : 's'}`;
    case 'maxItems':
      return `must have at most ${String(params['limit'])} items`;
    case 'minProperties':
      return 'must not be empty';
    case 'minLength':
      return `must have at least ${String(params['limit'])} characters`;
    case 'maxLength':
      return `must have at most ${String(params['limit'])} characters`;
    default:
      return error.message ?? keyword;
  }
}

const typeNames: Record<string, string> = { array: 'list', object: 'map' };

function typesOf(parent: Schema | undefined): string {
  const types = [parent?.['type']].flat().filter((type): type is string => typeof type === 'string' && type !== 'null');
  // Where a template is allowed besides a value, the value is what was meant.
  const meant = types.length > 1 && parent?.['pattern'] === templatePattern ? types.filter((type) => type !== 'string') : types;
  return meant.map((type) => article(typeNames[type] ?? type)).join(' or ');
}

/** What a parameter means, from its description. */
function meaningOf(parent: Schema | undefined): string | undefined {
  return parent?.['description'] as string | undefined;
}

function allowedIn(parent: Schema | undefined): unknown[] {
  return (parent?.['enum'] as unknown[] | undefined) ?? [];
}

function requiredHelp(name: string): string | undefined {
  if (name === 'version') return 'begin with "version: 1"';
  if (name === 'tasks') return 'say what is to be done: "tasks:" and, indented, a name and its keys';
  if (name === 'in') return 'name the chroot task it works in';
  return undefined;
}

function exclusiveHelp(name: string): string | undefined {
  if (name === 'generates') return 'say what it is made from';
  return name === 'with' ? 'say which kind takes these parameters' : 'only shell tasks have it';
}

/** @param source the value as it is written: `1.10` is 1.1 to YAML. */
function typeHelp(parent: Schema | undefined, written: unknown, source: string): string | undefined {
  const types = [parent?.['type']].flat();
  if (parent?.['pattern'] === durationPattern && typeof written === 'number') return `write ${written}s`;
  if (types.length === 1 && types[0] === 'object' && typeof written === 'string') {
    const [key] = (parent?.['required'] as string[] | undefined) ?? [];
    if (key !== undefined) return `write {${key}: ${written}}`;
  }
  if (types.includes('array') && typeof written === 'string') return `write [${plainInYaml(written) ? written : JSON.stringify(written)}]`;
  if (types.includes('string') && Array.isArray(written) && written.every((line) => typeof line === 'string')) return 'write the lines as one text, after "|"';
  if (types.length === 1 && types[0] === 'object' && Array.isArray(written)) return 'write "name: value" for each, without "-"';
  if (types.every((type) => type === 'string' || type === 'null') && (typeof written === 'number' || typeof written === 'boolean')) return `write "${source}"`;
  return undefined;
}

function plainInYaml(text: string): boolean {
  return /^[\w./][\w./ -]*$/.test(text);
}

function nameHelp(error: SchemaError): string {
  if (error.params['pattern'] === taskNamePattern) return 'lower-case letters, digits, - and _, a letter first';
  const withoutHyphens = String(error.propertyName).replaceAll('-', '_');
  if (error.params['pattern'] === namePattern && new RegExp(namePattern).test(withoutHyphens))
    return `write "${withoutHyphens}": only tasks and includes may have hyphens`;
  return error.params['pattern'] === namePattern ? 'lower-case letters, digits and _, a letter first' : 'letters, digits and _, no digit first';
}

function taskNameHelp(written: string, parent: Schema | undefined): string | undefined {
  const [, task] = /^\{\{\s*([a-z0-9_.-]+?)(\.[a-z0-9_]+)?\s*\}\}$/.exec(written) ?? [];
  return task === undefined ? (meaningOf(parent) ?? 'e.g. packages, ami.chroot, root.released, build[arch=arm64]') : `a task is named without braces: ${task}`;
}

function valueAt(value: unknown, pointer: string): unknown {
  let at = value;
  for (const step of pointer.split('/').slice(1)) {
    at = (at as Record<string, unknown> | null)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return at;
}
