import { basename } from 'node:path';

/** What a helper takes: text (a number or a boolean too), a list or text, a map, or anything. */
export type ArgumentShape = 'text' | 'list' | 'map' | 'any';

/** A function of templates. */
export interface Helper {
  readonly arity: readonly [number, number];
  /** By argument; the last one also for those that follow. */
  readonly takes: readonly ArgumentShape[];
  readonly call: (...args: never[]) => unknown;
}

/** The closed list of them, by name. */
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

/** The names of the helpers, which nothing in a recipe may take. */
export const helperNames: readonly string[] = Object.keys(helpers);

function mapOf(value: unknown): object {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new Error(`"merge" takes maps, not ${JSON.stringify(value)}`);
  return value;
}

function shellWord(value: unknown): string {
  return `'${textOf(value).replaceAll("'", `'\\''`)}'`;
}

/** A value inside other text: null is nothing, lists and maps must be made text first. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'object')
    throw new Error(`a ${Array.isArray(value) ? 'list' : 'map'} cannot stand inside text; use "json"${Array.isArray(value) ? ' or "join"' : ''}`);
  return String(value);
}
