import { Ec2Error } from './errors.js';
import { notInXml } from './xml.js';

/**
 * The parameters an action takes: scalars, structures, and lists (written `Name.1`, `Name.2`, …). A text is a string of
 * up to 255 characters, as EC2 has descriptions and names; an integer has 32 bits.
 */
export type Shape = Scalar | readonly [Shape] | { readonly [name: string]: Shape };

type Scalar = 'string' | 'text' | 'integer' | 'boolean';

/** The TypeScript type of parameters of a shape; everything may be absent. */
export type Parsed<S> = S extends 'string' | 'text'
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
 * @throws Ec2Error for parameters the shape does not have, for values not of their type, and for characters that no
 * answer could have.
 */
export function parseQuery<S extends { readonly [name: string]: Shape }>(form: URLSearchParams, shape: S): Parsed<S> {
  const root: Tree = { children: new Map() };
  for (const [key, value] of form) {
    // The signature may be among them.
    if (key === 'Action' || key === 'Version' || key.startsWith('X-Amz-')) continue;
    const [odd] = notInXml(key) ?? notInXml(value) ?? [];
    if (odd !== undefined) throw new Ec2Error('InvalidCharacter', `The parameter ${key} has a character that is not valid: ${codePoint(odd)}`);
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
  // Some clients write an empty list as an empty value.
  if (tree.value !== undefined && tree.value !== '') throw new Ec2Error('InvalidParameterValue', `Invalid value '${tree.value}' for ${name}: it has parts`);
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

function scalar(tree: Tree, type: Scalar, name: string): unknown {
  if (tree.children.size > 0) throw unknown(`${name}.${[...tree.children.keys()][0]}`);
  const text = tree.value ?? '';
  if (type === 'string') return text;
  if (type === 'text' && text.length <= longestText) return text;
  if (type === 'boolean' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (type === 'integer' && /^-?[0-9]{1,10}$/.test(text) && Number(text) === (Number(text) | 0)) return Number(text);
  throw new Ec2Error('InvalidParameterValue', `Invalid value '${text}' for ${name}. It is not ${described[type]}`);
}

const longestText = 255;
const described = { text: `a text of up to ${longestText} characters`, integer: 'of type integer', boolean: 'of type boolean' };

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`;
}

function isList(shape: Exclude<Shape, string>): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function unknown(name: string): Ec2Error {
  return new Ec2Error('UnknownParameter', `The parameter ${name} is not recognized`);
}
