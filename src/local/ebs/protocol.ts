import { actions, enums, type Members, structures } from '../api/model/ebs.js';
import type { HttpRequest } from '../http/signature.js';
import { EbsError, invalid } from './errors.js';
import { checkLimits, constraint } from './limits.js';

/** An answer to a REST request. */
export interface RestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

type Values = Readonly<Record<string, unknown>>;

/** The action of a request, and the parts of its path that are parameters. */
export interface Route {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Whether a path belongs to EBS. The other services have only `/`. */
export function isOfEbs(path: string): boolean {
  return path === '/snapshots' || path.startsWith('/snapshots/');
}

const routes = Object.entries(actions).map(([name, { method, path }]) => ({
  name,
  method,
  pattern: new RegExp(`^${path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
}));

/** The route of a request; undefined when EBS has no such action. */
export function routeOf({ method, path }: Pick<HttpRequest, 'method' | 'path'>): Route | undefined {
  for (const route of routes) {
    const found = route.method === method ? route.pattern.exec(path) : null;
    if (found !== null) return { name: route.name, labels: { ...found.groups } };
  }
  return undefined;
}

/**
 * The parameters of a request, from its path, query, headers and body.
 * @throws EbsError when one is missing, unknown, or has the wrong type. Unknown headers are no parameters.
 */
export function parametersOf({ name, labels }: Route, { query, headers, body }: HttpRequest): Values {
  const { input } = actions[name] as (typeof actions)[string];
  const json = bodyMembers(input, body);
  const known = new Set(Object.values(input).flatMap((shape) => /^\S+ query (\S+)$/.exec(shape)?.[1] ?? []));
  for (const key of query.keys()) if (!known.has(key) && !key.startsWith('X-Amz-')) throw invalid('INVALID_PARAMETER_VALUE', `Unknown parameter ${key}`);
  const out: Record<string, unknown> = {};
  for (const [member, shape] of Object.entries(input)) {
    const [, type = '', isRequired, place, at = ''] = /^([\w[\]]+)(!)?(?: (\w+)(?: (\S+))?)?$/.exec(shape) ?? [];
    const text = { path: () => decoded(labels[member]), query: () => query.get(at) ?? undefined, header: () => headers[at.toLowerCase()] };
    const value = type === 'blob' ? body : place === undefined ? typed(json[member], type, member) : fromText(text[place as 'path'](), type, member);
    if (value !== undefined) out[member] = value;
    else if (isRequired !== undefined) throw invalid('INVALID_PARAMETER_VALUE', constraint(null, member, 'Member must not be null'));
  }
  checkLimits(out);
  return out;
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The JSON of the body, if the action has members there. */
function bodyMembers(input: Members, body: Uint8Array): Values {
  if (Object.values(input).every((shape) => shape.includes(' '))) return {};
  const value = parsed(body);
  const [unknown] = Object.keys(value).filter((key) => !Object.hasOwn(input, key));
  if (unknown !== undefined) throw invalid('INVALID_PARAMETER_VALUE', `Unknown parameter ${unknown}`);
  return value;
}

function parsed(body: Uint8Array): Values {
  try {
    const value: unknown = body.length === 0 ? {} : JSON.parse(textOf(body));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Values;
  } catch {
    // Refused below.
  }
  throw new EbsError('SerializationException', 'The body of the request is not a JSON object');
}

/** The SDK's own bodies warn when they are taken for a text. */
export function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString();
}

function fromText(text: string | undefined, type: string, member: string): unknown {
  if (text === undefined || (type !== 'integer' && type !== 'boolean')) return typed(text, type, member);
  return typed(/^-?[0-9]{1,15}$/.test(text) ? Number(text) : text, type, member);
}

function typed(value: unknown, type: string, member: string): unknown {
  if (value === undefined || value === null) return undefined;
  const wrong = () => new EbsError('SerializationException', `${member} is not of type ${type}`);
  const structure = structures[type.replace('[]', '')];
  if (structure !== undefined) {
    if (!Array.isArray(value)) throw wrong();
    return value.map((item: unknown) => {
      if (typeof item !== 'object' || item === null) throw wrong();
      return Object.fromEntries(Object.entries(structure).map(([name, of]) => [name, typed((item as Values)[name], of, `${member}.${name}`)]));
    });
  }
  if (type === 'integer' ? !Number.isSafeInteger(value) : typeof value !== (type === 'boolean' ? 'boolean' : 'string')) throw wrong();
  const values = enums[type];
  if (values !== undefined && !values.includes(value as string)) {
    throw invalid('INVALID_PARAMETER_VALUE', constraint(value, member, `Member must satisfy enum value set: [${values.join(', ')}]`));
  }
  return value;
}

/** The answer of an action. */
export function answerOf(name: string, values: Values, requestId: string): RestAnswer {
  const { output, status } = actions[name] as (typeof actions)[string];
  const headers: Record<string, string> = { 'x-amzn-requestid': requestId };
  const json: Record<string, unknown> = {};
  let body: Uint8Array | undefined;
  for (const [member, shape] of Object.entries(output)) {
    const value = values[member];
    const [type, place, at = ''] = shape.split(' ');
    if (value === undefined) continue;
    if (place === 'header') headers[at.toLowerCase()] = String(value);
    else if (place === 'body') body = value as Uint8Array;
    // Source: AWS REST-JSON protocol: a timestamp in a body is in seconds since 1970.
    else json[member] = type === 'timestamp' ? (value as Date).getTime() / 1000 : value;
  }
  headers['content-type'] = body === undefined ? 'application/json' : 'application/octet-stream';
  return { status, headers, body: body ?? Buffer.from(JSON.stringify(json)) };
}

/** The answer to a refused request. */
export function refusalOf({ code, message, reason, status }: EbsError, requestId: string): RestAnswer {
  const headers = { 'content-type': 'application/json', 'x-amzn-requestid': requestId, 'x-amzn-errortype': code };
  return { status, headers, body: Buffer.from(JSON.stringify({ Message: message, Reason: reason })) };
}
