import { Ec2Error } from './errors.js';
import type { Requests } from './model/requests.js';
import { actions, enums, structures } from './model/shapes.js';
import { notInXml } from './xml.js';

interface Tree {
  value?: string;
  readonly children: Map<string, Tree>;
}

type Members = Readonly<Record<string, string>>;

/**
 * Parses the form of a query request according to the model of its action.
 * @throws Ec2Error for parameters that are not supported for the action, values of the wrong type, and characters that
 * no answer could contain.
 */
export function parseQuery(action: keyof Requests, form: URLSearchParams): Readonly<Record<string, unknown>> {
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
  return membersIn(root, actions[action] as Members, '');
}

function membersIn(tree: Tree, members: Members, path: string): Readonly<Record<string, unknown>> {
  const out: Record<string, unknown> = {};
  for (const [key, child] of tree.children) {
    const name = path === '' ? key : `${path}.${key}`;
    const type = Object.hasOwn(members, key) ? members[key] : undefined;
    if (type === undefined) throw unknown(name);
    // Some clients send all parameters they know.
    if (type === '' && child.value === '') continue;
    if (type === '') throw new Ec2Error('UnsupportedOperation', `The embedded EC2 does not support the parameter ${name}.`);
    const value = parse(child, type, name);
    // Do not set a member to `undefined`, because whole requests are compared.
    if (value !== undefined) out[key] = value;
  }
  for (const [key, type] of Object.entries(members)) {
    if (!type.endsWith('!') || out[key] !== undefined) continue;
    // The action reports a missing list itself, under EC2's name for it, which is not in the model.
    if (type.endsWith('[]!')) out[key] = [];
    else {
      throw new Ec2Error('MissingParameter', `The request must contain the parameter ${path === '' ? key : `${path}.${key}`}`);
    }
  }
  return out;
}

function parse(tree: Tree, shape: string, name: string): unknown {
  if (shape === 'any') return tree;
  const [, type = '', list] = /^(\w+)(\[\])?!?$/.exec(shape) ?? [];
  if (list !== undefined) {
    const items = [...structureAt(tree, name).children].sort(([a], [b]) => Number(a) - Number(b));
    if (items.length === 0) return undefined;
    return items.map(([index, child]) => {
      if (!/^[0-9]+$/.test(index)) throw unknown(`${name}.${index}`);
      return parseOne(child, type, `${name}.${index}`) ?? '';
    });
  }
  return parseOne(tree, type, name);
}

function parseOne(tree: Tree, type: string, name: string): unknown {
  const members = structures[type];
  return members === undefined ? scalar(tree, type, name) : membersIn(structureAt(tree, name), members, name);
}

/** Some clients send an empty list, which counts as absent, or an empty structure, as an empty value. */
function structureAt(tree: Tree, name: string): Tree {
  if (tree.value !== undefined && tree.value !== '')
    throw new Ec2Error('InvalidParameterValue', `Invalid value '${tree.value}' for ${name}: it must be a structure or list`);
  return tree;
}

/** An empty value counts as absent, because clients send unset parameters in this way. */
function scalar(tree: Tree, type: string, name: string): string | number | boolean | undefined {
  if (tree.children.size > 0) throw unknown(`${name}.${[...tree.children.keys()][0]}`);
  const text = tree.value ?? '';
  // Source: EC2 API reference: `NoDevice` of a mapping is set by its presence, and `Value` of ModifyImageAttribute may
  // be empty.
  if (text === '') return name.endsWith('.NoDevice') || name === 'Value' ? '' : undefined;
  if (type === 'boolean' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (type === 'integer' && /^-?[0-9]{1,10}$/.test(text) && Number(text) === (Number(text) | 0)) return Number(text);
  if (type === 'timestamp' && /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  const values = enums[type]?.split(' ');
  if (type === 'ResourceType' && !values?.includes(text)) {
    throw new Ec2Error('InvalidParameterValue', `'${text}' is not a valid taggable resource type for this operation.`);
  }
  if (values !== undefined && !values.includes(text)) {
    // Some have a hundred values.
    const list = values.length > 20 ? '' : `. Valid values are ${values.join(', ')}`;
    throw new Ec2Error('InvalidParameterValue', `Value (${text}) for parameter ${name} is invalid${list}`);
  }
  if (values === undefined && type !== 'string') throw new Ec2Error('InvalidParameterValue', `Invalid value '${text}' for ${name}. It is not of type ${type}`);
  if (shortText.test(name) && text.length > longestText) {
    throw new Ec2Error('InvalidParameterValue', `Invalid value '${text}' for ${name}. It is not a text of up to ${longestText} characters`);
  }
  return text;
}

/** Length limits of stored texts, which the model does not contain. Source: EC2 API reference, e.g. `Description` of CreateSnapshot. */
export const shortText = /^(Value|KernelId|RamdiskId|RootDeviceName|ProductCode\.[0-9]+|(.*\.)?(Description(\.Value)?|DeviceName|VirtualName))$/;
const longestText = 255;

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`;
}

function unknown(name: string): Ec2Error {
  return new Ec2Error('UnknownParameter', `The parameter ${name} is not recognized`);
}
