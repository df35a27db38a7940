import { basename } from 'node:path';

/** What a helper takes: text (a number or a boolean too), a list or text, a map, or anything. */
export type ArgumentShape = 'text' | 'list' | 'map' | 'any';

/** A function of templates. */
export interface Helper {
  readonly arity: readonly [number, number];
  /** One per argument; the last one also applies to those that follow. */
  readonly takes: readonly ArgumentShape[];
  readonly call: (...args: never[]) => unknown;
}

/** All helpers, by name. */
export const helpers: Record<string, Helper> = {
  eq: { arity: [2, 2], takes: ['any'], call: (a: unknown, b: unknown) => a === b },
  ne: { arity: [2, 2], takes: ['any'], call: (a: unknown, b: unknown) => a !== b },
  and: { arity: [2, 9], takes: ['any'], call: (...all: unknown[]) => all.every(Boolean) },
  or: { arity: [2, 9], takes: ['any'], call: (...all: unknown[]) => all.some(Boolean) },
  not: { arity: [1, 1], takes: ['any'], call: (a: unknown) => !a },
  default: { arity: [2, 2], takes: ['any'], call: (a: unknown, b: unknown) => a ?? b },
  clean_name: { arity: [1, 1], takes: ['text'], call: (a: unknown) => textOf(a).replace(/[^A-Za-z0-9()[\] ./\-'@_]/g, '-') },
  lower: { arity: [1, 1], takes: ['text'], call: (a: unknown) => textOf(a).toLowerCase() },
  upper: { arity: [1, 1], takes: ['text'], call: (a: unknown) => textOf(a).toUpperCase() },
  replace: { arity: [3, 3], takes: ['text'], call: (a: unknown, from: unknown, to: unknown) => textOf(a).replaceAll(textOf(from), textOf(to)) },
  join: {
    arity: [2, 2],
    takes: ['list', 'text'],
    call: (list: unknown, by: unknown) => (Array.isArray(list) ? list.map(textOf).join(textOf(by)) : textOf(list)),
  },
  merge: { arity: [2, 9], takes: ['map'], call: (...maps: unknown[]) => Object.assign({}, ...maps.map(mapOf)) },
  json: { arity: [1, 1], takes: ['any'], call: (a: unknown) => JSON.stringify(a) },
  quote: { arity: [1, 1], takes: ['list'], call: (a: unknown) => (Array.isArray(a) ? a.map(shellWord).join(' ') : shellWord(a)) },
  basename: { arity: [1, 1], takes: ['text'], call: (a: unknown) => basename(textOf(a)) },
};

/** Helpers in use, for messages. */
export const helperUse: Readonly<Record<string, string>> = {
  eq: 'eq inputs.flavor "full"',
  ne: 'ne inputs.flavor "full"',
  not: 'not inputs.fast',
  and: 'and inputs.fast inputs.small',
  or: 'or inputs.fast inputs.small',
  default: 'default inputs.name "web"',
  clean_name: 'clean_name inputs.name',
  lower: 'lower inputs.name',
  upper: 'upper inputs.name',
  replace: 'replace inputs.name "-" "_"',
  join: 'join inputs.names ","',
  merge: 'merge inputs.tags vars.tags',
  json: 'json inputs.tags',
  quote: 'quote inputs.names',
  basename: 'basename inputs.file',
};

/** The names of the helpers; tasks, includes and outputs may not use them. */
export const helperNames: readonly string[] = Object.keys(helpers);

function mapOf(value: unknown): object {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new Error(`"merge" takes maps, not ${JSON.stringify(value)}`);
  return value;
}

function shellWord(value: unknown): string {
  return `'${textOf(value).replaceAll("'", `'\\''`)}'`;
}

/** A value as part of a text: null is empty. @throws Error for lists and maps. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'object')
    throw new Error(`a ${Array.isArray(value) ? 'list' : 'map'} cannot be inserted into text; use "json"${Array.isArray(value) ? ' or "join"' : ''}`);
  return String(value);
}
