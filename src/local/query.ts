import { Ec2Error } from './errors.js';

/** The parameters an action takes: scalars, structures, and lists (written `Name.1`, `Name.2`, …). */
export type Shape = 'string' | 'integer' | 'boolean' | readonly [Shape] | { readonly [name: string]: Shape };

/** The TypeScript type of parameters of a shape; everything may be absent. */
export type Parsed<S> = S extends 'string'
  ? string
  : S extends 'integer'
    ? number
    : S extends 'boolean'
      ? boolean
      : S extends readonly [infer Item]
        ? Parsed<Item>[]
        : { [Name in keyof S]?: Parsed<S[Name]> };

interface Tree {
  value?: string;
  readonly children: Map<string, Tree>;
}

/**
 * Reads the form of an EC2 query request.
 * @throws Ec2Error for parameters the shape does not have, and for values not of their type.
 */
export function parseQuery<S extends { readonly [name: string]: Shape }>(form: URLSearchParams, shape: S): Parsed<S> {
  const root: Tree = { children: new Map() };
  for (const [key, value] of form) {
    // The signature may be among them.
    if (key === 'Action' || key === 'Version' || key.startsWith('X-Amz-')) continue;
    let at = root;
    for (const step of key.split('.')) {
      const next = at.children.get(step) ?? { children: new Map() };
      at.children.set(step, next);
      at = next;
    }
    at.value = value;
  }
  return parse(root, shape, '') as Parsed<S>;
}

function parse(tree: Tree, shape: Shape, name: string): unknown {
  if (typeof shape === 'string') return scalar(tree, shape, name);
  if (isList(shape)) {
    const items = [...tree.children].sort(([a], [b]) => Number(a) - Number(b));
    return items.map(([index, child]) => {
      if (!/^[0-9]+$/.test(index)) throw unknown(`${name}.${index}`);
      return parse(child, shape[0], `${name}.${index}`);
    });
  }
  const out: Record<string, unknown> = {};
  for (const [key, child] of tree.children) {
    const inner = Object.hasOwn(shape, key) ? shape[key] : undefined;
    const path = name === '' ? key : `${name}.${key}`;
    if (inner === undefined) throw unknown(path);
    out[key] = parse(child, inner, path);
  }
  return out;
}

function scalar(tree: Tree, type: 'string' | 'integer' | 'boolean', name: string): unknown {
  if (tree.children.size > 0) throw unknown(`${name}.${[...tree.children.keys()][0]}`);
  const text = tree.value ?? '';
  if (type === 'string') return text;
  if (type === 'boolean' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (type === 'integer' && /^-?[0-9]+$/.test(text)) return Number(text);
  throw new Ec2Error('InvalidParameterValue', `Invalid value '${text}' for ${name}. It is not of type ${type}`);
}

function isList(shape: Exclude<Shape, string>): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function unknown(name: string): Ec2Error {
  return new Ec2Error('UnknownParameter', `The parameter ${name} is not recognized`);
}
